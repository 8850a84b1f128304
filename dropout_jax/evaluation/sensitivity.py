# SPDX-License-Identifier: Apache-2.0
"""How much a method's result depends on its knob."""

import functools
import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from dropout_jax.evaluation.statistics import Interval


def sensitivity(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Highest minus lowest mean over a knob's range, with an interval over seeds.

    The highest of several means stands above the lowest by chance alone, so that an
    interval of the two that came out so would see an effect in every knob. This one
    holds for all pairs of settings at once, hence for the two that are truly farthest
    apart (Tukey, seeds as blocks):

    range of the means +- q_{confidence; k, (k-1)(n-1)} * s / sqrt(n)

    with s^2 the mean square of what is left after the means of settings and of seeds.
    The low end is never below 0, and is 0 where no setting is shown to differ from
    another.

    Args:
      values: [k, n] with k >= 2 settings and n >= 1 seeds, the same seeds throughout.
      confidence: coverage in (0, 1); at least that, where the residuals are normal
        and spread alike.

    Returns:
      An `Interval` in the units of the values; its ends are NaN for one seed.

    Raises:
      ValueError: not a table of finite numbers with at least 2 rows.

    Example:
      >>> found = sensitivity([[90.0, 90.2, 90.1], [91.0, 91.3, 91.1]])
      >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
      (1.033, 0.89, 1.177)

    References:
      Scheffe 1959, The Analysis of Variance, sections 3.6 (T-method) and 4.2.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 1:
        raise ValueError(
            f"values have shape {array.shape}: give one row per setting, at least 2, "
            "and one column per seed"
        )
    if not np.all(np.isfinite(array)):
        raise ValueError("values hold NaN or infinity: leave out runs that diverged")
    settings, seeds = array.shape
    means = array.mean(axis=1)
    spread = float(np.ptp(means))
    if seeds == 1:
        return Interval(spread, math.nan, math.nan)
    residuals = array - means[:, None] - array.mean(axis=0) + array.mean()
    freedom = (settings - 1) * (seeds - 1)
    error = math.sqrt(float(np.sum(residuals**2)) / freedom / seeds)
    half = _quantile(confidence, settings, freedom) * error
    return Interval(spread, max(0.0, spread - half), spread + half)


@functools.cache  # a double integral, asked again for every knob of a study
def _quantile(confidence: float, settings: int, freedom: int) -> float:
    return float(stats.studentized_range.ppf(confidence, settings, freedom))
