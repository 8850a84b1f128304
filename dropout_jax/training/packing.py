# SPDX-License-Identifier: Apache-2.0
"""The arrays of a tree as one vector for each type, and back.

For every array that it writes or reads, Orbax asks TensorStore to describe the place,
and TensorStore 0.1 never frees the answer. A state is dozens of arrays of two types.
"""

from typing import Any

import jax
import numpy as np


def pack(tree: Any) -> dict[str, np.ndarray]:
    """Returns, by name of the type, its arrays one after another in the tree's order.

    Example:
      >>> pack({"a": np.zeros((2, 2), "f4"), "b": np.ones(1, "f4")})
      {'float32': array([0., 0., 0., 0., 1.], dtype=float32)}
    """
    parts: dict[str, list[np.ndarray]] = {}
    for array in jax.tree.leaves(jax.device_get(tree)):
        parts.setdefault(str(array.dtype), []).append(np.ravel(array))
    return {name: np.concatenate(of_type) for name, of_type in parts.items()}


def empty(like: Any) -> dict[str, np.ndarray]:
    """Returns vectors as `pack` makes them of such a tree, their content arbitrary."""
    return pack(jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like))


def unpack(vectors: dict[str, Any], like: Any) -> Any:
    """Returns the tree that was packed.

    Args:
      vectors: what `pack` returned.
      like: a tree of the same shapes and types, abstract or not.

    Example:
      >>> unpack({"float32": np.arange(3.0)}, {"a": np.zeros((), "f4")})
      {'a': array(0.)}
    """
    taken = dict.fromkeys(vectors, 0)

    def take(leaf):
        name = str(leaf.dtype)
        begin = taken[name]
        taken[name] += leaf.size
        return vectors[name][begin : taken[name]].reshape(leaf.shape)

    return jax.tree.map(take, like)
