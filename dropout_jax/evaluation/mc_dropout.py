# SPDX-License-Identifier: Apache-2.0
"""MC dropout: the same inputs again and again, each time under other noise."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from dropout_jax.arguments import whole
from dropout_jax.keys import IMPLEMENTATION, step_key

Apply = Callable[[Any, Any, jax.Array], jax.Array]


def mc_predict(
    apply: Apply,
    variables: Any,
    inputs: Any,
    key: jax.Array,
    n_samples: int,
    chunk: int = 1,
) -> jax.Array:
    """Returns the logits of `n_samples` passes under noise.

    Pass i uses `step_key(key, i)`: more samples begin with those of fewer, whatever
    the chunk and the kind of key. `uncertainty` says what they agree on.

    Args:
      apply: a pure function of variables, inputs and a key to logits [N, C], with
        its noise on; it is compiled once, so give the same function again.
      variables: its first argument, any pytree.
      inputs: its second argument, any pytree of arrays.
      key: key that nothing else uses, such as `stream(root, keys.MC)`.
      n_samples: number of passes, >= 1.
      chunk: passes computed together (`vmap`), which take memory together; it must
        not be less than 1. With keys of another kind than threefry one by one, because
        under `vmap` those draw other bits.

    Returns:
      Logits, [n_samples, N, C].

    Raises:
      TypeError: `n_samples` or `chunk` is no whole number.
      ValueError: one of them is below 1.

    Example:
      >>> from dropout_jax.transforms import dropout
      >>> noisy = lambda w, x, key: dropout(key, x, 0.5) @ w
      >>> key = jax.random.key(0)
      >>> mc_predict(noisy, jnp.eye(3), jnp.ones((2, 3)), key, n_samples=5).shape
      (5, 2, 3)

    References:
      Gal, Ghahramani 2016, Dropout as a Bayesian approximation, ICML, section 4.
    """
    n_samples, chunk = whole("n_samples", n_samples, 1), whole("chunk", chunk, 1)
    # A Python loop: in a scan, XLA's convolutions have one thread on CPU.
    found = [
        _passes(apply, variables, inputs, key, jnp.arange(start, start + chunk))
        for start in range(0, n_samples, chunk)
    ]
    return jnp.concatenate(found)[:n_samples]


@functools.partial(jax.jit, static_argnums=0)
def _passes(apply, variables, inputs, key, numbers):
    def one(number):
        return apply(variables, inputs, step_key(key, number))

    if jax.random.key_impl(key) == IMPLEMENTATION:
        return jax.vmap(one)(numbers)
    return jax.lax.map(one, numbers)
