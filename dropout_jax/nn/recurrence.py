# SPDX-License-Identifier: Apache-2.0
"""A recurrence over time whose backward pass keeps its large products together."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from dropout_jax.nn.products import product, summed_over_rows

Carry = tuple[jax.Array, ...]  # the first array is the hidden state


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def recurrence(
    read: Callable[..., jax.Array],
    update: Callable[..., Carry],
    start: Carry,
    x: jax.Array,
    kernels: tuple[jax.Array, jax.Array],
    bias: jax.Array,
    steps: Any,
    shared: Any,
) -> tuple[jax.Array, Carry]:
    """Returns the hidden states of all steps, and the carry after the last one.

    product_t = [x_t, read(carry_(t-1), steps_t, shared)] @ [kernel_x; kernel_h] + bias
    carry_t = update(product_t, carry_(t-1), steps_t, shared)

    The backward pass keeps the products and carries, and takes the derivative of
    `update` again from them. The gradients of kernels and bias are one product and
    one sum over all steps, where differentiating `lax.scan` adds one per step. It
    can be differentiated in reverse mode alone.

    Args:
      read: what the recurrent kernel multiplies, [batch, units].
      update: elementwise rest of the step.
      start: carry before the first step, arrays [batch, units].
      x: [time, batch, n].
      kernels: [n, columns] and [units, columns].
      bias: [columns].
      steps: pytree of arrays [time, ...], one slice for each step.
      shared: pytree of arrays, the same at every step.

    Returns:
      [time, batch, units], the first array of each carry; and the last carry.
    """
    return _forward(read, update, start, x, kernels, bias, steps, shared)[0]


def _forward(read, update, start, x, kernels, bias, steps, shared):
    kernel = jnp.concatenate(kernels)

    def body(carry, inputs):
        x_t, steps_t = inputs
        rows = jnp.concatenate([x_t, read(carry, steps_t, shared)], axis=1)
        affine = product(rows, kernel) + bias.reshape(1, -1)
        carry = update(affine, carry, steps_t, shared)
        return carry, (carry, affine)

    last, (carries, products) = lax.scan(body, start, (x, steps))
    kept = (start, x, kernels, steps, shared, carries, products)
    return (carries[0], last), kept


def _backward(read, update, kept, cotangents):
    d_states, d_last = cotangents
    start, x, (kernel_x, kernel_h), steps, shared, carries, products = kept
    # The carry that each step began with.
    before = jax.tree.map(
        lambda first, all_: jnp.concatenate([first[None], all_[:-1]]), start, carries
    )

    def body(carry, inputs):
        (d_hidden, *d_others), d_shared = carry
        d_state, product, before_t, steps_t = inputs
        _, pull_update = jax.vjp(update, product, before_t, steps_t, shared)
        _, pull_read = jax.vjp(read, before_t, steps_t, shared)
        d_product, *d_update = pull_update((d_hidden + d_state, *d_others))
        d_read = pull_read(
            lax.dot_general(d_product, kernel_h, (((1,), (1,)), ((), ())))
        )
        d_before, d_steps, d_more = jax.tree.map(jnp.add, tuple(d_update), d_read)
        d_shared = jax.tree.map(jnp.add, d_shared, d_more)
        return (d_before, d_shared), (d_product, d_steps)

    nothing = jax.tree.map(jnp.zeros_like, shared)
    (d_start, d_shared), (d_products, d_steps) = lax.scan(
        body, (d_last, nothing), (d_states, products, before, steps), reverse=True
    )
    states = jax.vmap(read, in_axes=(0, 0, None))(before, steps, shared)
    rows = jnp.concatenate([x, states], axis=2)
    flat = (a.reshape(-1, a.shape[2]) for a in (rows, d_products))
    d_kernel = summed_over_rows(*flat)
    d_kernels = (d_kernel[: x.shape[2]], d_kernel[x.shape[2] :])
    d_x = lax.dot_general(d_products, kernel_x, (((2,), (1,)), ((), ())))
    return d_start, d_x, d_kernels, d_products.sum((0, 1)), d_steps, d_shared


recurrence.defvjp(_forward, _backward)
