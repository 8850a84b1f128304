# SPDX-License-Identifier: Apache-2.0
"""Variance shift: what batch normalisation behind dropout sees, training and testing.

Dropout keeps the mean and raises the variance; batch normalisation learns the raised
variance and divides by it at test time, when there is no dropout.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.theory.checks import check_rate, wide


def variance_shift_ratio(
    mean: ArrayLike, variance: ArrayLike, rate: ArrayLike
) -> jax.Array:
    """Returns test over training variance of a unit behind `dropout`.

    v / ((c**2 + v) / (1 - rate) - c**2) for a unit of mean c and variance v: at most 1,
    and 1 only at rate 0. A weighted sum of independent units has the same ratio where
    they have the same c and v.

    Args:
      mean: c, any shape.
      variance: v, >= 0, broadcastable to it.
      rate: in [0, 1); may be traced.

    Returns:
      Array of the common shape, in [0, 1].

    Raises:
      ValueError: for a concrete rate outside [0, 1).

    Example:
      >>> round(float(variance_shift_ratio(0.5, 1.0, 0.5)), 3)
      0.444

    References:
      Li, Chen, Hu, Yang 2019, Understanding the disharmony between dropout and batch
      normalization by variance shift, CVPR, section 3.1.
    """
    rate = check_rate(rate)
    mean, variance = wide("mean", mean), wide("variance", variance)
    return variance / (variance + rate / (1.0 - rate) * (jnp.square(mean) + variance))


def linear_variance_shift_ratio(
    mean: jax.Array, covariance: jax.Array, kernel: jax.Array, rate: ArrayLike
) -> jax.Array:
    """Returns test over training variance of the outputs of `dropout(x) @ kernel`.

    w^T S w / (w^T S w + rate / (1 - rate) sum_i w_i**2 (c_i**2 + S_ii)): correlated
    inputs soften the shift where the weights add them up, and sharpen it where the
    weights cancel them.

    Args:
      mean: c, [inputs].
      covariance: S of the inputs, [inputs, inputs].
      kernel: [inputs, outputs].
      rate: in [0, 1); may be traced.

    Returns:
      [outputs], in [0, 1].

    Raises:
      ValueError: for a concrete rate outside [0, 1).

    Example:
      >>> ratio = linear_variance_shift_ratio(
      ...     jnp.zeros(2), jnp.ones((2, 2)), jnp.ones((2, 1)), 0.5
      ... )
      >>> round(float(ratio[0]), 4)  # 4 / (4 + 2)
      0.6667

    References:
      Li, Chen, Hu, Yang 2019, section 3.1 (dropout, then a layer, then normalisation).
    """
    rate = check_rate(rate)
    mean, covariance = wide("mean", mean), wide("covariance", covariance)
    kernel = wide("kernel", kernel)
    test = jnp.einsum("io,ij,jo->o", kernel, covariance, kernel)
    power = jnp.square(mean) + jnp.diag(covariance)
    return test / (test + rate / (1.0 - rate) * (power @ jnp.square(kernel)))
