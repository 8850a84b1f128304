# SPDX-License-Identifier: Apache-2.0
"""A linear layer behind dropout: the exact mean and covariance of its outputs."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.theory.checks import check_rate, wide
from dropout_jax.transforms import contract


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

    With k = 1 - rate: "train": mean x W, covariance W^T diag((1 - k) / k x**2) W;
    "test": mean (k x) W, covariance W^T diag(k (1 - k) x**2) W. The outputs of one
    layer are correlated, because they share the mask of its inputs.

    Args:
      x: [..., inputs].
      kernel: [inputs, outputs].
      rate: probability of dropping, in [0, 1) for "train": scalar, or broadcastable
        to `x` (one rate per input); may be traced.
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
    x, kernel = wide("x", x), wide("kernel", kernel)
    k = 1.0 - contract.parameter("rate", check_rate(rate, scaling), x)
    k = k.astype(x.dtype)
    gain = 1.0 / k if scaling == "train" else 1.0
    variance = gain**2 * k * (1.0 - k) * jnp.square(x)
    covariance = jnp.einsum("...i,io,ip->...op", variance, kernel, kernel)
    return LinearMoments((gain * k * x) @ kernel, covariance)
