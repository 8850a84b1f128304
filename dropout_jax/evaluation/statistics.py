# SPDX-License-Identifier: Apache-2.0
"""Intervals and tests of a handful of seeds; `comparison` says how they are used.

| n (paired) seeds | interval | p-value |
|---|---|---|
| 1 | none | none |
| 2 to 9 | t | none: the smallest one a sign-flip test can give is 2^(1-n) |
| 10 and more | t | exact sign-flip permutation test |

Everything is deterministic: where signs are drawn, a fixed generator draws them.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from dropout_jax.arguments import whole

P_VALUE_FROM = 10
# Enumerating 2^(n/2) half sums twice is instant up to here.
EXACT_UP_TO = 40


class Interval(NamedTuple):
    """A mean with the ends of its confidence interval, in the units of the data.

    `low` and `high` are NaN where one value cannot give an interval.
    """

    mean: float
    low: float
    high: float


def percent_right(accuracy: float, count: int | None = None) -> float:
    """Returns an accuracy in percent, exact to the number of images.

    Ledgers hold float32 accuracies: of equal differences some are larger by 1e-7, and
    a sign-flip test would not see the ties that it must count.

    Args:
      accuracy: a fraction.
      count: number of images, where it is known.

    Example:
      >>> percent_right(0.8924999833106995, 10_000), percent_right(0.9004)
      (89.25, 90.04)
    """
    if count is not None and whole("count", count, 0):
        return 100 * round(accuracy * count) / count
    return round(100 * accuracy, 9)


def checked(values: ArrayLike) -> np.ndarray:
    """Values, one per seed, as [n] numbers in float64.

    Raises:
      ValueError: no values, or values that are not finite.

    Example:
      >>> checked([1, 2]).tolist()
      [1.0, 2.0]
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"values have shape {array.shape}: give one per seed, [n >= 1]"
        )
    if not np.all(np.isfinite(array)):
        raise ValueError("values hold NaN or infinity: leave out runs that diverged")
    return array


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean over seeds with its Student t interval.

    mean +- t_{n-1, (1 + confidence)/2} * s / sqrt(n),  s with divisor n - 1

    Args:
      values: [n], one finite number per seed.
      confidence: coverage in (0, 1).

    Returns:
      An `Interval`; its ends are NaN for n = 1, and the mean itself where all
      values are equal.

    Raises:
      ValueError: no values, or values that are not finite.

    Example:
      >>> interval = mean_interval([1.0, 2.0, 3.0])
      >>> round(interval.low, 3), round(interval.high, 3)
      (-0.484, 4.484)
    """
    array = checked(values)
    mean = float(array.mean())
    if array.size == 1:
        return Interval(mean, math.nan, math.nan)
    if np.ptp(array) == 0:
        return Interval(mean, mean, mean)
    low, high = stats.t.interval(
        confidence, array.size - 1, loc=mean, scale=stats.sem(array)
    )
    return Interval(mean, float(low), float(high))


def paired_difference(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean of a - b over the same seeds, with the t interval of the differences.

    Args:
      a: [n], one finite number per seed.
      b: [n], the same seeds in the same order.
      confidence: coverage in (0, 1).

    Returns:
      An `Interval` in the units of the data.

    Raises:
      ValueError: sequences of different lengths, empty, or not finite.

    Example:
      >>> paired_difference([3.0, 5.0], [1.0, 3.0])
      Interval(mean=2.0, low=2.0, high=2.0)
    """
    first, second = checked(a), checked(b)
    if first.size != second.size:
        raise ValueError(
            f"{first.size} values cannot be paired with {second.size}: "
            "give the seeds that both have"
        )
    return mean_interval(first - second, confidence)


def difference_of_means(
    a: ArrayLike, b: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Mean of a minus mean of b, of independent seeds, with Welch's t interval.

    mean(a) - mean(b) +- t_{f, (1 + confidence)/2} * sqrt(s_a^2/n_a + s_b^2/n_b),
    f by Welch and Satterthwaite

    Args:
      a: [n_a], one finite number per seed.
      b: [n_b], one finite number per seed, none of them a seed of `a`.
      confidence: coverage in (0, 1).

    Returns:
      An `Interval`; its ends are NaN if one of the two has a single value, and the
      difference itself if all values are equal in both.

    Raises:
      ValueError: no values, or values that are not finite.

    Example:
      >>> found = difference_of_means([1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
      >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
      (1.0, -1.267, 3.267)

    References:
      Welch 1947, Biometrika 34:28.
    """
    first, second = checked(a), checked(b)
    mean = float(first.mean() - second.mean())
    if min(first.size, second.size) == 1:
        return Interval(mean, math.nan, math.nan)
    if np.ptp(first) == np.ptp(second) == 0:
        return Interval(mean, mean, mean)
    welch = stats.ttest_ind(first, second, equal_var=False)
    low, high = welch.confidence_interval(confidence)
    return Interval(mean, float(low), float(high))


def _sign_sums(values: np.ndarray) -> np.ndarray:
    """All 2^n sums of +-values."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def sign_flip_p_value(
    differences: ArrayLike,
    alternative: Literal["two-sided", "greater"] = "two-sided",
) -> float:
    """P-value of the sign-flip permutation test of mean 0.

    P(|sum_i s_i d_i| >= |sum_i d_i|) over independent fair signs s, or without the
    absolute values: exact under the hypothesis that each paired difference is symmetric
    about zero. All 2^n sign patterns are counted up to n = 40, by sorting the sums of
    the two halves; beyond, 99,999 patterns are drawn.

    Args:
      differences: [n], paired differences by seed, n >= 10.
      alternative: `"two-sided"`, or `"greater"`: a mean above 0.

    Returns:
      A probability in [2^(1-n), 1]; from 2^-n for one side.

    Raises:
      ValueError: fewer than 10 differences, some that are not finite, or another
        alternative.

    Example:
      >>> sign_flip_p_value([1.0] * 10) == 2 / 2**10
      True
      >>> sign_flip_p_value([1.0] * 10, "greater") == 1 / 2**10
      True

    References:
      Fisher 1935, The Design of Experiments, section 21.
    """
    if alternative not in ("two-sided", "greater"):
        raise ValueError(
            f"alternative is {alternative!r}; it must be 'two-sided' or 'greater'"
        )
    array = checked(differences)
    if array.size < P_VALUE_FROM:
        raise ValueError(
            f"{array.size} differences are too few for a p-value: "
            f"give at least {P_VALUE_FROM}, or report the interval alone"
        )
    if array.size > EXACT_UP_TO:
        return float(
            stats.permutation_test(
                (array,),
                np.mean,
                permutation_type="samples",
                alternative=alternative,
                n_resamples=99_999,
                batch=1000,
                rng=np.random.default_rng(0),
            ).pvalue
        )
    two_sided = alternative == "two-sided"
    observed = abs(array.sum()) if two_sided else array.sum()
    # Accuracies are multiples of 1/N, so ties are the rule: they must count.
    threshold = observed - 1e-12 * np.abs(array).sum()
    left = _sign_sums(array[: array.size // 2])
    right = np.sort(_sign_sums(array[array.size // 2 :]))
    # Sums are symmetric about zero: the lower tail is as large as the upper one.
    upper = np.sum(right.size - np.searchsorted(right, threshold - left))
    return float(min(1.0, (2 if two_sided else 1) * upper / 2.0**array.size))


def holm(p_values: ArrayLike) -> list[float]:
    """P-values adjusted for making several comparisons at once (Holm).

    The i-th smallest of m is multiplied by m - i + 1, then made monotone and capped
    at 1. The family-wise error is controlled whatever the dependence.

    Args:
      p_values: [m], each in [0, 1].

    Returns:
      [m] adjusted p-values in the order given.

    Raises:
      ValueError: a value outside [0, 1].

    Example:
      >>> holm([0.01, 0.04, 0.03])
      [0.03, 0.06, 0.06]

    References:
      Holm 1979, Scandinavian Journal of Statistics 6:65.
    """
    array = np.asarray(p_values, dtype=np.float64)
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"p-values {array.tolist()} are not all in [0, 1]")
    order = np.argsort(array, kind="stable")
    factors = np.arange(array.size, 0, -1)
    adjusted = np.minimum(1.0, np.maximum.accumulate(array[order] * factors))
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result.tolist()
