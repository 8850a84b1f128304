# SPDX-License-Identifier: Apache-2.0
"""Rates that change while training: step -> rate, as a traced scalar.

A schedule is a pure function of the step, so that the rate it gives can be an
argument of the compiled training step: one compilation serves the whole schedule.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.arguments import whole, whole_numbers
from dropout_jax.transforms import contract

Schedule = Callable[[ArrayLike], jax.Array]


def constant(rate: float) -> Schedule:
    """Returns the schedule that is always `rate`.

    Args:
      rate: in [0, 1].

    Raises:
      ValueError: for a rate outside [0, 1].

    Example:
      >>> float(constant(0.5)(1000))
      0.5
    """
    _check_rates(rate=rate)
    return lambda step: jnp.full(jnp.shape(step), rate, jnp.float32)


def linear(first: float, last: float, steps: int) -> Schedule:
    """Returns a line from `first` at step 0 to `last` at `steps`, and `last` after.

    Args:
      first: rate at step 0, in [0, 1].
      last: rate from step `steps` on, in [0, 1].
      steps: length of the change, at least 1.

    Raises:
      ValueError: for a rate outside [0, 1], or no steps.

    Example:
      >>> [float(linear(0.0, 0.5, 10)(step)) for step in (0, 5, 10, 99)]
      [0.0, 0.25, 0.5, 0.5]

    References:
      Ghiasi, Lin, Le 2018, DropBlock, NeurIPS, section 3 (scheduled DropBlock).
    """
    _check_rates(first=first, last=last)
    whole("steps", steps, 1)

    def schedule(step: ArrayLike) -> jax.Array:
        done = jnp.clip(jnp.asarray(step, jnp.float32) / steps, 0.0, 1.0)
        return first + (last - first) * done

    return schedule


def early(rate: float, steps: int, shape: str = "linear") -> Schedule:
    """Returns early dropout: noise in the first `steps` alone, against underfitting.

    The published array of early dropout with cutoff c, whose last entry before the
    cutoff is already 0, is `early(rate, c - 1)`; its constant form `early(rate, c,
    "constant")`.

    Args:
      rate: rate at step 0, in [0, 1].
      steps: the rate is 0 from here on; at least 1.
      shape: "linear" falls from `rate` to 0; "constant" stays at `rate` until then.

    Raises:
      ValueError: for a rate outside [0, 1], no steps, or an unknown shape.

    Example:
      >>> [float(early(0.5, 10)(step)) for step in (0, 5, 10)]
      [0.5, 0.25, 0.0]

    References:
      Liu, Xu, Jin, Shen, Darrell 2023, Dropout reduces underfitting, ICML.
    """
    if shape == "linear":
        return linear(rate, 0.0, steps)
    if shape != "constant":
        raise ValueError(f"shape is {shape!r}; it must be 'linear' or 'constant'")
    _check_rates(rate=rate)
    whole("steps", steps, 1)
    return piecewise((rate, 0.0), (steps,))


def late(rate: float, start: int) -> Schedule:
    """Returns late dropout: no noise before step `start`, `rate` from it on.

    Args:
      rate: rate from `start` on, in [0, 1].
      start: first step with noise, at least 1.

    Raises:
      ValueError: for a rate outside [0, 1], or a start below 1.

    Example:
      >>> [float(late(0.5, 10)(step)) for step in (9, 10)]
      [0.0, 0.5]

    References:
      Liu et al. 2023 (late dropout, against overfitting).
    """
    _check_rates(rate=rate)
    whole("start", start, 1)
    return piecewise((0.0, rate), (start,))


def curriculum(rate: float, gamma: float) -> Schedule:
    """Returns curriculum dropout: the rate rises from 0 and saturates at `rate`.

    rate(step) = rate (1 - exp(-gamma step))

    Args:
      rate: final rate, in [0, 1].
      gamma: speed, 1 / steps, > 0; the paper takes 10 / (number of steps).

    Raises:
      ValueError: for a rate outside [0, 1], or a gamma that is not positive.

    Example:
      >>> round(float(curriculum(0.5, 0.001)(1000)), 3)
      0.316

    References:
      Morerio, Cavazza, Volpi, Vidal, Murino 2017, Curriculum dropout, ICCV,
      section 3.
    """
    return _approach(0.0, rate, gamma)


def annealed(rate: float, gamma: float) -> Schedule:
    """Returns annealed dropout: the rate falls from `rate` towards 0.

    rate(step) = rate exp(-gamma step), the mirror image of `curriculum`.

    Args:
      rate: rate at step 0, in [0, 1].
      gamma: speed, 1 / steps, > 0.

    Raises:
      ValueError: for a rate outside [0, 1], or a gamma that is not positive.

    Example:
      >>> round(float(annealed(0.5, 0.001)(1000)), 3)
      0.184

    References:
      Morerio et al. 2017 ("annealed" in their code); Rennie, Goel, Thomas 2014,
      Annealed dropout training of deep networks, SLT (a linear fall).
    """
    return _approach(rate, 0.0, gamma)


def piecewise(rates: Sequence[float], boundaries: Sequence[int]) -> Schedule:
    """Returns a staircase: `rates[i]` before `boundaries[i]`, the last one after all.

    Args:
      rates: one more than boundaries, each in [0, 1].
      boundaries: first steps of the next rate, at least 1, ascending.

    Raises:
      ValueError: for a rate outside [0, 1], or lengths or boundaries that do not fit.

    Example:
      >>> steps = piecewise((0.5, 0.2, 0.0), (10, 20))
      >>> [round(float(steps(step)), 1) for step in (9, 10, 19, 20)]
      [0.5, 0.2, 0.2, 0.0]
    """
    rates = tuple(rates)
    boundaries = whole_numbers("boundaries", boundaries)
    ascending = all(a < b for a, b in zip((0, *boundaries), boundaries, strict=False))
    if len(rates) != len(boundaries) + 1 or not ascending:
        raise ValueError(
            f"rates are {rates} and boundaries {boundaries}; there must be one rate "
            "more than boundaries, and these must ascend from at least 1"
        )
    for rate in rates:
        _check_rates(rates=rate)

    def schedule(step: ArrayLike) -> jax.Array:
        levels = jnp.asarray(rates, jnp.float32)
        edges = jnp.asarray(boundaries, jnp.float32)
        step = jnp.asarray(step, jnp.float32)
        return levels[jnp.searchsorted(edges, step, side="right")]

    return schedule


def _approach(first: float, last: float, gamma: float) -> Schedule:
    _check_rates(rate=first + last)  # one of them is 0
    contract.check_number("gamma", gamma)
    if not 0.0 < gamma < math.inf:
        raise ValueError(f"gamma is {gamma}; it must be finite and > 0, in 1 / steps")

    def schedule(step: ArrayLike) -> jax.Array:
        left = jnp.exp(-gamma * jnp.asarray(step, jnp.float32))
        return last + (first - last) * left

    return schedule


def _check_rates(**rates: float) -> None:
    for name, rate in rates.items():
        contract.check_range(name, rate, 0.0, 1.0, "a probability in [0, 1]")
