# SPDX-License-Identifier: Apache-2.0
"""Analytic moments of a transform's output, given its input."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms.contract import normalise_axes, real

Index = tuple[int, ...]


class Moments(NamedTuple):
    """Moments of `y` given `x`, in float32, or in float64 where `x` is.

    Attributes:
      mean: E[y], shape of y.
      variance: E[(y - E[y])**2], shape of y.
      fourth: fourth central moment, E[(y - E[y])**4], shape of y.
      covariance: None where all elements are independent; otherwise a function of
        two indices into y that returns Cov(y[a], y[b]), 0 where the two elements
        share no draw.
    """

    mean: jax.Array
    variance: jax.Array
    fourth: jax.Array
    covariance: Callable[[Index, Index], jax.Array] | None = None


def multiplicative(
    x: ArrayLike,
    mean: jax.Array,
    variance: jax.Array,
    fourth: jax.Array,
    shared_axes: Sequence[int],
    cross: Callable[[Index, Index], jax.Array],
) -> Moments:
    """Returns the moments of `y = x * m`, given those of the factor `m`.

    Args:
      x: real input, any shape; half precision is computed with in float32.
      mean: E[m], broadcastable to x.
      variance: Var[m], broadcastable to x.
      fourth: fourth central moment of m, broadcastable to x.
      shared_axes: axes of `x` along which the draw behind m is shared.
      cross: Cov(m[a], m[b]) of two elements that share their draw.

    Returns:
      The moments of y given x.

    Raises:
      TypeError: for integer or complex `x`.
    """
    x = real("x", x)
    axes = normalise_axes(shared_axes, x.ndim)

    def covariance(a: Index, b: Index) -> jax.Array:
        return x[a] * x[b] * cross(a, b).astype(x.dtype)

    return Moments(
        mean=x * mean.astype(x.dtype),
        variance=x**2 * variance.astype(x.dtype),
        fourth=x**4 * fourth.astype(x.dtype),
        covariance=shared(covariance, axes),
    )


def shared(
    covariance: Callable[[Index, Index], jax.Array], axes: tuple[int, ...]
) -> Callable[[Index, Index], jax.Array] | None:
    """Returns `Moments.covariance` where draws are shared along `axes`.

    Args:
      covariance: of two elements that share their draw.
      axes: normalised axes along which draws are shared.

    Returns:
      None if there are none; otherwise the function that is 0 where the two elements
      differ along any other axis.
    """

    def anywhere(a: Index, b: Index) -> jax.Array:
        shares = all(i in axes or a[i] == b[i] for i in range(len(a)))
        return covariance(a, b) if shares else jnp.zeros(())

    return anywhere if axes else None


def entry(parameter: jax.Array, x: ArrayLike, index: Index) -> jax.Array:
    """Returns the value that a broadcastable `parameter` has at `x[index]`."""
    return jnp.broadcast_to(parameter, jnp.shape(x))[index]
