# SPDX-License-Identifier: Apache-2.0
"""Convolution and pooling in the form that is fast inside a training loop."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


def max_pool(x: jax.Array) -> jax.Array:
    """Returns the 2x2 maximum of `x` [batch, height, width, channels].

    An odd last row or column is left out, as in any "valid" pooling. Written as a
    reshape: the gradient of `reduce_window` is a slow select-and-scatter on CPU.
    """
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))


def patches_times_kernel(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the "same" convolution of `x` with `kernel` as one matrix product.

    XLA's CPU backend runs `lax.conv` single-threaded inside a loop; the shifted
    copies side by side and a matrix product stay parallel.
    """
    height, width = x.shape[1:3]
    rows, columns, channels, features = kernel.shape
    x = jnp.pad(
        x, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0))
    )
    patches = jnp.concatenate(
        [
            x[:, i : i + height, j : j + width]
            for i in range(rows)
            for j in range(columns)
        ],
        axis=-1,
    )
    return patches @ kernel.reshape(rows * columns * channels, features)


class Conv(nn.Module):
    """Two-dimensional "same" convolution with stride 1 and an odd square kernel.

    Attributes:
      features: number of output channels.
      kernel_size: odd side of the kernel, pixels.
      use_bias: off in front of a batch normalisation, which has one of its own.
    """

    features: int
    kernel_size: int
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns [batch, height, width, features] for `x` with any channels."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        if jax.default_backend() == "cpu":
            y = patches_times_kernel(x, kernel)
        else:
            y = lax.conv_general_dilated(
                x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return y + bias.reshape(1, 1, 1, -1)
