# SPDX-License-Identifier: Apache-2.0
"""Log-normal dropout: multiplicative noise of mean 1 that is always positive."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import bits, contract
from dropout_jax.transforms.gaussian import (
    RATE_RANGE,
    scale,
    variance_of,
)
from dropout_jax.transforms.moments import Index, Moments, entry, multiplicative


def lognormal_dropout(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Multiplies each element of `x` by log-normal noise.

    y = x * exp(s e - s**2 / 2),  e ~ N(0, 1),  s**2 = -log(1 - rate)

    The factor has mean 1 and the variance exp(s**2) - 1 = rate / (1 - rate) of
    `dropout` at the same rate; no sign ever changes. For a wanted s the rate is
    1 - exp(-s**2).

    Args:
      key: typed key, shape (); the standard normals of `gaussian_dropout`.
        Under `vmap` over a batch, or inside `shard_map`, one key gives every row
        or shard the same noise: fold the index in where that is not meant.
      x: any shape, floating or complex. Integers raise TypeError.
      rate: rate of the `dropout` of equal variance, in [0, 1): a number, a traced
        scalar (not range-checked; 1 gives values that are not finite), or an array
        that broadcasts to `x`. It gets no gradient.
      shared_axes: axes of `x` that share one draw.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`; rate 0 returns the values of `x`.
      `x` itself if `deterministic`.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for a concrete rate outside [0, 1), or shapes or axes that do not
        fit.

    Example:
      >>> y = lognormal_dropout(jax.random.key(0), jnp.ones(1000), 0.5)
      >>> bool((y > 0).all())
      True

    References:
      Achille, Soatto 2018, Information dropout, IEEE TPAMI 40(12)
      (log-normal noise on ReLU units); here with the mean fixed at 1.
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    rate = _check_rate(rate, x)
    if deterministic:
        return x  # pyright: ignore[reportReturnType]
    return _multiply(key, jnp.asarray(x), rate, axes)


def lognormal_dropout_moments(
    x: ArrayLike, rate: ArrayLike, *, shared_axes: Sequence[int] = ()
) -> Moments:
    """Returns the moments of `lognormal_dropout` given `x`.

    With w = exp(s**2) = 1 / (1 - rate): mean x, variance (w - 1) x**2, fourth
    central moment (w**6 - 4 w**3 + 6 w - 3) x**4, and covariance
    (exp(s_a s_b) - 1) x_a x_b where a draw is shared.

    Args:
      x: real input.
      rate: as for `lognormal_dropout`.
      shared_axes: as for `lognormal_dropout`.

    Returns:
      The moments of the output.

    Example:
      >>> m = lognormal_dropout_moments(jnp.float32(2.0), 0.5)
      >>> float(m.mean), float(m.variance)
      (2.0, 4.0)
    """
    rate = _check_rate(rate, x)
    alpha = variance_of(rate)

    def cross(a: Index, b: Index) -> jax.Array:
        logs = jnp.log1p(-entry(rate, x, a)) * jnp.log1p(-entry(rate, x, b))
        return jnp.expm1(jnp.sqrt(logs))

    return multiplicative(
        x,
        mean=jnp.float32(1.0),
        variance=alpha,
        # The polynomial in w, written in alpha = w - 1, so that small ones keep digits.
        fourth=alpha**2 * (3 + alpha * (16 + alpha * (15 + alpha * (6 + alpha)))),
        shared_axes=shared_axes,
        cross=cross,
    )


def _check_rate(rate, x):
    contract.check_range("rate", rate, 0.0, contract.BELOW_ONE, RATE_RANGE)
    return jax.lax.stop_gradient(contract.parameter("rate", rate, x))


@functools.partial(jax.jit, static_argnames="shared_axes")
def _multiply(key, x, rate, shared_axes):
    drawn = bits.normal(key, contract.draw_shape(x.shape, shared_axes))
    variance = -jnp.log1p(-rate)
    factor = jnp.exp(jnp.sqrt(variance) * drawn - 0.5 * variance)
    # At a traced rate of 1 half of the factors would be a finite 0.
    return scale(x, jnp.where(rate < 1.0, factor, jnp.nan))
