# SPDX-License-Identifier: Apache-2.0
"""Gaussian dropout: multiplication by normal noise of mean 1."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import bits, contract
from dropout_jax.transforms.moments import Index, Moments, entry, multiplicative

RATE_RANGE = "in [0, 1), because alpha = rate / (1 - rate) is infinite at 1"


def alpha_from_rate(rate: ArrayLike) -> jax.Array:
    """Returns `rate / (1 - rate)`, the noise variance that matches `dropout`.

    Args:
      rate: probability of dropping, in [0, 1]; 1 gives infinity.

    Returns:
      float32 array of the shape of `rate`.

    Raises:
      ValueError: for a concrete rate outside [0, 1].

    Example:
      >>> float(alpha_from_rate(0.75))
      3.0
    """
    contract.check_range("rate", rate, 0.0, 1.0, "a probability in [0, 1]")
    return variance_of(jnp.asarray(rate, jnp.float32))


def variance_of(rate: jax.Array) -> jax.Array:
    """Returns `rate / (1 - rate)` for a rate that has been checked."""
    return rate / (1.0 - rate)


def rate_from_alpha(alpha: ArrayLike) -> jax.Array:
    """Returns `alpha / (1 + alpha)`, the rate at which `dropout` has this variance.

    Args:
      alpha: variance of multiplicative noise of mean 1, in [0, inf).

    Returns:
      float32 array of the shape of `alpha`.

    Raises:
      ValueError: for a concrete alpha that is negative or not finite.

    Example:
      >>> float(rate_from_alpha(3.0))
      0.75
    """
    contract.check_range("alpha", alpha, 0.0, math.inf, "finite and >= 0")
    alpha = jnp.asarray(alpha, jnp.float32)
    return alpha / (1.0 + alpha)


def gaussian_dropout(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike | None = None,
    *,
    mean: ArrayLike = 1.0,
    std: ArrayLike | None = None,
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Multiplies each element of `x` by normal noise.

    With `rate`: y = x * n,  n ~ N(1, alpha),  alpha = rate / (1 - rate)
    With `std`:  y = x * n,  n ~ N(mean, std**2)

    The variance alpha is that of `dropout` at the same rate; nothing is dropped.

    Args:
      key: typed key, shape (). The same standard normals for every rate:
        `jax.random.normal(key, shape)`, unchanged where the first axis grows. Under
        `vmap` over a batch, or inside `shard_map`, one key gives every row or shard
        the same noise: fold the index in where that is not meant.
      x: any shape, floating or complex. Integers raise TypeError.
      rate: probability in [0, 1): a number, a traced scalar (not range-checked; 1
        gives values that are not finite), or an array that broadcasts to `x`. It
        gets no gradient.
      mean: mean of the noise, only together with `std`. Gradients flow to both.
      std: standard deviation of the noise, >= 0, instead of `rate`.
      shared_axes: axes of `x` that share one draw. With values per unit the draw
        is shared, the scale is not.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`. Rate 0 returns the values of `x`.
      `deterministic=True` returns `x` itself where the mean is the number 1, and
      mean * x otherwise.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for a concrete rate outside [0, 1), for both or neither of `rate`
        and `std`, for a mean without std, or shapes or axes that do not fit.

    Example:
      >>> x = jnp.ones(3, jnp.bfloat16)
      >>> y = gaussian_dropout(jax.random.key(0), x, 0.5)
      >>> y.dtype, y.shape
      (dtype(bfloat16), (3,))

    References:
      Srivastava et al. 2014, JMLR 15, section 10 (multiplicative Gaussian noise;
      their p is the probability of retaining a unit).
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    centre, alpha, spread = _noise(x, rate, mean, std)
    if not deterministic:
        acts = jnp.bool_(True)  # a std has a gradient, the draw's, also where it is 0
        if std is None:
            spread, acts = jnp.sqrt(alpha), alpha != 0.0
        return multiply_normal(key, jnp.asarray(x), centre, spread, acts, axes)
    if isinstance(mean, int | float) and mean == 1:
        return x  # pyright: ignore[reportReturnType]
    return scale(jnp.asarray(x), centre)


def gaussian_dropout_moments(
    x: ArrayLike,
    rate: ArrayLike | None = None,
    *,
    mean: ArrayLike = 1.0,
    std: ArrayLike | None = None,
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `gaussian_dropout` given `x`.

    Mean: mean * x; variance std**2 x**2; fourth central moment 3 std**4 x**4;
    covariance std_a std_b x_a x_b where a draw is shared.

    Args:
      x: real input.
      rate: as for `gaussian_dropout`.
      mean: as for `gaussian_dropout`.
      std: as for `gaussian_dropout`.
      shared_axes: as for `gaussian_dropout`.

    Returns:
      The moments of the output.

    Raises:
      ValueError: as `gaussian_dropout`.

    Example:
      >>> m = gaussian_dropout_moments(jnp.float32(3.0), mean=0.5, std=0.5)
      >>> float(m.mean), float(m.variance)
      (1.5, 2.25)
    """
    centre, alpha, spread = _noise(x, rate, mean, std)
    variance = alpha if std is None else spread**2
    return normal_moments(x, centre, variance, shared_axes)


def normal_moments(
    x: ArrayLike, mean: jax.Array, variance: jax.Array, shared_axes: Sequence[int]
) -> Moments:
    """Returns the moments of `x * n`, n ~ N(mean, variance)."""

    def cross(a: Index, b: Index) -> jax.Array:
        return jnp.sqrt(entry(variance, x, a) * entry(variance, x, b))

    return multiplicative(x, mean, variance, 3.0 * variance**2, shared_axes, cross)


@functools.partial(jax.jit, static_argnames="shared_axes")
def multiply_normal(key, x, mean, std, acts, shared_axes):
    """Returns `x * n`, n ~ N(mean, std**2), one draw along each shared axis.

    Where `acts` is False everywhere nothing is drawn: the std has no gradient there.
    """
    shape = contract.draw_shape(x.shape, shared_axes)
    drawn = bits.draw_once(key, acts, lambda: bits.normal(key, shape), 0.0)
    return scale(x, mean + std * drawn)


@jax.jit
def scale(x, factor):
    """Returns `x * factor` in the dtype of `x`, computed in float32 or wider."""
    dtype = contract.compute_dtype(x)
    return (x.astype(dtype) * factor.astype(dtype)).astype(x.dtype)


def _noise(x, rate, mean, std) -> tuple[jax.Array, Any, Any]:
    """Mean, alpha and std, checked: alpha is None with a std, std with a rate."""
    if (rate is None) == (std is None):
        raise ValueError(
            f"rate is {rate} and std is {std}; give one of them: the rate of an equal "
            "dropout, or the standard deviation of the noise"
        )
    if std is not None:
        contract.check_range("std", std, 0.0, math.inf, "finite and >= 0")
        mean = contract.parameter("mean", mean, x)
        return mean, None, contract.parameter("std", std, x)
    if not (isinstance(mean, int | float) and mean == 1):
        raise ValueError(f"mean is {mean}; with a rate the mean is 1: give std instead")
    contract.check_range("rate", rate, 0.0, contract.BELOW_ONE, RATE_RANGE)
    alpha = variance_of(jax.lax.stop_gradient(contract.parameter("rate", rate, x)))
    return jnp.float32(1.0), alpha, None
