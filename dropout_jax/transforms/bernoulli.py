# SPDX-License-Identifier: Apache-2.0
"""Dropout proper: multiplication by a Bernoulli mask."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import bits, contract
from dropout_jax.transforms.moments import Index, Moments, entry, multiplicative

_SCALINGS = ("train", "test")


def dropout(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    scaling: str = "train",
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Drops each element of `x` with probability `rate`.

    scaling="train": y = x * m / (1 - rate),  m ~ Bernoulli(1 - rate); test: y = x
    scaling="test":  y = x * m;                         test: y = x * (1 - rate)

    Dropping selects: NaN or Inf in a dropped slot becomes 0, in value and gradient.

    Args:
      key: typed key, shape (). Same key and shape, same mask, bit for bit that of
        `jax.random.bernoulli(key, 1 - rate, shape)`: nested in the rate, and
        unchanged where the first axis grows. Under `vmap` over a batch, or inside
        `shard_map`, one key gives every row or shard the same mask: fold the index
        in where that is not meant.
      x: any shape, floating or complex. Integers raise TypeError.
      rate: probability of dropping, in [0, 1]. A number, a traced scalar (not
        range-checked), or an array that broadcasts to `x` (rates per unit). It
        gets no gradient.
      scaling: "train" divides by 1 - rate while training (inverted dropout);
        "test" multiplies by it at test time (the classic form).
      shared_axes: axes of `x` that share one draw, as (1, 2) for whole feature maps
        of [batch, height, width, channels]. With rates per unit the draw is
        shared, the threshold is not.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`. Rate 0 returns the values of `x`
      exactly; rate 1 zeros, with zero gradient, traced or not.
      `deterministic=True` returns `x` itself ("train") or its expectation ("test").

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for a concrete rate outside [0, 1], an unknown scaling, or
        shapes or axes that do not fit.

    Example:
      >>> x = jnp.ones(8)
      >>> dropout(jax.random.key(0), x, 0.5).tolist()
      [0.0, 0.0, 2.0, 2.0, 0.0, 2.0, 2.0, 0.0]
      >>> dropout(None, x, 0.5, deterministic=True) is x
      True

    References:
      Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from
      overfitting, JMLR 15, sections 4 and 10 (their p is the probability of
      retaining a unit); Tompson et al. 2015, section 3.2 (shared feature maps).
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    rate = _check_rate(rate, x, scaling)
    if not deterministic:
        return _drop(key, jnp.asarray(x), rate, scaling, axes)
    return x if scaling == "train" else _expectation(jnp.asarray(x), rate)  # pyright: ignore[reportReturnType]


def bernoulli_mask(
    key: jax.Array, rate: ArrayLike, shape: tuple[int, ...]
) -> jax.Array:
    """Returns a mask that is True with probability `1 - rate`: True means kept.

    Bit for bit `jax.random.bernoulli(key, 1 - rate, shape)`, so anyone can check it,
    but drawn several times faster on CPU. The rate is rounded to float32 before it
    is taken from 1, so that a number and a traced value draw the same mask.

    Args:
      key: typed key, shape ().
      rate: probability of False, in [0, 1]: scalar, or broadcastable to `shape`.
      shape: shape of the mask.

    Returns:
      Boolean array of the given shape.

    Raises:
      TypeError: for a size that is no whole number.
      ValueError: for a concrete rate outside [0, 1].

    Example:
      >>> key = jax.random.key(0)
      >>> bernoulli_mask(key, 0.3, (4,)).tolist()
      [False, False, True, True]
      >>> jax.random.bernoulli(key, 0.7, (4,)).tolist()
      [False, False, True, True]
    """
    contract.check_range("rate", rate, 0.0, 1.0, "a probability in [0, 1]")
    shape = contract.sizes("shape", shape)
    return draw_mask(key, 1.0 - jnp.asarray(rate, jnp.float32), shape)


def draw_mask(
    key: jax.Array, keep_prob: jax.Array, shape: tuple[int, ...]
) -> jax.Array:
    """Returns `jax.random.bernoulli(key, keep_prob, shape)`, unchecked.

    Args:
      key: typed key, shape ().
      keep_prob: float32, scalar or broadcastable to a shape that includes `shape`.
      shape: shape of the uniforms; rates per unit may have more of each.
    """
    whole = jnp.broadcast_shapes(shape, keep_prob.shape)
    return bits.draw_once(
        key,
        keep_prob < 1.0,
        lambda: jnp.broadcast_to(bits.uniform(key, shape) < keep_prob, whole),
        True,
    )


def dropout_moments(
    x: ArrayLike,
    rate: ArrayLike,
    *,
    scaling: str = "train",
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `dropout` given `x`.

    With k = 1 - rate and g = 1/k ("train") or 1 ("test"): mean g k x, variance
    g**2 k (1-k) x**2, fourth central moment g**4 k (1-k) (1 - 3 k (1-k)) x**4, and
    covariance g_a g_b (min(k_a, k_b) - k_a k_b) x_a x_b where a draw is shared.

    Args:
      x: real input.
      rate: as for `dropout`.
      scaling: as for `dropout`.
      shared_axes: as for `dropout`.

    Returns:
      The moments of the output.

    Raises:
      ValueError: as `dropout`.

    Example:
      >>> m = dropout_moments(jnp.float32(3.0), 0.75)
      >>> float(m.mean), float(m.variance)
      (3.0, 27.0)
    """
    rate = _check_rate(rate, x, scaling)
    keep_prob = 1.0 - rate
    gain = _gain(keep_prob, scaling)
    spread = keep_prob * rate

    def cross(a: Index, b: Index) -> jax.Array:
        k_a, k_b = entry(keep_prob, x, a), entry(keep_prob, x, b)
        both = jnp.minimum(k_a, k_b) - k_a * k_b
        return entry(gain, x, a) * entry(gain, x, b) * both

    return multiplicative(
        x,
        mean=keep_prob * gain,
        variance=spread * gain**2,
        fourth=spread * (1.0 - 3.0 * spread) * gain**4,
        shared_axes=shared_axes,
        cross=cross,
    )


def _check_rate(rate: ArrayLike, x: ArrayLike, scaling: str) -> jax.Array:
    if scaling not in _SCALINGS:
        raise ValueError(f"scaling is {scaling!r}; it must be 'train' or 'test'")
    return contract.drop_rate(rate, x)


def _gain(keep_prob: jax.Array, scaling: str) -> jax.Array:
    if scaling == "test":
        return jnp.ones_like(keep_prob)
    # Divide by 1 where nothing is kept: also the branch not taken must be finite.
    return 1.0 / jnp.where(keep_prob > 0.0, keep_prob, 1.0)


@functools.partial(jax.jit, static_argnames=("scaling", "shared_axes"))
def _drop(key, x, rate, scaling, shared_axes):
    keep_prob = 1.0 - rate
    mask = draw_mask(key, keep_prob, contract.draw_shape(x.shape, shared_axes))
    dtype = contract.compute_dtype(x)
    scaled = x.astype(dtype) * _gain(keep_prob, scaling).astype(dtype)
    return jnp.where(mask, scaled, jnp.zeros((), dtype)).astype(x.dtype)


@jax.jit
def _expectation(x, rate):
    dtype = contract.compute_dtype(x)
    keep_prob = 1.0 - rate
    scaled = x.astype(dtype) * keep_prob.astype(dtype)
    return jnp.where(keep_prob > 0.0, scaled, jnp.zeros((), dtype)).astype(x.dtype)
