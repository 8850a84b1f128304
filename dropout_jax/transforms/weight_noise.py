# SPDX-License-Identifier: Apache-2.0
"""Weights with learned normal noise: how much of each is noise, and what to remove.

The posterior of a weight is N(theta, sigma**2) with both learned; alpha = sigma**2 /
theta**2 says how much of it is noise. Under the log-uniform prior (`kl_log_uniform`
of `weight_log_alpha`) most weights end as pure noise and can be set to 0.
"""

from collections.abc import Callable

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from dropout_jax.transforms import bits, contract

# As in the authors' code: beyond these the numbers overflow before they matter. A
# weight that starts below the lower one (|theta| above 1 at log sigma**2 = -8) gets no
# gradient on its noise until theta shrinks.
_LIMIT = 8.0
_SMALL = 1e-8


def weight_log_alpha(kernel: jax.Array, log_sigma2: ArrayLike) -> jax.Array:
    """Returns log alpha = log(sigma**2 / theta**2) of every weight, within [-8, 8].

    Args:
      kernel: theta, any shape.
      log_sigma2: scalar, or broadcastable to the kernel.

    Returns:
      float32 array of the kernel's shape, the argument of `kl_log_uniform`.

    Example:
      >>> float(weight_log_alpha(jnp.ones(()), -2.0))
      -2.0

    References:
      Molchanov, Ashukha, Vetrov 2017, ICML, section 4 (additive noise).
    """
    log_sigma2 = contract.parameter("log_sigma2", log_sigma2, kernel, of="kernel")
    squares = jnp.square(jnp.asarray(kernel, jnp.float32))
    return jnp.clip(log_sigma2 - jnp.log(squares + _SMALL), -_LIMIT, _LIMIT)


def sparse_kernel(
    kernel: jax.Array, log_sigma2: ArrayLike, threshold: float = 3.0
) -> jax.Array:
    """Returns the kernel with the weights that are mostly noise set to 0.

    Args:
      kernel: theta, any shape.
      log_sigma2: scalar, or broadcastable to the kernel.
      threshold: weights of log alpha at or above it go.

    Returns:
      Array like the kernel.

    Example:
      >>> sparse_kernel(jnp.array([1.0, 0.001]), -4.0).tolist()
      [1.0, 0.0]
    """
    noise = _is_noise(kernel, log_sigma2, threshold)
    return jnp.where(noise, jnp.zeros((), kernel.dtype), kernel)


def sparsity(
    kernel: jax.Array, log_sigma2: ArrayLike, threshold: float = 3.0
) -> jax.Array:
    """Returns the share of weights, in [0, 1], that `sparse_kernel` sets to 0.

    Args:
      kernel: theta, any shape.
      log_sigma2: scalar, or broadcastable to the kernel.
      threshold: as for `sparse_kernel`.

    Returns:
      float32 scalar.

    Example:
      >>> float(sparsity(jnp.array([1.0, 0.001]), -4.0))
      0.5
    """
    noise = _is_noise(kernel, log_sigma2, threshold)
    return jnp.mean(noise, dtype=jnp.float32)


def variance(kernel: jax.Array, log_sigma2: jax.Array) -> jax.Array:
    """Returns sigma**2 with alpha held within its limits."""
    squares = jnp.square(kernel.astype(jnp.float32)) + _SMALL
    return jnp.exp(weight_log_alpha(kernel, log_sigma2)) * squares


def sampler(
    key: jax.Array, kernel: jax.Array, log_sigma2: jax.Array
) -> Callable[[tuple[int, ...]], jax.Array]:
    """Returns a function of a shape, ending in the kernel's, that draws weights."""
    std = jnp.sqrt(variance(kernel, log_sigma2))

    def sample(shape):
        drawn = bits.normal(key, shape)
        lead = (1,) * (len(shape) - kernel.ndim)
        dtype = contract.compute_dtype(kernel)
        wide = kernel.reshape(lead + kernel.shape).astype(dtype)
        noise = std.reshape(lead + kernel.shape) * drawn
        return wide + noise.astype(dtype)

    return sample


def _is_noise(kernel, log_sigma2, threshold):
    contract.check_number("threshold", threshold, "a number, inf to keep all")
    if not isinstance(threshold, jax.core.Tracer) and np.isnan(threshold).any():
        raise ValueError("threshold is nan; it must be a number, inf to keep all")
    return weight_log_alpha(kernel, log_sigma2) >= threshold
