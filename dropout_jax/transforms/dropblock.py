# SPDX-License-Identifier: Apache-2.0
"""DropBlock: dropout of contiguous blocks of a feature map, at the rate that is asked.

Block corners ("seeds") are drawn where a whole block fits, each with probability
gamma, and every seed drops its block. An element is kept if none of the n seeds that
cover it was drawn, with probability (1 - gamma)**n, and n is smaller near the border.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import bits, contract
from dropout_jax.transforms.dropblock_rate import (
    METHODS,
    check_block,
    counts,
    covering,
    dropblock_seed_rate,
)
from dropout_jax.transforms.moments import Index, Moments

_RESCALES = ("position", "count")


def dropblock(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    block_size: int = 7,
    axes: Sequence[int] = (1, 2),
    seed_rate: str = "exact",
    rescale: str = "position",
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Drops square blocks, so that on average a share `rate` of the map vanishes.

    y = x * m / k,  m = 0 inside the blocks and 1 outside

    With rescale="position", k is the probability of being kept at that position, so
    that E[y] = x everywhere. With "count", k is the share of the whole array that
    was kept in this draw, as in the paper; E[y] is not x then, and a longer batch
    changes every row.

    Args:
      key: typed key, shape (). The seeds are bit for bit those of
        `jax.random.bernoulli`: nested in the rate, and unchanged where the first
        axis grows. Under `vmap` over a batch, or inside `shard_map`, one key gives
        every row or shard the same blocks: fold the index in where that is not
        meant.
      x: floating or complex, with at least the block axes.
      rate: expected share of dropped elements, in [0, 1]: a number, a traced scalar
        (not range-checked), or an array that broadcasts to `x` and is constant over
        the map. It gets no gradient.
      block_size: side of a block in elements, at most the smallest side of the map.
      axes: axes of the map: (1, 2) for [batch, height, width, channels], (1,) for
        signals, (1, 2, 3) for volumes.
      seed_rate: "exact" solves for the gamma whose mean rate is `rate`; "paper" is
        the formula of the paper, whose realised rate is lower.
      rescale: "position" or "count".
      shared_axes: other axes that share one draw: (-1,) drops the same blocks in all
        channels.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`; `x` itself if `deterministic`. Rate 0
      returns the values of `x` exactly; rate 1 zeros ("exact").

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for a concrete rate outside [0, 1] or one that varies over the map,
        a block that does not fit, an unknown option, or axes that do not fit.

    Example:
      >>> x = jnp.ones((1, 4, 4, 1))
      >>> y = dropblock(jax.random.key(3), x, 0.3, block_size=2)
      >>> (y[0, ..., 0] > 0).astype(int).tolist()
      [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]

    References:
      Ghiasi, Lin, Le 2018, DropBlock: a regularization method for convolutional
      networks, NeurIPS, section 3 and equation 1.
    """
    shared = contract.check_call(key, x, shared_axes, deterministic)
    axes, rate = _check(x, rate, block_size, axes, seed_rate, rescale, shared)
    if deterministic:
        return x  # pyright: ignore[reportReturnType]
    static = (block_size, axes, seed_rate, rescale, shared)
    return _drop(key, jnp.asarray(x), rate, *static)


def dropblock_moments(
    x: ArrayLike,
    rate: ArrayLike,
    *,
    block_size: int = 7,
    axes: Sequence[int] = (1, 2),
    seed_rate: str = "exact",
    rescale: str = "position",
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `dropblock` given `x`, for rescale="position".

    With k = (1 - gamma)**n: mean x, variance (1 / k - 1) x**2, fourth central moment
    (1 - 3 k (1 - k)) (1 - k) / k**3 x**4, and covariance
    ((1 - gamma)**-n_ab - 1) x_a x_b, n_ab blocks covering both elements.

    Args:
      x: real input.
      rate: as for `dropblock`, below 1.
      block_size: as for `dropblock`.
      axes: as for `dropblock`.
      seed_rate: as for `dropblock`.
      rescale: "position"; for "count" no closed form is known.
      shared_axes: as for `dropblock`.

    Returns:
      The moments of the output.

    Raises:
      ValueError: as `dropblock`, and for rescale="count".

    Example:
      >>> m = dropblock_moments(jnp.ones((1, 2, 2)), 0.75, block_size=2)
      >>> float(m.covariance((0, 0, 0), (0, 1, 1)))
      3.0
    """
    x = contract.real("x", x)
    shared = contract.normalise_axes(shared_axes, x.ndim)
    axes, rate = _check(x, rate, block_size, axes, seed_rate, rescale, shared)
    if rescale != "position":
        raise ValueError(
            f"rescale is {rescale!r}; moments are known for 'position' alone"
        )
    sides = tuple(x.shape[axis] for axis in axes)
    gamma = dropblock_seed_rate(rate, sides, block_size, seed_rate)
    k = _keep_prob(gamma, x.shape, axes, block_size).astype(x.dtype)
    log_miss = jnp.log1p(-jnp.broadcast_to(gamma, x.shape)).astype(x.dtype)

    def covariance(a: Index, b: Index) -> jax.Array:
        free = set(range(x.ndim)) - set(axes) - set(shared)
        if any(a[axis] != b[axis] for axis in free):
            return jnp.zeros((), x.dtype)
        common = math.prod(
            covering(side, block_size, a[axis], b[axis])
            for axis, side in zip(axes, sides, strict=True)
        )
        # With rates per unit a common seed is counted twice at the lower gamma.
        rarer = jnp.maximum(log_miss[a], log_miss[b])
        return x[a] * x[b] * jnp.expm1(-common * rarer)

    return Moments(
        mean=x * jnp.ones_like(k),
        variance=x**2 * (1.0 / k - 1.0),
        fourth=x**4 * (1.0 - k) * (1.0 - 3.0 * k * (1.0 - k)) / k**3,
        covariance=covariance,
    )


def _check(x, rate, block_size, axes, seed_rate, rescale, shared):
    """Returns the map's axes, normalised, and the rate as a parameter of `x`."""
    if seed_rate not in METHODS:
        raise ValueError(f"seed_rate is {seed_rate!r}; it must be 'exact' or 'paper'")
    if rescale not in _RESCALES:
        raise ValueError(f"rescale is {rescale!r}; it must be 'position' or 'count'")
    rate = contract.drop_rate(rate, x)
    axes = contract.normalise_axes(axes, jnp.ndim(x), "axes")
    if not axes or set(axes) & set(shared):
        raise ValueError(
            f"axes is {axes} and shared_axes {shared}; a map needs at least one axis, "
            "and none of them can be shared"
        )
    check_block(block_size, tuple(jnp.shape(x)[axis] for axis in axes))
    if rate.ndim and any(rate.shape[axis] != 1 for axis in axes):
        raise ValueError(
            f"rate has shape {rate.shape}; it must be the same all over a map, so have "
            f"size 1 along axes {axes}"
        )
    return axes, rate


def _keep_prob(gamma, shape, axes, block):
    """Returns (1 - gamma)**n, broadcastable to `shape`."""
    n = counts(tuple(shape[axis] for axis in axes), block)
    n = n.reshape([side if i in axes else 1 for i, side in enumerate(shape)])
    gamma = gamma.reshape((1,) * (len(shape) - gamma.ndim) + gamma.shape)
    return jnp.exp(jnp.asarray(n, jnp.float32) * jnp.log1p(-gamma))


@functools.partial(jax.jit, static_argnums=(3, 4, 5, 6, 7))
def _drop(key, x, rate, block, axes, seed_rate, rescale, shared):
    sides = tuple(x.shape[axis] for axis in axes)
    gamma = dropblock_seed_rate(rate, sides, block, seed_rate)
    shape = list(contract.draw_shape(x.shape, shared))
    for axis in axes:
        shape[axis] -= block - 1
    kept = ~_spread(bits.uniform(key, tuple(shape)) < gamma, axes, block)
    if rescale == "position":
        keep_prob = _keep_prob(gamma, x.shape, axes, block)
    else:
        keep_prob = jnp.mean(kept, dtype=jnp.float32)
    dtype = contract.compute_dtype(x)
    gain = 1.0 / jnp.where(keep_prob > 0.0, keep_prob, 1.0)
    scaled = x.astype(dtype) * gain.astype(dtype)
    return jnp.where(kept, scaled, jnp.zeros((), dtype)).astype(x.dtype)


def _spread(seeds, axes, block):
    """Returns where blocks lie whose first corners are `seeds`."""
    for axis in axes:
        side = seeds.shape[axis]
        padding = [(0, 0)] * seeds.ndim
        padding[axis] = (block - 1, block - 1)
        padded = jnp.pad(seeds, padding)
        shifted = (
            jax.lax.slice_in_dim(padded, start, start + side + block - 1, axis=axis)
            for start in range(block)
        )
        seeds = functools.reduce(jnp.logical_or, shifted)
    return seeds
