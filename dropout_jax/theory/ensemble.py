# SPDX-License-Identifier: Apache-2.0
"""Three ways to predict with the 2**n networks of dropout, and how they relate."""

import jax
import jax.numpy as jnp

from dropout_jax.theory.adaptive import all_masks, mask_probabilities
from dropout_jax.theory.checks import check_rate, wide


def arithmetic_mean_predict(logits: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns the mean of the networks' probabilities: what MC dropout estimates.

    Args:
      logits: [networks, ..., classes].
      weights: [networks], summing to 1.

    Returns:
      Probabilities, [..., classes].

    Example:
      >>> logits = jnp.log(jnp.array([[0.9, 0.1], [0.5, 0.5]]))
      >>> half = jnp.array([0.5, 0.5])
      >>> [round(float(p), 4) for p in arithmetic_mean_predict(logits, half)]
      [0.7, 0.3]

    References:
      Srivastava et al. 2014, JMLR 15, section 7.5; Gal, Ghahramani 2016, Dropout as a
      Bayesian approximation, ICML, section 4.
    """
    weights, logits = wide("weights", weights), wide("logits", logits)
    return jnp.tensordot(weights, jax.nn.softmax(logits, -1), 1)


def geometric_mean_predict(logits: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns the geometric mean of the networks' probabilities, normalised.

    It is the softmax of the mean logits.

    Args:
      logits: [networks, ..., classes].
      weights: [networks], summing to 1.

    Returns:
      Probabilities, [..., classes].

    Example:
      >>> logits = jnp.log(jnp.array([[0.9, 0.1], [0.5, 0.5]]))
      >>> half = jnp.array([0.5, 0.5])
      >>> [round(float(p), 4) for p in geometric_mean_predict(logits, half)]
      [0.75, 0.25]

    References:
      Hinton et al. 2012, Improving neural networks by preventing co-adaptation of
      feature detectors.
    """
    weights, logits = wide("weights", weights), wide("logits", logits)
    return jax.nn.softmax(jnp.tensordot(weights, logits, 1), -1)


def weight_scaling_predict(
    x: jax.Array, kernel: jax.Array, bias: jax.Array
) -> jax.Array:
    """Returns what the one network without dropout predicts (scaling="train").

    For one softmax layer this is the geometric mean over all masks, exactly. With a
    hidden layer in between it is an approximation.

    Args:
      x: [..., inputs].
      kernel: [inputs, classes].
      bias: [classes].

    Returns:
      Probabilities, [..., classes].

    Example:
      >>> weight_scaling_predict(jnp.zeros(3), jnp.ones((3, 2)), jnp.zeros(2)).tolist()
      [0.5, 0.5]

    References:
      Hinton et al. 2012 ("mean network"); Goodfellow, Bengio, Courville
      2016, Deep learning, section 7.12.
    """
    x, kernel, bias = wide("x", x), wide("kernel", kernel), wide("bias", bias)
    logits = x @ kernel
    return jax.nn.softmax(logits + bias.reshape((1,) * (logits.ndim - 1) + (-1,)), -1)


def enumerate_softmax_layer(
    x: jax.Array, kernel: jax.Array, bias: jax.Array, rate: float
) -> tuple[jax.Array, jax.Array]:
    """Returns the logits of a softmax layer under every mask of its inputs.

    Args:
      x: [inputs], at most 16.
      kernel: [inputs, classes].
      bias: [classes].
      rate: in [0, 1).

    Returns:
      Logits [2**inputs, classes] and the probabilities of the masks [2**inputs].

    Raises:
      ValueError: for a concrete rate outside [0, 1), or too many inputs.

    Example:
      >>> logits, p = enumerate_softmax_layer(
      ...     jnp.ones(2), jnp.eye(2), jnp.zeros(2), 0.5
      ... )
      >>> logits.shape, round(float(p.sum()), 6)
      ((4, 2), 1.0)
    """
    checked = check_rate(rate)
    x, kernel, bias = wide("x", x), wide("kernel", kernel), wide("bias", bias)
    masks = all_masks(x.shape[0])
    dropped = masks * x.reshape(1, -1) / (1.0 - checked)
    return dropped @ kernel + bias.reshape(1, -1), mask_probabilities(masks, checked)
