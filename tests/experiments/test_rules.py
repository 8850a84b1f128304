# SPDX-License-Identifier: Apache-2.0
"""Rules of experiments on made-up results: what they are to tell apart."""

import importlib
import itertools

import numpy as np
import pytest
from scipy import stats

from experiments.trained import Trained

SEEDS = 5


def made(accuracy_of, arms, monkeypatch, experiment, validation_of=None, **history):
    """The checks of an experiment whose arms have made-up accuracies, by name.

    `validation_of` is as `accuracy_of`, which is taken where it is not given; so are
    the entries of `history`, of which there is one epoch.
    """
    chance = np.random.default_rng(1)

    def line(arm, seed):
        noise = 0.01 * chance.normal()
        validation = (validation_of or accuracy_of)(arm, seed)
        return {
            "result": {
                "status": "done",
                "test": {"accuracy": 0.01 * (accuracy_of(arm, seed) + noise)},
                "validation": {"accuracy": 0.01 * validation},
            },
            "history": {name: [0.01 * of(arm, seed)] for name, of in history.items()},
        }

    trained = [
        Trained(arm, seed, line(arm, seed), {"norms": [1.0, 1.0, 1.0]}, {})
        for arm in arms
        for seed in range(SEEDS)
    ]
    monkeypatch.setattr(experiment, "study", lambda quick: trained)
    return experiment.run(quick=False).checks


def cells(e03):
    """The cells of E03's grid, by name."""
    grid = [*itertools.product(e03.RATES, e03.DECAYS, e03.MAX_NORMS)]
    return {e03.name_of(*cell, size): cell for cell in grid for size in e03.EPOCHS}


@pytest.mark.parametrize("settings", [False, True], ids=["seeds", "settings"])
def test_a_knob_is_not_taken_for_the_seeds(monkeypatch, settings):
    """Seeds that differ by a point and settings that do not, and the reverse."""
    e03 = importlib.import_module("experiments.e03_dropout_and_decay")
    names = cells(e03)

    def accuracy(arm, seed):
        rate, decay, _ = names[arm]
        return 88.0 + (10.0 * (rate + decay) if settings else seed)

    checks = made(accuracy, names, monkeypatch, e03)
    for what in ("rate", "decay"):
        for where in ("", ", on 5,000 images"):
            found = checks[f"what the {what} changes{where}"]
            assert (found.interval.low > 1.0) == settings
            assert (found.interval.high < 0.1) != settings
            assert found.verdict == "no verdict"


def test_the_best_cell_is_chosen_without_the_test_set(monkeypatch):
    """A cell that shines on the test set alone is not the one that is judged."""
    e03 = importlib.import_module("experiments.e03_dropout_and_decay")
    names = cells(e03)
    lucky, chosen = (0.5, 0.5, 2.0), (0.2, 0.1, 2.0)

    def test(arm, seed):
        return 88.0 + seed + 5.0 * (names[arm] == lucky)

    def validation(arm, seed):
        return 88.0 + seed + (names[arm] == chosen)

    checks = made(test, names, monkeypatch, e03, validation)
    found = checks["the chosen cell is more accurate than none"]
    assert found.says.startswith(e03.name_of(*chosen))
    assert abs(found.comparisons[0].interval.mean) < 0.1


def test_the_best_placement_is_chosen_without_the_test_set(monkeypatch):
    e09 = importlib.import_module("experiments.e09_cnn_placement")
    arms = [f"{arm}, {epochs} epochs" for epochs in e09.LENGTHS for arm in e09.ARMS]

    def test(arm, seed):
        return 88.0 + seed + 5.0 * arm.startswith("dropblock")

    def validation(arm, seed):
        return 88.0 + seed + arm.startswith("spatial")

    found = made(test, arms, monkeypatch, e09, validation)["the chosen placement gains"]
    assert "spatial" in found.says
    assert abs(found.comparisons[0].interval.mean) < 0.1


@pytest.mark.parametrize("fits", [True, False])
def test_a_gap_counts_where_the_network_fits(monkeypatch, fits):
    """At .8 the gap is gone: because the network does not fit, or in spite of it."""
    e01 = importlib.import_module("experiments.e01_rate_curve")
    monkeypatch.setattr(e01, "linear_norms", lambda: [2.0, 1.0])

    def fit(arm, seed):
        return 90.0 - 20.0 * (arm == "0.9" or (arm == "0.8" and not fits))

    def validation(arm, seed):
        return fit(arm, seed) - (0.0 if float(arm) >= 0.8 else 5.0 - float(arm))

    checks = made(
        fit,
        [f"{rate}" for rate in e01.RATES],
        monkeypatch,
        e01,
        clean_train_accuracy=fit,
        validation_accuracy=validation,
    )
    found = checks["the gap falls above .5 while the network fits"]
    rates = [one.method.split()[1] for one in found.comparisons]
    assert rates == (["0.6", "0.7", "0.8"] if fits else ["0.6", "0.7"])
    under = checks["too much underfits"].comparisons
    assert [round(one.interval.mean) for one in under] == [-20, -20]


@pytest.mark.parametrize(("slope", "flat"), [(0.0, True), (4.0, False)])
def test_a_flat_curve_is_told_from_a_falling_one(monkeypatch, slope, flat):
    e22 = importlib.import_module("experiments.e22_width")
    arms = [f"{series} {keep}" for series in ("width", "kept") for keep in e22.KEEP]

    def accuracy(arm, seed):
        series, keep = arm.split()
        return 88.0 + seed + (6.0 if series == "width" else slope) * float(keep)

    checks = made(accuracy, arms, monkeypatch, e22)
    found = checks["the number kept fixed, the curve is flat"]
    assert found.seen == (SEEDS if flat else 0, SEEDS)
    assert checks["the fixed width loses more"].seen == (SEEDS, SEEDS)


@pytest.mark.parametrize(
    ("gain", "spread", "little", "gains"),
    [(-1.0, 0.0, 5, 0), (0.3, 0.0, 5, 5), (0.8, 0.0, 0, 5), (0.2, 1.0, 3, 3)],
)
def test_too_little_evidence_is_not_no_gain(monkeypatch, gain, spread, little, gains):
    """The last: of seeds that disagree by points each counts for itself."""
    e19 = importlib.import_module("experiments.e19_training_set_size")
    arms = [f"{arm} {size}" for size in e19.SIZES for arm in e19.ARMS]

    def accuracy(arm, seed):
        kind, size = arm.split()
        noisy = (gain + spread * (seed - SEEDS // 2)) * (kind == "dropout")
        return 60.0 + seed + 5.0 * np.log10(float(size)) + noisy

    checks = made(accuracy, arms, monkeypatch, e19)
    found = checks["on a hundred it gains less than half a point"]
    assert found.seen == (little, SEEDS)
    assert checks["it pays in between"].seen == (gains, SEEDS)


def test_the_share_of_misleading_pairs_has_an_interval_that_covers_it():
    """20 seeds of two normal laws whose true share is known, a thousand times."""
    e14 = importlib.import_module("experiments.e14_seeds")
    chance, true = np.random.default_rng(14), stats.norm.cdf(-1.5 / np.sqrt(2.0))
    drawn = chance.normal(size=(1_000, 2, 20)) + np.array([1.5, 0.0]).reshape(2, 1)
    shares = (drawn[:, 0, :, None] < drawn[:, 1, None, :]).mean((1, 2))
    ends = np.array([e14.share_interval(share, 20, 20)[1:] for share in shares])
    covered = np.mean((ends[:, 0] <= true) & (true <= ends[:, 1]))
    assert 0.93 < covered < 0.995
    nothing = e14.share_interval(0.0, 20, 20)
    assert nothing.low == 0.0 and 0.05 < nothing.high < 0.2
    assert np.all(np.diff(ends[np.argsort(shares)], axis=0) >= -1e-9)


def test_an_exact_share():
    e14 = importlib.import_module("experiments.e14_seeds")
    for count in (0, 3, 20):
        found = stats.binomtest(count, 20).proportion_ci(method="exact")
        np.testing.assert_allclose(e14.exact_share(count, 20)[1:], found)


@pytest.mark.parametrize(("factor", "grows"), [(1.0, False), (1.5, True)])
def test_a_ratio_grows_by_more_than_it_errs(factor, grows):
    e18 = importlib.import_module("experiments.e18_local_reparameterization")
    chance = np.random.default_rng(18)
    local = chance.chisquare(8, size=(2, 1_000))
    batch = 2.0 * local * chance.uniform(0.5, 1.5, local.shape)
    batch[1] *= factor
    found = e18.growth(local, batch)
    assert (found > e18.SIGMAS) == grows and (grows or abs(found) < 4.0)


def test_a_lost_training_counts_once():
    e04 = importlib.import_module("experiments.e04_course_at_length")

    def one(arm, status, accuracy=0.8):
        result = {"status": status, "test": {"accuracy": accuracy}}
        return Trained(arm, 3, {"result": result}, {}, {})

    arms = [f"{arm}, 100" for arm in ("none", *e04.MODERATE)]
    cases = [
        (["diverged", "done", "done"], 1.0),
        (["diverged", "done", "diverged"], 0.0),
        (["done", "done", "done"], 0.0),
        (["done", "diverged", "done"], -1.0),
    ]
    for statuses, lost in cases:
        trained = [*map(one, arms, statuses)]
        assert e04.lost_without(trained, 3, 100) == lost
    at_chance = [one(arms[0], "done", 0.1), *(one(arm, "done") for arm in arms[1:])]
    assert e04.lost_without(at_chance, 3, 100) == 1.0
