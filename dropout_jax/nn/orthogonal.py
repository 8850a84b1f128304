# SPDX-License-Identifier: Apache-2.0
"""Random orthogonal matrices without LAPACK, whose bits depend on the processor."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


def orthogonal(key: jax.Array, size: int) -> jax.Array:
    """Returns a random orthogonal matrix, uniform (Haar) over all of them.

    It is the Q of A = Q R with standard normal A and positive diagonal of R, by
    Gram-Schmidt, each column twice: once leaves rounding errors as large as 1 over
    what is left of the column. Up to rounding `flax.linen.initializers.orthogonal`
    returns the same for the same key.

    Args:
      key: typed key, shape ().
      size: number of rows and of columns.

    Returns:
      [size, size], float32.

    Example:
      >>> q = orthogonal(jax.random.key(0), 3)
      >>> bool(jnp.allclose(q.T @ q, jnp.eye(3), atol=1e-6))
      True

    References:
      Mezzadri 2007, How to generate random matrices from the classical compact
      groups, Notices of the AMS 54, section 5; Giraud, Langou, Rozloznik 2005, The
      loss of orthogonality in the Gram-Schmidt orthogonalization process, section 3.
    """
    normal = jax.random.normal(key, (size, size), jnp.float32)

    def add_row(i, rows):
        row = normal[:, i]
        for _ in range(2):
            # Sums, not products: rows from i on are zero and take nothing away.
            shares = jnp.sum(rows * row[None], axis=1)
            row = row - jnp.sum(shares[:, None] * rows, axis=0)
        return rows.at[i].set(row / jnp.sqrt(jnp.sum(row * row)))

    return lax.fori_loop(0, size, add_row, jnp.zeros_like(normal)).T
