# SPDX-License-Identifier: Apache-2.0
"""Probability that a run of one method beats a run of another.

A mean difference says how much a method gains; this says how often a user who trains
once would see it. 0.5 means that neither is better.

References:
  Bouthillier et al. 2021, Accounting for Variance in Machine Learning Benchmarks
  (MLSys), section 4; Vargha and Delaney 2000, Journal of Educational and Behavioral
  Statistics 25:101 (ties count half); Wilson 1927, Journal of the American Statistical
  Association 22:209.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from dropout_jax.evaluation.statistics import Interval, checked

RESAMPLES = 9_999


def probability_of_superiority(
    differences: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Probability that a run has the higher value on the same replicate.

    (number of differences above 0 + half the number of zeros) / n

    Args:
      differences: [n], one method minus the other, one finite number per replicate.
      confidence: coverage in (0, 1).

    Returns:
      An `Interval` in [0, 1], its ends those of Wilson's score interval for n trials.
      A pair of equal values counts as half a success. Such halves vary less than whole
      successes, so the interval is wider than needed where there are ties.

    Raises:
      ValueError: no differences, or differences that are not finite.

    Example:
      >>> found = probability_of_superiority([0.5, 0.2, 0.0, -0.1])
      >>> found.mean, round(found.low, 3), round(found.high, 3)
      (0.625, 0.219, 0.908)
    """
    values = checked(differences)
    n = values.size
    share = float(np.mean(_wins(values)))
    z = float(stats.norm.isf((1 - confidence) / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def probability_of_superiority_unpaired(
    a: ArrayLike, b: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Probability that a run has the higher value than a run on another replicate.

    (number of pairs with a_i > b_j + half the number of ties) / n (n - 1),  i != j

    Args:
      a: [n], n >= 2, one finite number per replicate.
      b: [n], those of the other method on the same replicates in the same order.
      confidence: coverage in (0, 1).

    Returns:
      An `Interval` in [0, 1]. Its ends are percentiles of a bootstrap that draws
      replicates, each with both of its values, by a fixed generator; two copies of one
      replicate are no pair.

    Raises:
      ValueError: sequences of different lengths, fewer than two values, or values that
        are not finite.

    Example:
      >>> probability_of_superiority_unpaired([3.0, 4.0, 2.0], [1.0, 3.5, 2.5]).mean
      0.6666666666666666
    """
    first, second = checked(a), checked(b)
    n = first.size
    if n != second.size or n < 2:
        raise ValueError(
            f"{n} values of one method and {second.size} of the other: "
            "give at least two replicates that both have"
        )
    wins = _wins(first[:, None] - second[None, :])
    np.fill_diagonal(wins, 0.0)
    drawn = np.random.default_rng(0).integers(n, size=(RESAMPLES, n))
    weights = np.zeros((RESAMPLES, n))
    np.add.at(weights, (np.arange(RESAMPLES)[:, None], drawn), 1 / n)
    pairs = 1 - np.sum(weights**2, axis=1)
    some = pairs > 1e-9  # a draw of n copies of one replicate has no pair
    shares = np.sum((weights[some] @ wins) * weights[some], axis=1) / pairs[some]
    tail = (1 - confidence) / 2
    low, high = np.quantile(shares, [tail, 1 - tail])
    return Interval(float(wins.sum() / (n * (n - 1))), float(low), float(high))


def _wins(differences: np.ndarray) -> np.ndarray:
    return (differences > 0) + 0.5 * (differences == 0)
