# SPDX-License-Identifier: Apache-2.0
"""Kinds of checks: none says more than its data can bear."""

import math

import numpy as np
import pytest
from scipy import stats

from dropout_jax.evaluation.comparison import ACCURACY, NLL
from dropout_jax.evaluation.statistics import Interval
from experiments.checks import (
    DESCRIPTION,
    TEST,
    Estimate,
    Identity,
    InEach,
    Measurement,
)
from experiments.comparisons import Difference, judged, over
from experiments.over_seeds import EQUIVALENT, HIGHER, LOWER, OverSeeds

STRONG = ("holds", "shown", "significant", "wins", "contradicted")


def compared(*values, measure=ACCURACY, family=0):
    """Comparisons of some differences, and of others that only count."""
    found = judged(
        {f"c{n}": Difference(list(of), measure) for n, of in enumerate(values)}
        | {f"other {n}": Difference(list(values[0])) for n in range(family)}
    )
    return tuple(found[f"c{n}"] for n in range(len(values)))


def check(*values, want=HIGHER, **more):
    return OverSeeds("it is", compared(*values, **more), want)


@pytest.mark.parametrize(
    ("value", "holds"),
    [(0.4, True), (0.6, True), (0.39, False), (0.61, False), (math.nan, False)],
)
@pytest.mark.parametrize("kind", [Identity, Measurement])
def test_a_bound_decides(kind, value, holds):
    found = kind("", value, low=0.4, high=0.6)
    assert found.holds == holds
    assert found.verdict == ("holds" if holds else "does not hold")
    assert found.rule == "from 0.4 to 0.6"


@pytest.mark.parametrize(
    ("value", "error", "holds"),
    [(0.58, 0.01, True), (0.58, 0.011, False), (0.42, 0.011, False), (0.59, 0.0, True)],
)
def test_a_measurement_meets_its_bound_with_its_error(value, error, holds):
    """What lies within the bound by less than two standard errors is not decided."""
    found = Measurement("", value, low=0.4, high=0.6, error=error)
    assert found.holds == holds
    assert ("±" in found.found) == bool(error)


@pytest.mark.parametrize("pairs", [2, 5, 9, 10, 12])
@pytest.mark.parametrize("want", [HIGHER, LOWER])
def test_the_number_of_pairs_decides_what_may_be_said(pairs, want):
    found = check(np.linspace(1.0, 2.0, pairs), want=want)
    if pairs < 10:
        count = pairs if want == HIGHER else 0
        assert (found.kind, found.holds, found.seen) == (
            DESCRIPTION,
            None,
            (count, pairs),
        )
        said = " ".join([found.verdict, found.found, found.rule])
        assert not any(word in said for word in STRONG), said
        assert "p =" not in said and f"{want} in {count} of {pairs}" in said
    else:
        assert found.kind == TEST and found.seen is None
        assert found.verdict == ("shown" if want == HIGHER else "the opposite is shown")
        assert f"p = {2.0 ** (1 - pairs):.2g}" in found.found


def test_a_description_counts_the_seeds_in_which_all_agree():
    found = check([1.0, 1.0, 1.0, 1.0, -1.0], [-1.0, 1.0, 1.0, 1.0, 1.0])
    assert found.seen == (3, 5) and found.verdict == "seen in 3 of 5 seeds"
    assert "higher in 4 of 5" in found.found
    none = check([1.0, -1.0], [-1.0, 1.0])
    assert none.seen == (0, 2) and none.verdict == "not seen in 2 seeds"


def test_equal_values_are_not_seen_as_higher():
    assert check([0.0, 0.0, 1.0]).verdict == "seen in 1 of 3 seeds"


@pytest.mark.parametrize(("others", "shown"), [(24, True), (25, False)])
def test_a_test_is_corrected_for_all_comparisons_of_the_experiment(others, shown):
    """Ten seeds of one sign: p = 2 / 1024, and 26 comparisons are too many."""
    values = np.linspace(1.0, 2.0, 10)
    found = judged(
        {"asked": Difference(list(values))}
        | {
            f"other {n}": Difference(list(values * (-1.0) ** np.arange(10)))
            for n in range(others)
        }
    )
    one = OverSeeds("it is", (found["asked"],), HIGHER)
    assert found["asked"].family == others + 1
    assert one.holds == shown and f"Holm over {others + 1}" in one.rule
    if not shown:
        assert one.verdict == "not shown" and "minimum detectable effect" in one.found


def test_equivalence_needs_two_one_sided_tests():
    near = 0.1 * np.array([1.0, -1.0] * 5) + np.linspace(0.0, 0.01, 10)
    assert check(near, want=EQUIVALENT).verdict == "shown"
    assert check(near + 0.28, want=EQUIVALENT).verdict == "not shown"
    worst = max(
        stats.permutation_test(
            (0.3 + sign * near,),
            np.mean,
            permutation_type="samples",
            alternative="greater",
            n_resamples=np.inf,
        ).pvalue
        for sign in (1.0, -1.0)
    )
    assert f"p = {worst:.2g}" in check(near, want=EQUIVALENT).found
    few = check(near[:5], want=EQUIVALENT)
    assert few.verdict == "no verdict" and few.holds is None


def test_tests_and_descriptions_are_not_one_check():
    with pytest.raises(ValueError, match="make two checks of it"):
        check(np.ones(10), np.ones(5))
    with pytest.raises(ValueError, match="higher, lower or equivalent"):
        check(np.ones(10), want="better")


def test_a_description_by_bounds_counts_seeds():
    found = InEach("", [0.1, 0.6, math.nan], high=0.5, unit="points")
    assert found.verdict == "seen in 1 of 3 seeds" and found.holds is None
    assert found.kind == DESCRIPTION and found.rule == "each seed: up to 0.5"


def test_an_estimate_has_no_verdict():
    found = Estimate("", Interval(0.01, 0.001, 0.12), "of all", digits=3)
    assert (found.verdict, found.holds, found.seen) == ("no verdict", None, None)
    assert found.found == "0.010 [0.001, 0.120] of all"
    assert "without an interval" in Estimate("", Interval(1.0, *[math.nan] * 2)).found


def test_of_many_comparisons_the_weakest_is_shown():
    strong, weak = [2.0, 2.0, 2.0], [0.5, -0.5, 0.5]
    found = check(strong, strong, weak, strong)
    assert found.found.startswith("the weakest of 4, c2: +0.17 ")


@pytest.mark.parametrize("quick", [False, True])
def test_what_a_quick_form_decides(quick):
    assert Measurement("", 1.0).decided(quick=quick)
    assert Measurement("", 1.0, full=True).decided(quick=quick) != quick
    assert check(np.ones(10) + np.arange(10)).decided(quick=quick) != quick
    assert not check(np.ones(5)).decided(quick=quick)
    assert not Estimate("", Interval(1.0, 0.0, 2.0)).decided(quick=quick)


def test_arms_are_compared_seed_by_seed():
    values = {"a": [90.0, 80.0, 70.0], "b": [89.0, 78.9, 69.1], "c": [1.0]}
    found = judged({("a", "b"): over(values, "a", "b", NLL)})["a", "b"]
    assert found.method == "a, b" and found.measure == NLL
    assert found.interval.mean == pytest.approx(1.0) and found.interval.high < 1.3
    with pytest.raises(ValueError, match="give the seeds that both have"):
        over(values, "a", "c")
