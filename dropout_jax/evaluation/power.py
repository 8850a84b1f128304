# SPDX-License-Identifier: Apache-2.0
"""Power of a paired comparison: for planning, and what a study could have missed.

Everything is about the paired t test of two methods on the same seeds, two-sided.
`deviation` is the standard deviation of the paired differences, in the units of the
difference: what the seeds do not share. None of it says anything of a difference that
was found: a number of seeds computed from that is a p-value in other words.
"""

import functools
import itertools
import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from dropout_jax.arguments import whole
from dropout_jax.evaluation.statistics import P_VALUE_FROM, Interval, checked

POWER = 0.8
ALPHA = 0.05
_MOST = 10**9
_SIMULATED_UP_TO = 12
_DRAWS = 2000
_NODES, _WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(400))
_NODES = _NODES + 0.5  # on (0, 1)


def paired_power(effect: float, pairs: int, alpha: float = ALPHA) -> float:
    """Probability that the two-sided paired t test sees a difference.

    P(|T| > t_{n-1, 1 - alpha/2}),  T noncentral t with effect * sqrt(n)

    Args:
      effect: true mean difference over the deviation, at least 0.
      pairs: n, at least 2.
      alpha: probability of seeing a difference where there is none, in (0, 1).

    Returns:
      A probability in [alpha, 1].

    Raises:
      ValueError: an argument out of its range.

    Example:
      >>> round(paired_power(0.5, 34), 3), round(paired_power(0.0, 34), 3)
      (0.808, 0.05)

    References:
      Cohen 1988, Statistical Power Analysis, section 2.3.4 (matched pairs).
    """
    pairs = whole("pairs", pairs)
    if not (effect >= 0 and pairs >= 2 and 0 < alpha < 1):
        raise ValueError(
            f"effect {effect}, pairs {pairs}, alpha {alpha}: expected an effect of at "
            "least 0, 2 pairs or more, and alpha in (0, 1)"
        )
    bound = stats.t.ppf(1 - alpha / 2, pairs - 1)
    # The law of T given the sample's own deviation is normal: average over that.
    # SciPy's noncentral t is NaN here and there: nctdtr(1, 8 * 2**0.5, -12.706).
    scale = np.sqrt(stats.chi2.ppf(_NODES, pairs - 1) / (pairs - 1))
    shift = effect * math.sqrt(pairs)
    seen = special.ndtr(shift - bound * scale) + special.ndtr(-shift - bound * scale)
    return float(np.clip(_WEIGHTS @ seen, 0.0, 1.0))


def seeds_needed(
    difference: float, deviation: float, *, power: float = POWER, alpha: float = ALPHA
) -> int:
    """Smallest number of paired seeds that detects a given difference, for planning.

    Args:
      difference: true mean difference worth detecting, set before a study, not 0; its
        sign is of no account.
      deviation: standard deviation of the paired differences, same units, at least 0.
      power: probability of detecting it, in (alpha, 1).
      alpha: probability of a false alarm where there is no difference.

    Returns:
      At least 2, at most 10^9.

    Raises:
      ValueError: no difference, or an argument out of its range.

    Example:
      >>> seeds_needed(0.5, 1.0), seeds_needed(0.2, 0.1)
      (34, 5)

    References:
      Cohen 1988, Statistical Power Analysis, section 2.4.1.
    """
    if not (difference != 0 and math.isfinite(difference) and deviation >= 0):
        raise ValueError(
            f"difference {difference}, deviation {deviation}: give a difference other "
            "than 0 and a deviation of at least 0"
        )
    _check_power(power, alpha)
    if deviation == 0:
        return 2
    effect = abs(difference) / deviation
    high = 2
    while paired_power(effect, high, alpha) < power:
        if high >= _MOST:
            return _MOST
        high *= 2
    low = high // 2  # not enough, or below 2
    while high - low > 1:
        middle = (low + high) // 2
        if middle >= 2 and paired_power(effect, middle, alpha) >= power:
            high = middle
        else:
            low = middle
    return high


def minimum_detectable_effect(
    deviation: float, pairs: int, *, power: float = POWER, alpha: float = ALPHA
) -> float:
    """Smallest true difference that the sign-flip test detects with a given power.

    For normal differences, by simulation with a fixed generator up to 12 pairs, where
    the test is coarser than the t test, and by the t test beyond.

    Args:
      deviation: standard deviation of the paired differences, at least 0.
      pairs: n, at least 10.
      power: probability of detecting it, in (alpha, 1).
      alpha: probability of a false alarm where there is no difference.

    Returns:
      A difference in the units of the deviation; infinite where the least p-value of
      so many pairs, 2^(1-n), is above alpha: nothing can be detected.

    Raises:
      ValueError: an argument out of its range.

    Example:
      >>> round(minimum_detectable_effect(1.0, 10), 1)
      1.0
      >>> minimum_detectable_effect(1.0, 10, alpha=0.001)
      inf
    """
    _check_power(power, alpha)
    pairs = whole("pairs", pairs)
    if pairs < P_VALUE_FROM:
        raise ValueError(f"{pairs} pairs are not tested: give {P_VALUE_FROM} or more")
    if 2.0 ** (1 - pairs) > alpha:
        return math.inf
    return deviation * _detected(pairs, power, alpha)


@functools.cache  # of few arguments, and asked for every row of a table
def _detected(pairs: int, power: float, alpha: float) -> float:
    """The effect in deviations that is detected."""
    if pairs > _SIMULATED_UP_TO:
        top = 1.0
        while paired_power(top, pairs, alpha) < power:
            top *= 2
        found = optimize.root_scalar(
            lambda e: paired_power(e, pairs, alpha) - power, bracket=(0.0, top)
        )
        return float(found.root)
    draws = np.random.default_rng(0).standard_normal((_DRAWS, pairs))
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=pairs - 1)))
    signs = np.concatenate([np.ones((len(signs), 1)), signs], axis=1)  # up to a sign
    # The most extreme sums that a p-value of at most alpha allows.
    extreme = math.floor(alpha * len(signs))

    def seen(effect: float) -> float:
        sums = np.abs((draws + effect) @ signs.T)
        above = (sums >= sums[:, :1] * (1 - 1e-12)).sum(axis=1)  # the first: all plus
        return float(np.mean(above <= extreme)) - power

    found = optimize.root_scalar(seen, bracket=(0.0, 16.0), method="bisect", xtol=0.005)
    return float(found.root)


def deviation(differences: ArrayLike, confidence: float = 0.95) -> Interval:
    """Standard deviation of paired differences with its chi-square interval.

    Args:
      differences: [n], n >= 2, by seed.
      confidence: coverage in (0, 1), where the differences are normal.

    Returns:
      An `Interval` whose `mean` is the deviation, divisor n - 1.

    Raises:
      ValueError: fewer than 2 differences, or some that are not finite.

    Example:
      >>> found = deviation([1.0, 2.0, 3.0])
      >>> found.mean, round(found.low, 3), round(found.high, 3)
      (1.0, 0.521, 6.285)
    """
    array = checked(differences)
    if array.size < 2:
        raise ValueError("one difference has no deviation: give at least 2")
    found, freedom = float(array.std(ddof=1)), array.size - 1
    low, high = stats.chi2.interval(confidence, freedom)
    return Interval(
        found, found * math.sqrt(freedom / high), found * math.sqrt(freedom / low)
    )


def _check_power(power: float, alpha: float) -> None:
    if not 0 < alpha < power < 1:
        raise ValueError(
            f"power {power}, alpha {alpha}: expected 0 < alpha < power < 1"
        )
