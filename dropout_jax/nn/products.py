# SPDX-License-Identifier: Apache-2.0
"""The product of a dense layer, in forms whose bits no processor decides."""

from __future__ import annotations

from typing import Any

import jax
from jax import lax


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns `x @ kernel`.

    XLA's CPU backend hands a product to YNNPACK, whose order of sums can be the same
    on every processor (`dropout_jax.training.portable`), if the summed axis is the
    last one of the left factor; else to Eigen, which splits sums by the sizes of the
    caches. The gradient of `kernel` sums over the rows, the first axis of both of its
    factors. So here one of them is transposed in memory first; XLA would take the
    transposition back into the product, were there no barrier in between.

    On CPU it can be differentiated in reverse mode alone.

    Args:
      x: [..., inputs].
      kernel: [inputs, outputs].

    Returns:
      [..., outputs].

    Example:
      >>> import jax.numpy as jnp
      >>> product(jnp.ones((2, 3)), jnp.ones((3, 1))).tolist()
      [[3.0], [3.0]]
    """
    if jax.default_backend() != "cpu":
        return x @ kernel
    rows = x.reshape(-1, x.shape[-1])
    return _product(rows, kernel).reshape(*x.shape[:-1], kernel.shape[1])


def dot_general(
    x: jax.Array, kernel: jax.Array, dimension_numbers: Any, **precision: Any
) -> jax.Array:
    """`product` with the signature of `lax.dot_general`, for `nn.Dense`."""
    del dimension_numbers, precision
    return product(x, kernel)


def summed_over_rows(x: jax.Array, y: jax.Array) -> jax.Array:
    """Returns `x.T @ y`, [inputs, outputs], for [rows, inputs] and [rows, outputs]."""
    (rows, inputs), outputs = x.shape, y.shape[1]
    # The smaller factor is transposed. A symbolic number of rows, of jax.export, is
    # taken for a large one.
    few = isinstance(rows, int) and rows * (inputs - outputs) <= inputs * outputs
    if inputs <= outputs or few:
        return lax.optimization_barrier(x.T) @ y
    return lax.optimization_barrier(lax.optimization_barrier(y.T) @ x).T


@jax.custom_vjp
def _product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return x @ kernel


def _forward(x, kernel):
    return x @ kernel, (x, kernel)


def _backward(factors, dy):
    x, kernel = factors
    dx = lax.dot_general(dy, kernel, (((1,), (1,)), ((), ())))
    return dx, summed_over_rows(x, dy)


_product.defvjp(_forward, _backward)
