# SPDX-License-Identifier: Apache-2.0
"""AUROC and risk by coverage, against their definitions counted out."""

import numpy as np
import pytest
from scipy import stats

from dropout_jax.evaluation.detection import auroc, risk_coverage


def counted(known, strange):
    pairs = [(k, s) for k in known for s in strange]
    return np.mean([(s > k) + 0.5 * (s == k) for k, s in pairs])


@pytest.mark.parametrize("seed", range(5))
def test_auroc_counts_pairs(seed):
    chance = np.random.default_rng(seed)
    known, strange = chance.integers(0, 9, 31), chance.integers(3, 12, 17)
    found = auroc(known, strange)
    assert found == pytest.approx(counted(known, strange), abs=1e-12)
    u = stats.mannwhitneyu(strange, known).statistic
    assert found == pytest.approx(u / (31 * 17), abs=1e-12)


def test_auroc_of_the_extremes():
    assert auroc([0.0, 1.0], [2.0, 3.0]) == 1.0
    assert auroc([2.0, 3.0], [0.0]) == 0.0
    assert auroc([1.0] * 4, [1.0] * 3) == 0.5


def test_risk_falls_when_doubt_knows():
    doubt, correct = np.arange(10.0), np.arange(10) < 7
    found = risk_coverage(doubt, correct)
    np.testing.assert_allclose(found.coverage, np.arange(1, 11) / 10)
    np.testing.assert_allclose(found.risk[:7], 0)
    assert found.risk[-1] == pytest.approx(0.3)
    assert found.area == pytest.approx(np.mean(found.risk))
    assert risk_coverage(-doubt, correct).area > found.area


def test_ties_are_the_mean_of_all_their_orders():
    doubt, correct = [0.5, 0.1, 0.5, 0.5], np.array([True, True, False, True])
    orders = [[1, a, b, c] for a, b, c in ((0, 2, 3), (2, 0, 3), (0, 3, 2))]
    risks = [np.cumsum(~correct[order]) / np.arange(1, 5) for order in orders]
    found = risk_coverage(doubt, correct)
    np.testing.assert_allclose(found.risk, np.mean(risks, axis=0))
    np.testing.assert_allclose(
        risk_coverage(doubt[::-1], correct[::-1]).risk, found.risk
    )


@pytest.mark.parametrize("wrong", [[], [[1.0]], [np.nan], 3.0])
def test_what_are_no_scores_is_refused(wrong):
    for known, strange in ((wrong, [1.0]), ([1.0], wrong)):
        with pytest.raises(ValueError, match="give at least one score, all finite"):
            auroc(known, strange)
    with pytest.raises(ValueError, match="give at least one score"):
        risk_coverage(wrong, [True])


def test_one_verdict_per_score():
    with pytest.raises(ValueError, match=r"\(2,\) and correct \(3,\) do not fit"):
        risk_coverage([0.1, 0.2], [True, True, False])
