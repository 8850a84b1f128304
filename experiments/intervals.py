# SPDX-License-Identifier: Apache-2.0
"""Means with their 95 % intervals or standard errors, as experiments use them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from dropout_jax.evaluation.statistics import Interval, mean_interval
from dropout_jax.reports.numbers import bracketed, plain
from dropout_jax.reports.palette import COLOURS, MARKS


def shown(values: Sequence[float], digits: int = 2) -> str:
    """Returns the mean of some seeds with its interval.

    Example:
      >>> shown([90.0, 91.0, 92.0])
      '91.00 [88.52, 93.48]'
    """
    return bracketed(mean_interval(values), functools.partial(plain, digits=digits))


def sigmas(values: ArrayLike, expected: ArrayLike = 0.0) -> np.ndarray:
    """Returns how far means are from what was expected, in their standard errors.

    Args:
      values: independent ones along the first axis, [n, ...] with n >= 2.
      expected: broadcastable to the mean.

    Returns:
      An array [...]; positive where the mean is larger.

    Example:
      >>> round(float(sigmas([1.0, 2.0, 3.0], 1.0)), 3)
      1.732
    """
    array = np.asarray(values, np.float64)
    error = array.std(0, ddof=1) / np.sqrt(len(array))
    return (array.mean(0) - np.asarray(expected, np.float64)) / error


def curve(
    axes: Axes,
    x: Sequence[float],
    values: Sequence[Sequence[float]],
    n: int,
    **look: Any,
) -> None:
    """Draws a line through the means, and their intervals as a band.

    Args:
      axes: where.
      x: one number for each point.
      values: the seeds of each point.
      n: which colour and mark.
      look: further options of `plot`.
    """
    found = [mean_interval(of_one) for of_one in values]
    look = {"color": COLOURS[n], "marker": MARKS[n][0], "markersize": 3.5, **look}
    axes.plot(x, [one.mean for one in found], **look)
    low, high = [one.low for one in found], [one.high for one in found]
    axes.fill_between(x, low, high, color=COLOURS[n], alpha=0.2, linewidth=0)


def bars(
    axes: Axes,
    places: Sequence[float],
    found: Sequence[Interval],
    n: int,
    *,
    across: bool = False,
    **look: Any,
) -> None:
    """Draws means as marks with their intervals as bars.

    Args:
      axes: where.
      places: of the marks, along the other axis.
      found: the intervals.
      n: which colour and mark.
      across: whether the numbers run along the x axis.
      look: further options of `errorbar`.
    """
    means = [one.mean for one in found]
    ends = [
        [one.mean - one.low for one in found],
        [one.high - one.mean for one in found],
    ]
    look = {"color": COLOURS[n], "fmt": MARKS[n][0], "capsize": 3, **look}
    if across:
        axes.errorbar(means, places, xerr=ends, **look)
    else:
        axes.errorbar(places, means, yerr=ends, **look)
