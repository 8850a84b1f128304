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
    if not isinstance(scaling, str) or scaling not in ("train", "test"):
        raise ValueError(f"scaling is {scaling!r}; it must be 'train' or 'test'")
    if scaling == "test":
        contract.check_range("rate", rate, 0.0, 1.0, "a probability in [0, 1]")
    else:
        text = "in [0, 1): at 1 the variance is infinite"
        contract.check_range("rate", rate, 0.0, contract.BELOW_ONE, text)
    return jnp.asarray(rate, jnp.float32)


def wide(name: str, value: ArrayLike) -> jax.Array:
    """Returns `value`, called `name`, in float32 or wider: squares overflow below.

    Raises:
      TypeError: for what is no real number, or array of such.

    Example:
      >>> wide("x", jnp.ones(2, jnp.float16)).dtype
      dtype('float32')
    """
    contract.check_number(name, value, "a real number, or an array of such")
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return array.astype(jnp.float32)
    return array.astype(contract.compute_dtype(array))
