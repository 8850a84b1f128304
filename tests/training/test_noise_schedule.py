# SPDX-License-Identifier: Apache-2.0
"""A scheduled rate reaches the step; evaluation takes the rate where it needs it."""

import jax
import numpy as np
import pytest

from dropout_jax import data
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.noise_schedule import rate_factor
from dropout_jax.training.programs import build_programs

DATA = data.load("synthetic", train_size=64)
EXAMPLES = (DATA.train_images, DATA.train_labels.astype(np.int32))


def test_piecewise_factors_change_at_the_end_of_epochs(tiny):
    fields = {"noise.schedule": "piecewise", "noise.piecewise_epochs": (1.5, 2.0)}
    fields["noise.piecewise_factors"] = (1.0, 0.25, 0.5)
    factor = rate_factor(tiny(fields).noise, 10)
    steps = np.array([0, 14, 15, 19, 20, 80])
    np.testing.assert_array_equal(factor(steps), [1, 1, 0.25, 0.25, 0.5, 0.5])
    # Of two changes on one step, the later holds.
    np.testing.assert_array_equal(rate_factor(tiny(fields).noise, 1)(steps)[2:], 0.5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", [1, 1, 1, 1]),
        ("linear", [0, 0.5, 1, 1]),
        ("early", [1, 0.5, 0, 0]),
        ("late", [0, 0, 1, 1]),
        ("curriculum", [0, 1 - np.exp(-0.5), 1 - np.exp(-1), 1 - np.exp(-4)]),
        ("annealed", [1, np.exp(-0.5), np.exp(-1), np.exp(-4)]),
    ],
)
def test_factors(tiny, name, expected):
    fields = {"noise.schedule": name}
    if name != "constant":
        fields["noise.schedule_epochs"] = 2.0
    factor = rate_factor(tiny(fields).noise, 10)
    np.testing.assert_allclose(factor(np.array([0, 10, 20, 80])), expected, atol=1e-6)


def test_late_noise_begins_late(tiny):
    """Before it begins, the run is bit for bit the one without noise."""
    base = {"noise.kind": "dropout", "train.batch_size": 32}
    late = {**base, "noise.schedule": "late", "noise.schedule_epochs": 2.0}
    ends = {}
    for name, fields in (
        ("late", {**late, "noise.rates": (0.5,)}),
        ("quiet", {**late, "noise.rates": (0.0,)}),
    ):
        config = tiny(fields)
        programs = build_programs(config, (28, 28), 10, 64)
        hparams = traced(config, programs.model.sites)
        state = programs.init(hparams, np.uint32(0))
        ends[name] = []
        for stop in (2, 4, 6):
            seed, epoch = np.uint32(0), (stop - 1) // programs.steps_per_epoch
            order = programs.order(seed, epoch)
            state = programs.run_chunk(state, hparams, seed, EXAMPLES, order, stop)
            ends[name].append(jax.device_get(state.params))
    same = [
        all(
            np.array_equal(a, b)
            for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)
        )
        for x, y in zip(ends["late"], ends["quiet"], strict=True)
    ]
    assert same == [True, True, False]


def test_zoneout_is_evaluated_at_its_expectation(tiny, random_state):
    fields = {"model.name": "rnn", "model.widths": (8,), "noise.kind": "zoneout"}
    config = tiny({**fields, "noise.rates": (0.4,)})
    programs = build_programs(config, (28, 28), 10, 64)
    hparams = traced(config, programs.model.sites)
    state = random_state(programs, hparams)
    images = DATA.test_images[:16]

    def logits(rate):
        at = hparams._replace(rates=0 * hparams.rates + rate)
        return programs.predict(state.params, state.model_state, images, at)

    direct = programs.model.apply(
        {"params": state.params}, images / np.float32(255), hparams.rates, train=False
    )
    np.testing.assert_allclose(logits(hparams.rates), direct, atol=1e-5)
    assert np.abs(np.asarray(logits(hparams.rates) - logits(0.0))).max() > 1e-3
