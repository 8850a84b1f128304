# SPDX-License-Identifier: Apache-2.0
"""The expected best of k trials against every draw of k."""

import itertools

import numpy as np
import pytest

from dropout_jax.evaluation.expected_best import expected_best


@pytest.mark.parametrize("rising", [True, False])
def test_it_is_the_mean_over_all_draws_without_replacement(rising):
    values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0]
    best = max if rising else min
    expected = [
        np.mean([best(draw) for draw in itertools.combinations(values, k)])
        for k in range(1, 8)
    ]
    assert expected_best(values, rising=rising) == pytest.approx(expected)


def test_with_replacement_it_would_be_another():
    # Dodge et al. 2019: n^-k * sum of v_i (i^k - (i-1)^k). At k = n it misses the best.
    values, n = np.array([1.0, 2.0, 3.0, 4.0]), 4
    i = np.arange(1, n + 1)
    replaced = values @ ((i / n) ** n - ((i - 1) / n) ** n)
    assert expected_best(values)[-1] == 4.0 > replaced


def test_many_trials_keep_their_precision():
    values = np.random.default_rng(0).normal(90, 1, 3000)
    found = expected_best(values)
    ends = (values.mean(), values.max())
    assert (found[0], found[-1]) == pytest.approx(ends, rel=1e-12)
    assert np.all(np.diff(found) >= -1e-12)


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        expected_best([1.0, np.inf])
    with pytest.raises(ValueError, match="shape"):
        expected_best([])
