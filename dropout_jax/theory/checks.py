# SPDX-License-Identifier: Apache-2.0
"""The arguments that the formulas of this room share."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import contract


def check_rate(rate: ArrayLike, scaling: str = "train") -> jax.Array:
    """Returns the rate in float32.

    Raises:
      ValueError: for a concrete rate outside [0, 1), or 1 where scaling="test" lets it
        be; for an unknown scaling.
    """
    if scaling not in ("train", "test"):
        raise ValueError(f"scaling is {scaling!r}; it must be 'train' or 'test'")
    if scaling == "test":
        contract.check_range("rate", rate, 0.0, 1.0, "a probability in [0, 1]")
    else:
        text = "in [0, 1): at 1 the variance is infinite"
        contract.check_range("rate", rate, 0.0, contract.BELOW_ONE, text)
    return jnp.asarray(rate, jnp.float32)
