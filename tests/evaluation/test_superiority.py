# SPDX-License-Identifier: Apache-2.0
"""The probability of superiority against SciPy, and against its own coverage."""

import numpy as np
import pytest
from scipy import stats

from dropout_jax.evaluation.superiority import (
    probability_of_superiority,
    probability_of_superiority_unpaired,
)


@pytest.mark.parametrize(("wins", "n"), [(0, 10), (7, 10), (20, 20), (1, 1)])
def test_without_ties_it_is_scipys_wilson_interval(wins, n):
    values = [1.0] * wins + [-1.0] * (n - wins)
    found = probability_of_superiority(values)
    expected = stats.binomtest(wins, n).proportion_ci(method="wilson")
    assert found.mean == wins / n
    assert found[1:] == pytest.approx((expected.low, expected.high))


def test_ties_count_half():
    assert probability_of_superiority([0.0] * 8).mean == 0.5
    assert probability_of_superiority([0.0, 1.0]).mean == 0.75


def test_it_turns_with_the_sign():
    values = [0.3, -0.1, 0.0, 0.2, 0.2]
    up, down = (probability_of_superiority(np.multiply(s, values)) for s in (1, -1))
    assert up.mean == pytest.approx(1 - down.mean)
    assert (up.low, up.high) == pytest.approx((1 - down.high, 1 - down.low))


def test_unpaired_is_mann_whitneys_u_without_the_pairs_of_one_replicate():
    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 6, 12), generator.integers(0, 6, 12)
    found = probability_of_superiority_unpaired(a, b)
    own = np.sum((a > b) + 0.5 * (a == b))
    assert found.mean == pytest.approx((stats.mannwhitneyu(a, b).statistic - own) / 132)
    assert found.low < found.mean < found.high


def test_unpaired_resamples_replicates_with_both_of_their_values():
    """Independent draws of the two methods would widen the interval here."""
    level = np.random.default_rng(1).normal(0, 1, 20)
    shares = []
    for draw in np.random.default_rng(2).integers(20, size=(4000, 20)):
        wins = level[draw][:, None] + 0.5 > level[draw]
        shares.append(wins[draw[:, None] != draw].mean())
    found = probability_of_superiority_unpaired(level + 0.5, level)
    assert found[1:] == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.01)
    assert probability_of_superiority([0.5] * 20).mean == 1 > found.mean


def test_the_bootstrap_is_not_shifted_by_copies_of_a_replicate():
    """Pairs of a replicate with itself would all be losses here, and pull it down."""
    level = np.random.default_rng(4).normal(0, 1, 20)
    found = probability_of_superiority_unpaired(level - 0.01, level)
    middle = (found.low + found.high) / 2
    assert found.mean == pytest.approx(middle, abs=0.03)


def test_the_interval_covers_at_every_probability_but_the_extreme_ones():
    """Exactly, over all counts of 20 pairs; the mean coverage is the stated one."""
    wins = np.arange(21)
    ends = [probability_of_superiority([1.0] * w + [-1.0] * (20 - w)) for w in wins]
    truths = np.linspace(0.1, 0.9, 81)
    inside = [[of.low <= p <= of.high for of in ends] for p in truths]
    covers = np.sum(inside * stats.binom.pmf(wins, 20, truths[:, None]), axis=1)
    assert covers.min() > 0.89 and covers.mean() == pytest.approx(0.95, abs=0.01)


def test_what_cannot_be_used():
    with pytest.raises(ValueError, match="1 values of one method and 1"):
        probability_of_superiority_unpaired([1.0], [0.0])
    with pytest.raises(ValueError, match="2 values of one method and 1"):
        probability_of_superiority_unpaired([1.0, 2.0], [0.0])
    with pytest.raises(ValueError, match="NaN"):
        probability_of_superiority([np.nan])
