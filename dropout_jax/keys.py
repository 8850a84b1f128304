# SPDX-License-Identifier: Apache-2.0
"""Keys: one root per seed, one stream per purpose, one key per step.

All randomness of a run is a function of `(seed, stream name, step)`, so no key is
ever stored: a resumed run computes the keys it would have had. This is the only
file that folds keys. A key that is folded here must never be split as well,
because with partitionable threefry `split(key, n)[i] == fold_in(key, i)`.
"""

import zlib

import jax
import jax.numpy as jnp

from dropout_jax.arguments import shown, whole

PARAMS = "params"
DROPOUT = "dropout"
DATA = "data"
MC = "mc"
AUGMENT = "augment"

# The implementation is part of a run's identity: under vmap only threefry draws
# the bits that a loop would draw.
IMPLEMENTATION = "threefry2x32"


def root_key(seed: int | jax.Array) -> jax.Array:
    """Returns the typed threefry key that everything random in a run derives from.

    Args:
      seed: Python integer in [0, 2**32 - 1], or a traced or concrete integer
        scalar (not range-checked), so that a whole run can be vmapped over seeds.

    Returns:
      A typed key of shape (); the same for a number and for a traced value.

    Raises:
      TypeError: if `seed` is no integer (True is none), or an array with axes.
      ValueError: if a Python integer is outside the range.

    Example:
      >>> jax.random.key_data(root_key(7)).tolist()
      [0, 7]
    """
    seed = _counter("seed", seed)
    return jax.random.key(jnp.asarray(seed, jnp.uint32), impl=IMPLEMENTATION)


def stream(root: jax.Array, name: str) -> jax.Array:
    """Returns the key of one purpose: `fold_in(root, crc32(name))`.

    CRC-32 of the name, because Python's `hash` of a string differs from process to
    process. Streams of different names are independent, so that using one more
    draw in one of them leaves the others alone.

    Args:
      root: key from `root_key`.
      name: `PARAMS`, `DROPOUT`, `DATA`, `AUGMENT`, `MC`, or any other name of your own.

    Returns:
      A typed key of shape ().

    Raises:
      TypeError: if the name is no string.

    Example:
      >>> bool(stream(root_key(0), DROPOUT) == stream(root_key(0), DATA))
      False
    """
    if not isinstance(name, str):
        raise TypeError(f"name is {shown(name)}; it must be a string, such as 'data'")
    return jax.random.fold_in(root, jnp.uint32(zlib.crc32(name.encode())))


def step_key(stream_key: jax.Array, step: int | jax.Array) -> jax.Array:
    """Returns the key of one step of a stream: `fold_in(stream_key, step)`.

    Args:
      stream_key: key from `stream`.
      step: number of the step, from 0; Python integer or traced scalar.

    Returns:
      A typed key of shape ().

    Raises:
      TypeError: if `step` is no integer (JAX would cut 1.5 to 1), or has axes.
      ValueError: if a Python integer is negative, or above 2**32 - 1.

    Example:
      >>> dropout_stream = stream(root_key(0), DROPOUT)
      >>> bool(step_key(dropout_stream, 1) == step_key(dropout_stream, 2))
      False
    """
    return jax.random.fold_in(stream_key, _counter("step", step))


def _counter(name: str, value: int | jax.Array) -> int | jax.Array:
    """Returns what 32 bits count: an integer of theirs, or a scalar of an array."""
    if not isinstance(value, jax.Array):
        return whole(name, value, 0, 0xFFFFFFFF)
    if value.ndim or not jnp.issubdtype(value.dtype, jnp.integer):
        given = "an array" if value.ndim else shown(value)
        raise TypeError(
            f"{name} is {given} of {value.dtype} and shape {value.shape}; it must be "
            "one integer"
        )
    return value
