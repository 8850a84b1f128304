# SPDX-License-Identifier: Apache-2.0
"""Labels that no class has: an error where they have values, NaN in `jit`.

JAX takes the last class for label -1, and `one_hot` makes of a label beyond the last
class none: a loss of 0.
"""

from collections.abc import Sequence

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


def possible_labels(labels: jax.Array, classes: int) -> jax.Array:
    """Returns whether all labels lie in [0, classes): a boolean scalar, traced or not.

    Args:
      labels: integers, any shape.
      classes: number of classes.

    Example:
      >>> bool(possible_labels(jnp.array([0, 3]), 3))
      False
    """
    if labels.dtype.itemsize < 4:  # maybe too narrow for the number of classes
        labels = labels.astype(jnp.int32)
    return jnp.all((labels >= 0) & (labels < classes))


def check_labels(labels: ArrayLike, shape: Sequence[int]) -> None:
    """Raises ValueError for a concrete label that no class has; other faults pass.

    Args:
      labels: of the examples.
      shape: of their logits, [N, C].

    Example:
      >>> check_labels(np.array([0, -1]), (2, 3))
      Traceback (most recent call last):
      ValueError: labels hold -1 (at 1); logits have 3 classes: give labels in [0, 2]
    """
    if isinstance(labels, jax.core.Tracer) or len(shape) != 2:
        return
    # NumPy, because 64-bit integers must not be cut to 32 bits first.
    given = np.asarray(labels)
    if not np.issubdtype(given.dtype, np.integer):
        return
    wrong = (given < 0) | (given >= shape[1])
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"labels hold {given.ravel()[place]} (at {place}); logits have {shape[1]} "
            f"classes: give labels in [0, {shape[1] - 1}]"
        )
