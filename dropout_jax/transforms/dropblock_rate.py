# SPDX-License-Identifier: Apache-2.0
"""How often a block must start for DropBlock to drop the share that is asked."""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from dropout_jax.arguments import whole, whole_numbers
from dropout_jax.transforms import contract

METHODS = ("exact", "paper")
# Newton's method approaches the root from below and doubles its digits each time.
_ITERATIONS = 12


def dropblock_seed_rate(
    rate: ArrayLike, map_shape: Sequence[int], block_size: int, method: str = "exact"
) -> jax.Array:
    """Returns gamma, the probability that a block starts at a place where it fits.

    "exact" solves mean over the map of (1 - gamma)**n = 1 - rate, where n counts the
    blocks that cover an element; overlaps and the border are in it. "paper" is
    rate / block_size**d * size / (places where a block fits), at most 1.

    Args:
      rate: wanted mean rate, in [0, 1], any shape; may be traced.
      map_shape: sides of the map, one per axis.
      block_size: side of a block, at most the smallest side of the map.
      method: "exact" or "paper".

    Returns:
      float32 array of the shape of `rate`.

    Raises:
      ValueError: for a concrete rate outside [0, 1], a block that does not fit, or an
        unknown method.

    Example:
      >>> [round(float(dropblock_seed_rate(0.1, (s, s), 7)), 5) for s in (7, 14, 28)]
      [0.1, 0.00676, 0.00353]

    References:
      Ghiasi et al. 2018, equation 1 ("paper").
    """
    contract.check_range("rate", rate, 0.0, 1.0, "a probability in [0, 1]")
    if method not in METHODS:
        raise ValueError(f"seed_rate is {method!r}; it must be 'exact' or 'paper'")
    sides = whole_numbers("map_shape", map_shape, 1)
    check_block(block_size, sides)
    rate = jnp.asarray(rate, jnp.float32)
    if method == "paper":
        places = math.prod(side - block_size + 1 for side in sides)
        ratio = math.prod(sides) / (block_size ** len(sides) * places)
        return jnp.minimum(rate * ratio, 1.0)
    return _exact_seed_rate(rate, sides, block_size)


def check_block(block_size: int, sides: tuple[int, ...]) -> None:
    """Raises unless `block_size` is a whole number (TypeError) and fits the map."""
    block_size = whole("block_size", block_size)
    if not 1 <= block_size <= min(sides):
        raise ValueError(
            f"block_size is {block_size}; it must be in [1, {min(sides)}], to fit a "
            f"map of {' x '.join(map(str, sides))}"
        )


def covering(side: int, block: int, a: int, b: int) -> int:
    """Returns how many block positions along one axis cover both `a` and `b`."""
    first, last = max(0, max(a, b) - block + 1), min(side - block, a, b)
    return max(0, last - first + 1)


def counts(sides: tuple[int, ...], block: int) -> np.ndarray:
    """Returns n for every element of the map: the blocks that cover it."""
    along = [[covering(side, block, i, i) for i in range(side)] for side in sides]
    return functools.reduce(np.multiply.outer, map(np.asarray, along))


def _exact_seed_rate(rate, sides, block):
    # Unknown is s = -log(1 - gamma): h(s) = -log mean exp(-n s) is concave with
    # h(s) <= s mean(n), so Newton's method climbs to h = -log(1 - rate) from below.
    # Written around the smallest n, so that neither end loses digits.
    n, times = np.unique(counts(sides, block), return_counts=True)
    shape = (1,) * rate.ndim + (-1,)
    share = jnp.asarray(times / times.sum(), jnp.float32).reshape(shape)
    least = float(n[0])
    above = jnp.asarray(n - n[0], jnp.float32).reshape(shape)
    goal = -jnp.log1p(-jnp.where(rate < 1.0, rate, 0.5))

    def improve(_, s):
        exponent = -s[..., None] * above
        # Sums of products, not `@`: their precision must not follow that of matmuls.
        h = s * least - jnp.log1p(jnp.sum(jnp.expm1(exponent) * share, -1))
        kept = jnp.exp(exponent) * share
        slope = least + jnp.sum(kept * above, -1) / jnp.sum(kept, -1)
        return s + (goal - h) / slope

    # A loop, because it compiles faster than the steps written out.
    start = goal / float(np.average(n, weights=times))
    s = jax.lax.fori_loop(0, _ITERATIONS, improve, start)
    return jnp.where(rate < 1.0, -jnp.expm1(-s), 1.0)
