# SPDX-License-Identifier: Apache-2.0
"""A linear layer behind dropout: the exact mean and covariance of its outputs."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.theory.checks import check_rate


class LinearMoments(NamedTuple):
    """Moments of the outputs of a linear layer.

    Attributes:
      mean: [..., outputs].
      covariance: [..., outputs, outputs].
    """

    mean: jax.Array
    covariance: jax.Array


def linear_dropout_moments(
    x: jax.Array, kernel: jax.Array, rate: ArrayLike, *, scaling: str = "train"
) -> LinearMoments:
    """Returns the moments of `dropout(x) @ kernel` given `x`: no approximation.

    With k = 1 - rate: "train": mean x W, covariance (1 - k) / k W^T diag(x**2) W;
    "test": mean k x W, covariance k (1 - k) W^T diag(x**2) W. The outputs of one
    layer are correlated, because they share the mask of its inputs.

    Args:
      x: [..., inputs].
      kernel: [inputs, outputs].
      rate: probability of dropping, in [0, 1) for "train"; a scalar, may be traced.
      scaling: as for `dropout`.

    Returns:
      The moments.

    Raises:
      ValueError: for a concrete rate out of range, or an unknown scaling.

    Example:
      >>> moments = linear_dropout_moments(jnp.array([1.0, 2.0]), jnp.eye(2), 0.5)
      >>> moments.mean.tolist(), moments.covariance.tolist()
      ([1.0, 2.0], [[1.0, 0.0], [0.0, 4.0]])

    References:
      Srivastava et al. 2014, JMLR 15, section 9.1; textbook section 9.4, equation
      9.4.9 (which prints the covariance of the inputs).
    """
    k = 1.0 - check_rate(rate, scaling)
    gain = 1.0 / k if scaling == "train" else 1.0
    spread = gain**2 * k * (1.0 - k)
    weighted = jnp.square(x)[..., None] * kernel.reshape(
        (1,) * (x.ndim - 1) + kernel.shape
    )
    covariance = spread * jnp.einsum("...io,ip->...op", weighted, kernel)
    return LinearMoments(gain * k * (x @ kernel), covariance)
