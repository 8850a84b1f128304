# SPDX-License-Identifier: Apache-2.0
"""Rules of experiments on made-up results: what they are to tell apart."""

import importlib
import itertools

import numpy as np
import pytest

from experiments.trained import Trained

SEEDS = 5


def made(accuracy_of, arms, monkeypatch, experiment):
    """The checks of an experiment whose arms have made-up accuracies, by name."""
    chance = np.random.default_rng(1)
    trained = [
        Trained(
            arm,
            seed,
            {
                "result": {
                    "test": {
                        "accuracy": 0.01
                        * (accuracy_of(arm, seed) + 0.01 * chance.normal())
                    }
                }
            },
            {},
            {},
        )
        for arm in arms
        for seed in range(SEEDS)
    ]
    monkeypatch.setattr(experiment, "study", lambda quick: trained)
    return experiment.run(quick=False).checks


@pytest.mark.parametrize("settings", [False, True], ids=["seeds", "settings"])
def test_a_knob_is_not_taken_for_the_seeds(monkeypatch, settings):
    """Seeds that differ by a point and settings that do not, and the reverse."""
    e03 = importlib.import_module("experiments.e03_dropout_and_decay")
    cells = [*itertools.product(e03.RATES, e03.DECAYS, e03.MAX_NORMS)]
    names = {e03.name_of(*cell, size): cell for cell in cells for size in e03.EPOCHS}

    def accuracy(arm, seed):
        rate, decay, _ = names[arm]
        return 88.0 + (10.0 * (rate + decay) if settings else seed)

    checks = made(accuracy, names, monkeypatch, e03)
    assert checks["neither knob is without effect"].holds == settings
    assert checks["neither knob is without effect, on 5,000 images"].holds == settings


@pytest.mark.parametrize(("slope", "flat"), [(0.0, True), (4.0, False)])
def test_a_flat_curve_is_told_from_a_falling_one(monkeypatch, slope, flat):
    e22 = importlib.import_module("experiments.e22_width")
    arms = [f"{series} {keep}" for series in ("width", "kept") for keep in e22.KEEP]

    def accuracy(arm, seed):
        series, keep = arm.split()
        return 88.0 + seed + (6.0 if series == "width" else slope) * float(keep)

    checks = made(accuracy, arms, monkeypatch, e22)
    assert checks["the number kept fixed, the curve is flat"].holds == flat
    assert checks["the fixed width loses more"].holds


@pytest.mark.parametrize(
    ("gain", "spread", "none"),
    [(-1.0, 0.0, True), (0.3, 0.0, True), (0.8, 0.0, False), (0.0, 1.0, False)],
)
def test_too_little_evidence_is_not_no_gain(monkeypatch, gain, spread, none):
    """The last: seeds that disagree by points tell neither a gain nor none."""
    e19 = importlib.import_module("experiments.e19_training_set_size")
    arms = [f"{arm} {size}" for size in e19.SIZES for arm in e19.ARMS]

    def accuracy(arm, seed):
        kind, size = arm.split()
        noisy = (gain + spread * (seed - SEEDS // 2)) * (kind == "dropout")
        return 60.0 + seed + 5.0 * np.log10(float(size)) + noisy

    checks = made(accuracy, arms, monkeypatch, e19)
    assert checks["it does not pay on a hundred"].holds == none
    assert checks["it pays in between"].holds == (gain > 0.0)
