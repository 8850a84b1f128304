# SPDX-License-Identifier: Apache-2.0
"""How far a knob moves the metric: an interval that holds for the farthest pair."""

import math

import numpy as np
import pytest
from scipy import stats

from dropout_jax.evaluation.sensitivity import sensitivity

TRIALS = 1500


def naive(values):
    """The planted mistake: a t interval of the two settings that came out so."""
    means = values.mean(axis=1)
    gaps = values[means.argmax()] - values[means.argmin()]
    half = stats.t.ppf(0.975, gaps.size - 1) * stats.sem(gaps)
    return gaps.mean(), gaps.mean() - half, gaps.mean() + half


def draws(means, seeds, generator):
    """Settings by seeds, with what the seeds share."""
    shared = generator.normal(0, 3.0, seeds)
    return (
        np.array(means)[:, None] + shared + generator.normal(0, 1, (len(means), seeds))
    )


@pytest.mark.parametrize("seeds", [2, 5])
def test_a_knob_without_effect_is_seen_as_one_in_one_of_twenty_studies(seeds):
    generator = np.random.default_rng(0)
    studies = [draws([0.0] * 6, seeds, generator) for _ in range(TRIALS)]
    silent = sum(sensitivity(study).low == 0 for study in studies)
    # Exact binomial tests at 1e-6: the false alarm that this test can give.
    assert stats.binomtest(silent, TRIALS, 0.95).pvalue > 1e-6
    silent = sum(naive(study)[1] <= 0 for study in studies)
    assert stats.binomtest(silent, TRIALS, 0.95).pvalue < 1e-6


def test_the_interval_holds_the_true_range():
    generator = np.random.default_rng(1)
    means = [0.0, 0.5, 1.0, 1.0, 0.2]
    found = [sensitivity(draws(means, 5, generator)) for _ in range(TRIALS)]
    hits = sum(low <= 1.0 <= high for _, low, high in found)
    # It may cover more often, never less: one-sided, at 1e-6.
    assert stats.binomtest(hits, TRIALS, 0.95, alternative="less").pvalue > 1e-6
    # The planted mistake: an interval of a quarter of the width.
    hits = sum(abs(mean - 1.0) <= (high - mean) / 4 for mean, _, high in found)
    assert stats.binomtest(hits, TRIALS, 0.95, alternative="less").pvalue < 1e-6


def test_two_settings_are_the_paired_t_interval():
    # Tukey's distribution of two means is that of |t| times the square root of 2.
    values = draws([0.0, 4.0], 6, np.random.default_rng(2))
    gaps = values[1] - values[0]
    half = stats.t.ppf(0.975, 5) * stats.sem(gaps)
    assert sensitivity(values) == pytest.approx(
        (gaps.mean(), gaps.mean() - half, gaps.mean() + half), rel=1e-6
    )


def test_what_the_seeds_share_does_not_count():
    values = draws([0.0, 1.0, 2.0], 4, np.random.default_rng(3))
    moved = sensitivity(values + np.array([100.0, -50.0, 7.0, 0.0]))
    assert moved == pytest.approx(tuple(sensitivity(values)))


def test_one_seed_has_no_interval():
    mean, low, high = sensitivity([[1.0], [4.0], [2.0]])
    assert mean == 3.0 and math.isnan(low) and math.isnan(high)


@pytest.mark.parametrize(
    "values", [[], [1.0, 2.0], [[1.0, 2.0]], [[], []], [[1.0], [math.nan]]]
)
def test_what_is_no_table_is_refused(values):
    with pytest.raises(ValueError, match="values"):
        sensitivity(values)
