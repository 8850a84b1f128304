# SPDX-License-Identifier: Apache-2.0
"""Convolution and pooling in the form that is fast inside a training loop."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax

from dropout_jax.arguments import flag, whole
from dropout_jax.nn.checks import check_sizes
from dropout_jax.nn.products import product

# What a slice of the batch may take up between its patches and the pooling: about a
# core's second-level cache. Larger slices go out to memory and back.
CACHE_BYTES = 2**20


@jax.custom_vjp
def max_pool(x: jax.Array) -> jax.Array:
    """Returns the 2x2 maximum of `x` [batch, height, width, channels].

    An odd last row or column is left out, as in any "valid" pooling. Where several
    entries are largest the first one, row by row, has the whole gradient. The
    backward pass keeps one byte per window, the place of the maximum: the gradient
    of `reduce_window` is a slow select-and-scatter on CPU.

    Example:
      >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1)).ravel().tolist()
      [5.0, 7.0, 13.0, 15.0]
    """
    return _max_pool(x)[0]


def _max_pool(x):
    batch, height, width, channels = x.shape
    cropped = x[:, : height // 2 * 2, : width // 2 * 2]
    windows = cropped.reshape(batch, height // 2, 2, width // 2, 2, channels)
    a, b, c, d = (windows[:, :, i, :, j] for i in (0, 1) for j in (0, 1))
    y = jnp.maximum(jnp.maximum(a, b), jnp.maximum(c, d))
    place = jnp.where(a == y, 0, jnp.where(b == y, 1, jnp.where(c == y, 2, 3)))
    # An empty array of the input's shape: the backward pass needs its odd rows.
    return y, (place.astype(jnp.uint8), jnp.empty((0, *x.shape[1:]), x.dtype))


def _max_pool_gradient(residuals, dy):
    place, like = residuals
    batch, rows, columns, channels = dy.shape
    here = jnp.arange(4, dtype=jnp.uint8).reshape(1, 1, 2, 1, 2, 1)
    chosen = place[:, :, None, :, None] == here
    dx = jnp.where(chosen, dy[:, :, None, :, None], 0).astype(dy.dtype)
    dx = dx.reshape(batch, 2 * rows, 2 * columns, channels)
    height, width = like.shape[1:3]
    odd = ((0, height - 2 * rows), (0, width - 2 * columns))
    return (jnp.pad(dx, ((0, 0), *odd, (0, 0))),)


max_pool.defvjp(_max_pool, _max_pool_gradient)


def patches_times_kernel(
    x: jax.Array, kernel: jax.Array, *, pool: bool = False
) -> jax.Array:
    """Returns the "same" convolution of `x` with `kernel` as matrix products.

    XLA's CPU backend runs `lax.conv` single-threaded inside a loop; shifted copies
    side by side and a matrix product stay parallel. The batch goes through in slices
    whose patches stay in the cache, and the backward pass makes the patches anew
    instead of reading them back from memory.

    Args:
      x: [batch, height, width, channels].
      kernel: [rows, columns, channels, features], odd rows and columns.
      pool: whether `max_pool` follows, slice by slice.

    Returns:
      [batch, height, width, features]; height and width halved with `pool`.
    """
    batch, height, width, channels = x.shape
    features = kernel.shape[-1]
    taps = kernel.shape[0] * kernel.shape[1] * channels
    image_bytes = height * width * (taps + features) * x.dtype.itemsize
    size = _slice_size(batch, CACHE_BYTES // image_bytes)

    @jax.checkpoint
    def convolve(part, kernel):
        # One row per pixel: with more axes XLA copies what the gradient contracts.
        patches = _patches(part, *kernel.shape[:2]).reshape(-1, taps)
        y = product(patches, kernel.reshape(taps, features))
        return y.reshape(-1, height, width, features)

    def one_slice(part):
        y = convolve(part, kernel)
        return max_pool(y) if pool else y

    y = lax.map(one_slice, x.reshape(batch // size, size, *x.shape[1:]))
    return y.reshape(batch, *y.shape[2:])


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the "same" convolution, stride 1, in this platform's faster form.

    Args:
      x: [batch, height, width, channels].
      kernel: [rows, columns, channels, features], odd rows and columns.

    Returns:
      [batch, height, width, features].
    """
    if jax.default_backend() == "cpu":
        return patches_times_kernel(x, kernel)
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _slice_size(batch: int, fitting: int) -> int:
    """Returns the largest divisor of `batch` up to `fitting`, at least 1."""
    if not isinstance(batch, int):  # symbolic, of jax.export
        return 1
    return next(n for n in range(max(1, min(batch, fitting)), 0, -1) if batch % n == 0)


def _patches(x: jax.Array, rows: int, columns: int) -> jax.Array:
    """Returns [batch, height, width, rows * columns * channels]."""
    height, width = x.shape[1:3]
    padding = ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0))
    x = jnp.pad(x, padding)
    shifted = [
        x[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)
    ]
    return jnp.concatenate(shifted, axis=-1)


def check_kernel(kernel_size: int, features: int, use_bias: bool, pool: bool) -> None:
    """Raises unless a convolution can have these attributes."""
    check_sizes(features=features)
    if whole("kernel_size", kernel_size, 1) % 2 == 0:
        raise ValueError(f"kernel_size is {kernel_size}; it must be odd: 1, 3, 5")
    flag("use_bias", use_bias)
    flag("pool", pool)


class Conv(nn.Module):
    """Two-dimensional "same" convolution with stride 1 and an odd square kernel.

    Attributes:
      features: number of output channels.
      kernel_size: odd side of the kernel, pixels.
      use_bias: off in front of a batch normalisation, which has one of its own.
      pool: whether 2x2 max-pooling follows; before the bias, which leaves a quarter
        of the additions and the same result.
    """

    features: int
    kernel_size: int
    use_bias: bool = True
    pool: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns [batch, height, width, features] for `x` with any channels.

        Raises:
          TypeError: a size that is no whole number, or a flag that is no bool.
          ValueError: an even kernel, which has no middle.
        """
        check_kernel(self.kernel_size, self.features, self.use_bias, self.pool)
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape, jnp.float32)
        bias = None
        if self.use_bias:
            zeros = nn.initializers.zeros_init()
            bias = self.param("bias", zeros, shape[3:], jnp.float32)
        x, kernel, bias = promote_dtype(x, kernel, bias)
        if self.pool and jax.default_backend() == "cpu":
            y = patches_times_kernel(x, kernel, pool=True)
        else:
            y = convolve(x, kernel)
            y = max_pool(y) if self.pool else y
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)
