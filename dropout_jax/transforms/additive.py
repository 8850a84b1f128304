# SPDX-License-Identifier: Apache-2.0
"""Additive Gaussian noise: the variance does not follow the size of the input."""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import bits, contract
from dropout_jax.transforms.moments import Index, Moments, entry, shared


def gaussian_noise(
    key: jax.Array | None,
    x: ArrayLike,
    std: ArrayLike,
    *,
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Adds normal noise to each element of `x`.

    y = x + std * e,  e ~ N(0, 1)

    On the input of a linear model with squared loss this is ridge regression of
    strength n std**2 in expectation.

    Args:
      key: typed key, shape (); the standard normals of `gaussian_dropout`.
        Under `vmap` over a batch, or inside `shard_map`, one key gives every row
        or shard the same noise: fold the index in where that is not meant.
      x: any shape, floating or complex (the noise is real). Integers raise
        TypeError.
      std: standard deviation, >= 0: a number, a traced scalar (not range-checked),
        or an array that broadcasts to `x`. Gradients flow to it.
      shared_axes: axes of `x` that share one draw.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`; `x` itself if `deterministic`.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for a concrete negative std, or shapes or axes that do not fit.

    Example:
      >>> y = gaussian_noise(jax.random.key(0), jnp.zeros(100_000), 0.5)
      >>> abs(float(y.std()) - 0.5) < 0.01
      True

    References:
      Bishop 1995, Training with noise is equivalent to Tikhonov regularization,
      Neural Computation 7(1), section 2.
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    std = _check_std(std, x)
    if deterministic:
        return x  # pyright: ignore[reportReturnType]
    return _add(key, jnp.asarray(x), std, axes)


def gaussian_noise_moments(
    x: ArrayLike, std: ArrayLike, *, shared_axes: Sequence[int] = ()
) -> Moments:
    """Returns the moments of `gaussian_noise` given `x`.

    Mean x, variance std**2, fourth central moment 3 std**4, covariance
    std_a std_b where a draw is shared.

    Args:
      x: real input.
      std: as for `gaussian_noise`.
      shared_axes: as for `gaussian_noise`.

    Returns:
      The moments of the output.

    Example:
      >>> float(gaussian_noise_moments(jnp.float32(3.0), 0.5).variance)
      0.25
    """
    x = contract.real("x", x)
    std = _check_std(std, x).astype(x.dtype)
    axes = contract.normalise_axes(shared_axes, x.ndim)
    variance = jnp.broadcast_to(std**2, x.shape)

    def cross(a: Index, b: Index) -> jax.Array:
        return entry(std, x, a) * entry(std, x, b)

    return Moments(x, variance, 3.0 * variance**2, shared(cross, axes))


def _check_std(std, x):
    contract.check_range("std", std, 0.0, math.inf, "finite and >= 0")
    return contract.parameter("std", std, x)


@functools.partial(jax.jit, static_argnames="shared_axes")
def _add(key, x, std, shared_axes):
    dtype = contract.compute_dtype(x)
    noise = std * bits.normal(key, contract.draw_shape(x.shape, shared_axes))
    return (x.astype(dtype) + noise.astype(dtype)).astype(x.dtype)
