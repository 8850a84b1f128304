# SPDX-License-Identifier: Apache-2.0
"""Seeds needed: printed tables, simulation, and planted mistakes."""

import math

import numpy as np
import pytest
from scipy import stats

from dropout_jax.evaluation.power import (
    deviation,
    minimum_detectable_effect,
    paired_power,
    seeds_needed,
)
from dropout_jax.evaluation.statistics import sign_flip_p_value


@pytest.mark.parametrize(
    ("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)]
)
def test_pairs_are_those_of_the_printed_tables(effect, pairs):
    # G*Power 3.1, "means: difference between two dependent means", two tails.
    assert seeds_needed(effect, 1.0) == pairs
    assert seeds_needed(-3 * effect, 3.0) == pairs  # sign and unit are of no account
    # The planted mistake, the normal law in place of t, gives too few.
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert math.ceil((z / effect) ** 2) < pairs


@pytest.mark.parametrize(("effect", "pairs"), [(1.0, 5), (3.0, 3), (8.0, 2)])
def test_power_is_how_often_the_t_test_sees_the_difference(effect, pairs):
    draws = np.random.default_rng(0).normal(effect, 1.0, (40_000, pairs))
    seen = int(np.sum(stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05))
    power = paired_power(effect, pairs)
    # Exact binomial test at 1e-6: the one false alarm this test can give.
    assert stats.binomtest(seen, len(draws), power).pvalue > 1e-6
    bound = stats.norm.ppf(0.975)
    wrong = stats.norm.sf(bound - effect * math.sqrt(pairs))
    assert stats.binomtest(seen, len(draws), wrong).pvalue < 1e-6


@pytest.mark.parametrize("pairs", [2, 3, 5, 30, 1000])
def test_power_is_that_of_the_noncentral_t_law(pairs):
    for effect in (0.01, 0.5, 1.0, 3.0):
        bound, shift = stats.t.ppf(0.975, pairs - 1), effect * math.sqrt(pairs)
        expected = stats.nct.sf(bound, pairs - 1, shift)
        if shift < 6:
            expected += stats.nct.cdf(-bound, pairs - 1, shift)
        assert paired_power(effect, pairs) == pytest.approx(expected, abs=1e-5)
    assert paired_power(0.0, pairs) == pytest.approx(0.05, abs=1e-5)


@pytest.mark.parametrize("difference", [0.02, 0.1, 0.3, 1.0])
def test_the_number_is_the_smallest_that_is_enough(difference):
    pairs = seeds_needed(difference, 0.25, power=0.9)
    assert paired_power(difference / 0.25, pairs) >= 0.9
    assert pairs == 2 or paired_power(difference / 0.25, pairs - 1) < 0.9


@pytest.mark.parametrize(("pairs", "family"), [(10, 1), (10, 16), (12, 8), (20, 4)])
def test_the_minimum_detectable_effect_is_that_of_the_test_that_is_used(pairs, family):
    """Simulated studies: the sign-flip test at the corrected level, 80 % of them."""
    alpha = 0.05 / family
    effect = minimum_detectable_effect(0.25, pairs, alpha=alpha) / 0.25
    draws = np.random.default_rng(5).normal(effect, 1, (300, pairs))
    seen = sum(sign_flip_p_value(draw) <= alpha for draw in draws)
    # Exact binomial test at 1e-6; the t test's effect at (10, 16) has a power of .59.
    assert stats.binomtest(seen, len(draws), 0.8).pvalue > 1e-6
    assert minimum_detectable_effect(0.0, pairs) == 0


def test_where_nothing_can_be_detected():
    assert minimum_detectable_effect(1.0, 10, alpha=0.05 / 26) == math.inf
    with pytest.raises(ValueError, match="9 pairs are not tested"):
        minimum_detectable_effect(1.0, 9)


def test_extremes():
    assert seeds_needed(0.1, 0.0) == 2  # every seed agrees
    assert seeds_needed(1e9, 1.0) == 2
    assert seeds_needed(1e-9, 1.0) == 10**9


def test_the_interval_of_the_deviation_covers():
    draws = np.random.default_rng(3).normal(0.0, 2.0, (4000, 4))
    found = [deviation(row) for row in draws]
    hits = sum(low <= 2.0 <= high for _, low, high in found)
    # Exact binomial test at 1e-6.
    assert stats.binomtest(hits, len(draws), 0.95).pvalue > 1e-6
    # The planted mistake: the normal approximation.
    half = stats.norm.ppf(0.975) / math.sqrt(2 * 3)
    hits = sum(mean * (1 - half) <= 2.0 <= mean * (1 + half) for mean, _, _ in found)
    assert stats.binomtest(hits, len(draws), 0.95).pvalue < 1e-6


@pytest.mark.parametrize(
    "call",
    [
        lambda: paired_power(-1.0, 5),
        lambda: paired_power(math.nan, 5),
        lambda: paired_power(1.0, 1),
        lambda: paired_power(1.0, 5, alpha=1.0),
        lambda: seeds_needed(0.0, 1.0),
        lambda: seeds_needed(math.inf, 1.0),
        lambda: seeds_needed(1.0, -1.0),
        lambda: seeds_needed(1.0, 1.0, power=0.01),
        lambda: minimum_detectable_effect(1.0, 10, power=1.0),
        lambda: deviation([1.0]),
        lambda: deviation([1.0, math.nan]),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(ValueError):
        call()
