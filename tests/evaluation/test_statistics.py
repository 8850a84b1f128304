# SPDX-License-Identifier: Apache-2.0
"""Intervals that cover, p-values that are exact, rules that hold by n."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from dropout_jax.evaluation.statistics import (
    holm,
    mean_interval,
    paired_difference,
    sign_flip_p_value,
)


def brute_force_p_value(differences):
    """Every sign pattern, one by one, in integers: no rounding, no tricks."""
    total = abs(sum(differences))
    patterns = itertools.product((1, -1), repeat=len(differences))
    extreme = sum(
        abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= total
        for signs in patterns
    )
    return extreme / 2 ** len(differences)


def coverage(interval, n, trials=1500, **options):
    """How often `interval` of n normal differences holds their true mean."""
    draws = np.random.default_rng(1).normal(0.3, 1.0, (trials, n))
    found = np.array([interval(row, **options)[1:] for row in draws])
    return np.sum((found[:, 0] <= 0.3) & (found[:, 1] >= 0.3)), trials


def normal_interval(values, confidence=0.95):
    """The planted mistake: 1.96 standard errors, whatever n is."""
    half = stats.norm.ppf((1 + confidence) / 2) * stats.sem(values)
    return np.mean(values), np.mean(values) - half, np.mean(values) + half


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_t_interval_covers_and_the_normal_one_does_not(confidence):
    # Exact binomial test at 1e-6: the one false alarm this test can give.
    hits, trials = coverage(mean_interval, n=3, confidence=confidence)
    assert stats.binomtest(int(hits), trials, confidence).pvalue > 1e-6
    hits, trials = coverage(normal_interval, n=3, confidence=confidence)
    assert stats.binomtest(int(hits), trials, confidence).pvalue < 1e-6


def test_t_interval_has_n_minus_1_degrees_of_freedom():
    # 4.302653 is the printed two-sided 5 % point of t with 2 degrees of freedom.
    found = mean_interval([0.0, 1.0, 2.0])
    assert found.high - 1 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert found.high - 1 == pytest.approx(1 - found.low)


def test_one_seed_has_no_interval_and_equal_seeds_have_a_point():
    one = mean_interval([0.9])
    assert one.mean == 0.9 and math.isnan(one.low) and math.isnan(one.high)
    assert mean_interval([0.9, 0.9, 0.9]) == (0.9, 0.9, 0.9)
    assert paired_difference([1.0] * 25, [0.5] * 25) == (0.5, 0.5, 0.5)


def test_pairing_removes_what_the_seeds_share():
    seed_effect = np.random.default_rng(0).normal(0, 10, 5)
    baseline = seed_effect + np.array([0.0, 0.1, 0.2, 0.1, 0.0])
    better = baseline + np.array([0.9, 1.0, 1.1, 1.0, 1.0])
    found = paired_difference(better, baseline)
    assert 0.8 < found.low < found.mean < found.high < 1.2
    # The planted mistake, pairing by rank of arrival, drowns it.
    mixed = paired_difference(better, np.roll(baseline, 1))
    assert mixed.low < 0 < mixed.high
    assert found.mean == pytest.approx(mixed.mean)


@pytest.mark.parametrize("n", [5, 19, 20, 60])
def test_paired_intervals_are_of_one_kind_for_every_number_of_pairs(n):
    skewed = np.random.default_rng(0).exponential(1.0, n)
    assert paired_difference(skewed, np.zeros(n)) == mean_interval(skewed)


@pytest.mark.parametrize("n", [10, 11])
def test_p_value_counts_every_sign_pattern_with_ties(n):
    # Whole numbers, as accuracies are: many ties, zeros among them.
    points = np.random.default_rng(n).integers(-3, 6, n)
    expected = brute_force_p_value([int(point) for point in points])
    assert 0.001 < expected < 0.9
    # Scaled so that no sum is exact in binary: ties must still count.
    assert sign_flip_p_value(points * 1e-4 / 3) == expected


@pytest.mark.parametrize("n", [12, 15])
def test_p_value_equals_scipy_s_full_enumeration(n):
    differences = np.random.default_rng(n).normal(0.4, 1, n)
    expected = stats.permutation_test(
        (differences,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    assert sign_flip_p_value(differences) == pytest.approx(expected, rel=1e-9)


def test_p_value_for_many_seeds():
    differences = np.random.default_rng(0).normal(0.3, 1, 41)
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert sign_flip_p_value(differences) == pytest.approx(expected, rel=0.2)
    exact = sign_flip_p_value(differences[:40])
    expected = stats.ttest_1samp(differences[:40], 0).pvalue
    assert exact == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("n", [10, 13])
def test_one_sided_p_values_count_the_upper_tail_alone(n):
    points = np.random.default_rng(n).integers(-3, 6, n)
    total = sum(points)
    signs = itertools.product((1, -1), repeat=n)
    above = sum(
        sum(s * d for s, d in zip(of, points, strict=True)) >= total for of in signs
    )
    assert sign_flip_p_value(points / 3, "greater") == above / 2**n
    # A mean below zero is no evidence of one above: the planted mistake is its size.
    assert sign_flip_p_value(-points / 3, "greater") > 0.5 > above / 2**n


def test_one_sided_p_values_for_many_seeds():
    differences = np.random.default_rng(0).normal(0.3, 1, 41)
    expected = stats.ttest_1samp(differences, 0, alternative="greater").pvalue
    assert sign_flip_p_value(differences, "greater") == pytest.approx(expected, rel=0.2)


def test_no_p_value_under_ten_seeds():
    with pytest.raises(ValueError, match="9 differences are too few"):
        sign_flip_p_value([1.0] * 9)


def test_no_difference_at_all_is_no_evidence():
    assert sign_flip_p_value([0.0] * 10) == 1.0


def test_holm_equals_the_step_down_definition():
    values = [0.04, 0.001, 0.03, 0.5, 0.5]
    expected, worst = {}, 0.0
    for rank, index in enumerate(sorted(range(5), key=values.__getitem__)):
        worst = max(worst, min(1.0, values[index] * (5 - rank)))
        expected[index] = worst
    assert holm(values) == pytest.approx([expected[i] for i in range(5)])
    assert holm(values) != pytest.approx([min(1, 5 * v) for v in values])  # Bonferroni
    assert holm([]) == [] and holm([0.2]) == [0.2]
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([1.2])


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], [1.0, math.nan], [math.inf]])
def test_values_that_are_not_a_list_of_finite_numbers_are_refused(values):
    with pytest.raises(ValueError, match="values"):
        mean_interval(values)


def test_unequal_sets_are_refused():
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_difference([1.0, 2.0], [1.0])
