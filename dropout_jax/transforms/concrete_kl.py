# SPDX-License-Identifier: Apache-2.0
"""What the learned rates of concrete dropout cost: the KL to their prior."""

import math

import jax
import jax.numpy as jnp

from dropout_jax.arguments import whole
from dropout_jax.transforms import contract
from dropout_jax.transforms.concrete import LARGEST_LOGIT
from dropout_jax.transforms.kl import kl_bernoulli

_LIKELIHOODS = ("cross_entropy", "regression")


def concrete_regularizer(
    kernel: jax.Array,
    logit_rate: jax.Array,
    *,
    examples: int,
    length_scale: float = 1.0,
    likelihood: str = "cross_entropy",
    precision: float = 1.0,
) -> jax.Array:
    """Returns what a layer behind `concrete_dropout` adds to the mean training loss.

    KL / examples for a mean cross-entropy, 2 KL / (precision examples) for a mean
    squared error, with
    KL = length_scale**2 / 2 * sum_ij w_ij**2 / (1 - rate_i)
         + sum_i (log 2 - H(rate_i)),  i over the n inputs that are dropped

    so that noise costs little for small weights, and rate 1/2 costs least. The
    constant log 2 makes both terms non-negative; the paper leaves it out.

    Args:
      kernel: weights behind the mask, [..., inputs, outputs]: those of a dense layer,
        or of a convolution whose masks are shared over the map.
      logit_rate: scalar or [inputs], as given to `concrete_dropout`.
      examples: size of the training set, at least 1.
      length_scale: as for `concrete_weight_kl`.
      likelihood: "cross_entropy" or "regression".
      precision: tau, inverse variance of the observation noise, for "regression".

    Returns:
      float32 scalar, >= 0.

    Raises:
      ValueError: for a number out of range, an unknown likelihood, or rates that do
        not fit the kernel.

    Example:
      >>> kernel, half = jnp.zeros((3, 2)), jnp.zeros(())
      >>> float(concrete_regularizer(kernel, half, examples=100))
      0.0

    References:
      Gal, Hron, Kendall 2017, section 3 and equation 3; the factor 2 / tau of the
      squared error as in the authors' code.
    """
    if likelihood not in _LIKELIHOODS:
        known = "'cross_entropy' or 'regression'"
        raise ValueError(f"likelihood is {likelihood!r}; it must be {known}")
    contract.check_range("precision", precision, 1e-30, math.inf, "finite and > 0")
    examples = whole("examples", examples, 1)
    weights = concrete_weight_kl(kernel, logit_rate, length_scale=length_scale)
    total = weights + jnp.sum(kl_bernoulli(_rates_of(kernel, logit_rate)))
    return (
        total * (1.0 if likelihood == "cross_entropy" else 2.0 / precision) / examples
    )


def concrete_weight_kl(
    kernel: jax.Array, logit_rate: jax.Array, *, length_scale: float = 1.0
) -> jax.Array:
    """Returns the part of the KL that the weights behind `concrete_dropout` have.

    length_scale**2 / 2 * sum_ij w_ij**2 / (1 - rate_i)

    The other part, `kl_bernoulli`, pulls every rate to 1/2. This one holds against it
    where length_scale**2 * sum_j w_ij**2 is of order 1; otherwise the data must.

    Args:
      kernel: [..., inputs, outputs], floating; leading axes share the rates.
      logit_rate: scalar or [inputs], as given to `concrete_dropout`.
      length_scale: of the prior on the weights, > 0: its inverse is their standard
        deviation.

    Returns:
      float32 scalar, nats, >= 0.

    Raises:
      ValueError: for a length scale out of range, or rates that do not fit.

    Example:
      >>> float(concrete_weight_kl(jnp.ones((3, 2)), jnp.zeros(3)))  # 6 / 2 / 0.5
      6.0

    References:
      Gal, Hron, Kendall 2017, equation 3.
    """
    text = "finite and > 0"
    contract.check_range("length_scale", length_scale, 1e-30, math.inf, text)
    logit = _rates_of(kernel, logit_rate)
    squares = jnp.sum(jnp.square(kernel.astype(jnp.float32)), -1)
    per_input = jnp.sum(squares.reshape(-1, logit.size), 0)
    return 0.5 * length_scale**2 * jnp.sum(per_input / jax.nn.sigmoid(-logit))


def _rates_of(kernel, logit_rate):
    inputs = kernel.shape[-2:-1]
    if jnp.shape(logit_rate) not in ((), inputs):
        raise ValueError(
            f"logit_rate has shape {jnp.shape(logit_rate)}; it must be a scalar or one "
            f"value per input of the kernel, {inputs}"
        )
    contract.check_number("logit_rate", logit_rate)
    contract.check_number("kernel", kernel)
    logit = jnp.broadcast_to(jnp.asarray(logit_rate, jnp.float32), inputs)
    return jnp.clip(logit, -LARGEST_LOGIT, LARGEST_LOGIT)
