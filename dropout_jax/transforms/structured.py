# SPDX-License-Identifier: Apache-2.0
"""Dropout of whole channels and of whole samples: one draw for many elements."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.arguments import whole
from dropout_jax.transforms import contract
from dropout_jax.transforms.bernoulli import dropout, dropout_moments
from dropout_jax.transforms.moments import Moments


def spatial_dropout(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    batch_axis: int = 0,
    channel_axis: int = -1,
    scaling: str = "train",
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Drops whole feature maps: one draw per sample and channel.

    y[n, ..., c] = x[n, ..., c] * m[n, c] / (1 - rate),  m ~ Bernoulli(1 - rate)

    The same function for signals [batch, time, channels], images [batch, height,
    width, channels] and volumes: all axes but two share their draw.

    Args:
      key: as for `dropout`, whose masks these are.
      x: at least two axes, floating or complex.
      rate: probability of dropping a map, in [0, 1]; as for `dropout`.
      batch_axis: axis of the samples.
      channel_axis: axis of the channels; 1 for [batch, channels, height, width].
      scaling: as for `dropout`.
      shared_axes: further axes that share one draw, e.g. (0,) for one per batch.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`; as `dropout` if `deterministic`.

    Raises:
      TypeError: as `dropout`.
      ValueError: as `dropout`; for axes that do not exist or are the same.

    Example:
      >>> x = jnp.ones((1, 2, 2, 3))
      >>> y = spatial_dropout(jax.random.key(1), x, 0.5)
      >>> y.sum((1, 2)).tolist()
      [[8.0, 0.0, 8.0]]

    References:
      Tompson et al. 2015, Efficient object localization using convolutional
      networks, CVPR, section 3.2.
    """
    kept = {"batch_axis": batch_axis, "channel_axis": channel_axis}
    axes = _all_but(x, shared_axes, **kept)
    return dropout(
        key, x, rate, scaling=scaling, shared_axes=axes, deterministic=deterministic
    )


def spatial_dropout_moments(
    x: ArrayLike,
    rate: ArrayLike,
    *,
    batch_axis: int = 0,
    channel_axis: int = -1,
    scaling: str = "train",
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `spatial_dropout` given `x`.

    Those of `dropout`; within a map, covariance rate / (1 - rate) x_a x_b.

    Args:
      x: real input.
      rate: as for `spatial_dropout`.
      batch_axis: as for `spatial_dropout`.
      channel_axis: as for `spatial_dropout`.
      scaling: as for `dropout`.
      shared_axes: as for `spatial_dropout`.

    Returns:
      The moments of the output.

    Example:
      >>> m = spatial_dropout_moments(jnp.ones((1, 2, 3)), 0.75)
      >>> float(m.covariance((0, 0, 0), (0, 1, 0)))
      3.0
    """
    kept = {"batch_axis": batch_axis, "channel_axis": channel_axis}
    axes = _all_but(x, shared_axes, **kept)
    return dropout_moments(x, rate, scaling=scaling, shared_axes=axes)


def drop_path(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    batch_axis: int = 0,
    scaling: str = "train",
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Drops the whole of a sample: stochastic depth of a residual branch.

    y[n] = x[n] * m[n] / (1 - rate),  m ~ Bernoulli(1 - rate)

    Put on the branch f of `h + drop_path(key, f(h), rate)`, so that a block is
    skipped. The paper multiplies by 1 - rate at test time (scaling="test"); dividing by
    it while training leaves nothing to do at test time. Some code calls this drop
    connect, which it is not.

    Args:
      key: as for `dropout`, whose masks these are.
      x: output of the branch, at least one axis, floating or complex.
      rate: probability of dropping a sample, in [0, 1]; as for `dropout`.
      batch_axis: axis of the samples.
      scaling: as for `dropout`; "test" is the paper's.
      shared_axes: (batch_axis,) for one draw for the whole batch, as in the paper.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`; as `dropout` if `deterministic`.

    Raises:
      TypeError: as `dropout`.
      ValueError: as `dropout`; for an axis that does not exist.

    Example:
      >>> drop_path(jax.random.key(0), jnp.ones((4, 2)), 0.5).tolist()
      [[0.0, 0.0], [0.0, 0.0], [2.0, 2.0], [2.0, 2.0]]

    References:
      Huang, Sun, Liu, Sedra, Weinberger 2016, Deep networks with stochastic depth,
      ECCV, section 3 (one draw per batch, unscaled).
    """
    axes = _all_but(x, shared_axes, batch_axis=batch_axis)
    return dropout(
        key, x, rate, scaling=scaling, shared_axes=axes, deterministic=deterministic
    )


def drop_path_moments(
    x: ArrayLike,
    rate: ArrayLike,
    *,
    batch_axis: int = 0,
    scaling: str = "train",
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `drop_path` given `x`.

    Those of `dropout`; within a sample, covariance rate / (1 - rate) x_a x_b.

    Args:
      x: real input.
      rate: as for `drop_path`.
      batch_axis: as for `drop_path`.
      scaling: as for `dropout`.
      shared_axes: as for `drop_path`.

    Returns:
      The moments of the output.

    Example:
      >>> m = drop_path_moments(jnp.ones((2, 3)), 0.5)
      >>> float(m.covariance((0, 0), (0, 2))), float(m.covariance((0, 0), (1, 0)))
      (1.0, 0.0)
    """
    axes = _all_but(x, shared_axes, batch_axis=batch_axis)
    return dropout_moments(x, rate, scaling=scaling, shared_axes=axes)


def linear_depth_rates(max_rate: ArrayLike, depth: int) -> jax.Array:
    """Returns the rates of `depth` residual blocks, growing linearly to `max_rate`.

    rate[l] = (l + 1) / depth * max_rate: early blocks are dropped least.

    Args:
      max_rate: rate of the last block, in [0, 1]; a number or a traced scalar.
      depth: number of blocks, at least 1.

    Returns:
      float32 array of shape [depth].

    Raises:
      ValueError: for a concrete rate outside [0, 1], or no blocks.

    Example:
      >>> linear_depth_rates(0.5, 4).tolist()
      [0.125, 0.25, 0.375, 0.5]

    References:
      Huang et al. 2016, section 3 (linear decay rule).
    """
    contract.check_range("max_rate", max_rate, 0.0, 1.0, "a probability in [0, 1]")
    depth = whole("depth", depth, 1)
    blocks = jnp.arange(1, depth + 1, dtype=jnp.float32)
    return blocks / depth * jnp.asarray(max_rate, jnp.float32)


def _all_but(x: ArrayLike, shared_axes: Sequence[int], **kept: int) -> tuple[int, ...]:
    """Returns all axes of `x` but those `kept`, and `shared_axes`."""
    ndim = jnp.ndim(x)
    for name, axis in kept.items():
        whole(name, axis)
    inside = {axis % ndim for axis in kept.values() if -ndim <= axis < ndim}
    if len(inside) < len(kept):
        given = " and ".join(f"{name} is {axis}" for name, axis in kept.items())
        different = ", and two different ones" if len(kept) > 1 else ""
        raise ValueError(
            f"{given}; x has {ndim} axes, so each must be in [{-ndim}, {ndim - 1}]"
            f"{different}"
        )
    further = set(contract.normalise_axes(shared_axes, ndim))
    return tuple(axis for axis in range(ndim) if axis not in inside or axis in further)
