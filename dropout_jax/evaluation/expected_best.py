# SPDX-License-Identifier: Apache-2.0
"""How good the best of a search is to be expected after so many trials.

The curve of the expected best value against the number of trials shows how the best
result grows with trials drawn at random from the grid of a search. It belongs to that
grid: a wider one with bad ends looks worse at few trials. It does not show what chance
alone gains.

References:
  Dodge et al. 2019, Show Your Work (EMNLP), section 3, draws trials with replacement;
  Tang et al. 2020, Showing Your Work Doesn't Always Work (ACL), section 3: that
  estimate is biased, the one without replacement is not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dropout_jax.arguments import flag
from dropout_jax.evaluation.statistics import checked


def expected_best(values: ArrayLike, *, rising: bool = True) -> np.ndarray:
    """Expected best value of k trials drawn without replacement, for every k.

    sum over i of C(i - 1, k - 1) / C(n, k) * v_i,  v_1 the worst and v_n the best

    Args:
      values: [n], the validation result of each trial, finite.
      rising: whether a higher value is better.

    Returns:
      [n], entry k - 1 for k trials: the mean of the values for one trial, the best of
      them for all n.

    Raises:
      TypeError: `rising` is no bool.
      ValueError: no values, or values that are not finite.

    Example:
      >>> expected_best([1.0, 2.0, 4.0]).round(3).tolist()
      [2.333, 3.333, 4.0]
      >>> expected_best([1.0, 2.0, 4.0], rising=False).tolist()[-1]
      1.0
    """
    worst_first = np.sort(checked(values))
    if not flag("rising", rising):
        worst_first = worst_first[::-1]
    n = worst_first.size
    found = np.empty(n)
    # The share of all draws of k in which trial i is the best: (C(i-1, k-1) / C(n, k)),
    # from k - 1 to k by one factor, so that no large binomial is formed.
    share = np.full(n, 1 / n)
    place = np.arange(1, n + 1)
    for k in range(1, n + 1):
        found[k - 1] = share @ worst_first
        if k < n:
            share = share * np.maximum(place - k, 0) / k * (k + 1) / (n - k)
    return found
