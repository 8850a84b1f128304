# SPDX-License-Identifier: Apache-2.0
"""Random bits, uniforms and normals: the bits of `jax.random`, drawn faster.

`jax.random` lowers threefry on CPU with rolled loops, so that each of its twenty
rounds is a pass over the whole array through memory. The same rounds written out
in `jax.numpy` fuse with whatever uses them into one vectorised loop. The output is
bit for bit that of `jax.random.bits`, `uniform` and `normal` in float32.

Drawing is most of what noise costs. `draw_once` keeps what was drawn for all that read
it, the backward pass above all.

References:
  Salmon, Moraes, Dror, Shaw 2011, Parallel random numbers: as easy as 1, 2, 3,
  SC'11, section 4.2 (Threefry-2x32 with 20 rounds).
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
# Smallest float32 above -1: the normals come from the open interval (-1, 1).
_ABOVE_MINUS_ONE = -1.0 + 2.0**-24


def bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Returns uint32 words, bit for bit `jax.random.bits(key, shape)`.

    Args:
      key: typed key of shape (). Keys of another implementation than threefry2x32
        are passed on to `jax.random`.
      shape: shape of the result. A shape with a symbolic size, of `jax.export`, is
        passed on too: how many words it has is not known yet.

    Returns:
      uint32 array of the given shape.

    Example:
      >>> key = jax.random.key(0)
      >>> bool((bits(key, (2, 3)) == jax.random.bits(key, (2, 3))).all())
      True
    """
    # One 32-bit counter serves 2**32 elements; jax.random counts in 64 bits.
    fast = (
        jax.random.key_impl(key) == "threefry2x32"
        and jax.config.jax_threefry_partitionable  # pyright: ignore
        and all(isinstance(size, int | np.integer) for size in shape)
        and math.prod(shape) <= 2**32
    )
    if not fast:
        return jax.random.bits(key, shape, jnp.uint32)
    if jax.config.jax_debug_key_reuse:  # pyright: ignore[reportAttributeAccessIssue]
        # The checker counts only what jax.random draws: show it this use as well.
        jax.random.bits(key)
    return _threefry(key, shape)


def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Returns float32 uniforms in [0, 1), bit for bit `jax.random.uniform`.

    The top 23 bits of a word become the mantissa: multiples of 2**-23.

    Args:
      key: typed key of shape ().
      shape: shape of the result.

    Returns:
      float32 array of the given shape.

    Example:
      >>> key = jax.random.key(0)
      >>> bool((uniform(key, (4,)) == jax.random.uniform(key, (4,))).all())
      True
    """
    one = jnp.uint32(0x3F800000)
    mantissa = lax.shift_right_logical(bits(key, shape), jnp.uint32(9))
    return lax.bitcast_convert_type(mantissa | one, jnp.float32) - 1.0


def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Returns float32 standard normals, bit for bit `jax.random.normal`.

    Args:
      key: typed key of shape ().
      shape: shape of the result.

    Returns:
      float32 array of the given shape.

    Example:
      >>> key = jax.random.key(0)
      >>> bool((normal(key, (4,)) == jax.random.normal(key, (4,))).all())
      True
    """
    # In float32 the width of the interval rounds to 2: exact, as jax.random does it.
    u = jnp.maximum(_ABOVE_MINUS_ONE, uniform(key, shape) * 2.0 + _ABOVE_MINUS_ONE)
    return jnp.float32(math.sqrt(2.0)) * lax.erf_inv(u)


def draw_once(
    key: jax.Array,
    acts: jax.Array,
    draw: Callable[[], jax.Array],
    otherwise: ArrayLike,
) -> jax.Array:
    """Returns `draw()`; on CPU, where `acts` is False everywhere, `otherwise` instead.

    What a caller makes of either must be the same then, gradients included: other
    devices always draw.

    On CPU, XLA would repeat the twenty rounds in every loop that reads the noise, so
    once more in the backward pass. It never looks into the branch of a conditional,
    nor through the barrier that hides a constant predicate. Elsewhere a conditional
    makes the device wait for the host, and the draw is plain.

    `jax.checkpoint` around a transform still has the backward pass draw again from the
    key: then nothing is kept.

    Args:
      key: the key that `draw` uses.
      acts: booleans, whether there is any noise.
      draw: function without arguments.
      otherwise: what every entry is without noise.

    Example:
      >>> key, rate = jax.random.key(0), jnp.float32(0.0)
      >>> draw_once(key, rate > 0, lambda: uniform(key, (2,)) > rate, True).tolist()
      [True, True]
    """
    if jax.default_backend() == "cpu":
        acts = jnp.any(acts)
        varies = acts & (jax.random.key_data(key).ravel()[0] == 0)
        drawn = jax.eval_shape(draw)

        def same(value: jax.Array) -> jax.Array:
            # Inside shard_map both branches must vary over the mesh alike.
            return jnp.where(varies, value, value)

        def full() -> jax.Array:
            # Filled here: outside, XLA would fill an array that is hardly ever read.
            return jnp.full(drawn.shape, same(jnp.asarray(otherwise, drawn.dtype)))

        return lax.cond(lax.optimization_barrier(acts), lambda: same(draw()), full)
    return draw()


@functools.partial(jax.jit, static_argnums=1, inline=True)
def _threefry(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    low, high = jax.random.key_data(key)
    schedule = (low, high, low ^ high ^ jnp.uint32(_PARITY))
    counter = _counter(shape)
    a, b = jnp.broadcast_to(schedule[0], shape), counter + schedule[1]
    # Functions of lax, not operators: those of a tracer cost several times as long.
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            a = lax.add(a, b)
            b = lax.bitwise_xor(a, _rotate_left(b, rotation))
        a = lax.add(a, schedule[(group + 1) % 3])
        b = lax.add(b, schedule[(group + 2) % 3] + jnp.uint32(group + 1))
    return lax.bitwise_xor(a, b)


def _counter(shape: tuple[int, ...]) -> jax.Array:
    # A sum over axes, not a reshaped flat iota: the partitioner can then give each
    # device its own part of the counter.
    counter, stride = jnp.zeros(shape, jnp.uint32), 1
    for axis in reversed(range(len(shape))):
        index = lax.broadcasted_iota(jnp.uint32, shape, axis)
        counter, stride = counter + index * jnp.uint32(stride), stride * shape[axis]
    return counter


def _rotate_left(word: jax.Array, distance: int) -> jax.Array:
    left = lax.shift_left(word, np.uint32(distance))
    right = lax.shift_right_logical(word, np.uint32(32 - distance))
    return lax.bitwise_or(left, right)
