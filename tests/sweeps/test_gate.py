# SPDX-License-Identifier: Apache-2.0
"""The verdict of the convergence gate on results that are written by hand."""

import math

import pytest

from dropout_jax.sweeps.choices import Choices
from dropout_jax.sweeps.gate import verdicts
from dropout_jax.sweeps.protocol import Gate, Method, Setting
from dropout_jax.sweeps.stages import LONGER
from protocols import make

FAST, SLOW = Setting("m", 1.0, 0.1), Setting("m", 1.0, 0.01)
METHOD = Method(strengths=(1.0,), starts={"low": {}, "high": {}})


def line(accuracy=0.8, nll=0.5, status="done", noise=-3.0):
    last, least = {"accuracy": accuracy, "nll": 9.0}, {"accuracy": 0.0, "nll": nll}
    return {
        "result": {"status": status},
        "sets": {"last": {"validation": last}, "least_nll": {"validation": least}},
        "noise": {} if noise is None else {"a": noise, "b": -2.0},
    }


def verdict(changed, seeds=(20, 21)):
    """Of runs where (setting, variant, seed) or (setting, variant) have certain lines.

    Accuracy is judged at SLOW, NLL at FAST."""
    protocol = make(methods={"none": Method(), "m": METHOD}, gate=Gate(seeds), cells={})
    pooled = {("m", "accuracy"): SLOW, ("m", "nll"): FAST}
    pooled |= {("none", answer): Setting("none", None, 0.1) for answer in ANSWERS}

    def line_of(run):
        key = run.setting, run.variant
        return changed.get((*key, run.seed)) or changed.get(key) or line()

    return verdicts(protocol, Choices({}, pooled, {}), line_of)["m"]


ANSWERS = ("accuracy", "nll")


def test_what_does_not_change_has_passed():
    found = verdict({})
    assert found.passed and found.failures == () and found.depends == ""
    assert found.points == (0, 0, 0) and found.nll == (0, 0, 0) and found.start == 0


@pytest.mark.parametrize(
    ("change", "passed"), [(0.0029, True), (0.0031, False), (-0.0031, False)]
)
def test_accuracy_at_its_own_setting(change, passed):
    found = verdict(
        {(SLOW, LONGER): line(0.8 + change), (FAST, LONGER): line(0.8 + 0.1)}
    )
    assert found.passed == passed
    assert found.points.mean == pytest.approx(100 * change)
    if not passed:
        said = f"accuracy changes by {100 * change:+.2f} points with 2 times the epochs"
        assert found.failures == (f"{said}, allowed is less than 0.3",)


@pytest.mark.parametrize(
    ("change", "passed"), [(0.009, True), (0.011, False), (-0.011, False)]
)
def test_nll_at_its_own_setting(change, passed):
    found = verdict(
        {(FAST, LONGER): line(0.1, 0.5 + change), (SLOW, LONGER): line(0.8, 0.7)}
    )
    assert found.passed == passed and found.nll.mean == pytest.approx(change)
    if not passed:
        assert found.failures[0].startswith(f"NLL changes by {change:+.4f}")


def test_the_interval_is_that_of_paired_changes():
    changed = {(SLOW, "", 20): line(0.70), (SLOW, LONGER, 20): line(0.701)}
    changed |= {(SLOW, "", 21): line(0.90), (SLOW, LONGER, 21): line(0.903)}
    found = verdict(changed)
    # Changes of .1 and .3 points: t = 12.706 with one degree of freedom.
    assert found.points.mean == pytest.approx(0.2)
    assert found.points.high - found.points.mean == pytest.approx(1.2706, abs=1e-4)
    assert found.passed  # the mean decides
    assert math.isnan(verdict({}, seeds=(20,)).points.low)


@pytest.mark.parametrize(
    ("high", "depends"),
    [
        (-2.6, ""),
        (
            -2.4,
            "learned noise ends 0.60 apart from the starts low, high, allowed is less "
            "than 0.5",
        ),
    ],
)
def test_noise_that_depends_on_its_start_is_told_and_passes(high, depends):
    changed = {(SLOW, "low"): line(noise=-3.0), (SLOW, "high"): line(noise=high)}
    found = verdict(changed)
    assert found.start == pytest.approx(high + 3)
    assert found.depends == depends
    assert found.passed and found.failures == ()


def test_means_over_seeds_are_compared_not_single_runs():
    changed = {(SLOW, "low", 20): line(noise=-4.0), (SLOW, "low", 21): line(noise=-2.0)}
    assert verdict(changed).start == pytest.approx(0)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({(SLOW, LONGER, 20): line(status="diverged")}, "1 of 4 runs for accuracy div"),
        ({(FAST, ""): line(status="diverged")}, "2 of 4 runs for nll diverged"),
    ],
)
def test_what_diverges_has_not_passed(changed, says):
    found = verdict(changed)
    assert not found.passed and says in found.failures[0]


@pytest.mark.parametrize(
    "changed",
    [
        {(SLOW, "low", 21): line(status="diverged")},
        {(SLOW, "low"): line(noise=None)},
    ],
)
def test_starts_that_cannot_be_compared_are_told(changed):
    found = verdict(changed)
    assert found.depends == "a start diverged, or learns no noise"
    assert found.start is None and found.passed
