# SPDX-License-Identifier: Apache-2.0
"""What several predictions agree on: passes of MC dropout, members of an ensemble.

Every function takes `logits` [S, N, C] of S predictions and works in float32 and nats.
Their mean is `mean_log_probs`, which `metrics` takes for logits; the geometric mean of
the probabilities is the mean of the logits themselves.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def _log_probs(logits) -> jax.Array:
    logits = jnp.asarray(logits)
    if logits.ndim != 3 or logits.size == 0:
        raise ValueError(
            f"logits have shape {logits.shape}: give [S, N, C], S predictions of N "
            "examples"
        )
    return jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)


def _entropy(log_probs: jax.Array) -> jax.Array:
    # A probability of 0 has log -inf, and adds nothing.
    terms = jnp.exp(log_probs) * jnp.where(jnp.isneginf(log_probs), 0.0, log_probs)
    return -jnp.sum(terms, axis=-1)


@jax.jit
def mean_log_probs(logits) -> jax.Array:
    """Log of the mean of the probabilities: the prediction of MC dropout.

    log (1/S sum_s softmax(logits_s)), computed without leaving logarithms. `metrics`
    takes it for logits.

    Args:
      logits: [S, N, C], floating.

    Returns:
      [N, C] in float32, <= 0.

    Raises:
      ValueError: not of three dimensions.

    Example:
      >>> logits = jnp.log(jnp.array([[[0.9, 0.1]], [[0.5, 0.5]]]))
      >>> [round(float(p), 4) for p in jnp.exp(mean_log_probs(logits))[0]]
      [0.7, 0.3]

    References:
      Gal, Ghahramani 2016, Dropout as a Bayesian approximation, ICML, eq. 6.
    """
    log_probs = _log_probs(logits)
    return jax.nn.logsumexp(log_probs, axis=0) - jnp.log(log_probs.shape[0])


@jax.jit
def predictive_entropy(logits) -> jax.Array:
    """Entropy of the mean prediction: all the doubt there is.

    H[1/S sum_s p_s], p_s = softmax(logits_s).

    Args:
      logits: [S, N, C], floating.

    Returns:
      [N] in float32, in [0, log C] nats.

    Raises:
      ValueError: not of three dimensions.

    Example:
      >>> round(float(predictive_entropy([[[0.0, 0.0]]])[0]), 4)
      0.6931

    References:
      Gal 2016, Uncertainty in deep learning, PhD thesis, section 3.3.1.
    """
    return _entropy(mean_log_probs(logits))


@jax.jit
def expected_entropy(logits) -> jax.Array:
    """Mean of the entropies: the doubt that each prediction has by itself.

    1/S sum_s H[p_s], p_s = softmax(logits_s). More predictions do not lessen it.

    Args:
      logits: [S, N, C], floating.

    Returns:
      [N] in float32, in [0, log C] nats.

    Raises:
      ValueError: not of three dimensions.

    Example:
      >>> round(float(expected_entropy([[[0.0, 0.0]]])[0]), 4)
      0.6931

    References:
      Depeweg et al. 2018, Decomposition of uncertainty in Bayesian deep learning, ICML,
      eq. 2.
    """
    return jnp.mean(_entropy(_log_probs(logits)), axis=0)


@jax.jit
def mutual_information(logits) -> jax.Array:
    """How far the predictions disagree: of the label and what was drawn.

    `predictive_entropy - expected_entropy`, the score that BALD ranks by. It is 0
    where all S predictions are the same, whatever they are.

    Args:
      logits: [S, N, C], floating.

    Returns:
      [N] in float32, in [0, log min(S, C)] nats, up to rounding.

    Raises:
      ValueError: not of three dimensions.

    Example:
      >>> certain = jnp.array([[[99.0, 0.0]], [[0.0, 99.0]]])
      >>> round(float(mutual_information(certain)[0]), 4)
      0.6931

    References:
      Houlsby et al. 2011, arXiv:1112.5745, eq. 2; Gal 2016, section 3.3.1.
    """
    return jnp.maximum(predictive_entropy(logits) - expected_entropy(logits), 0.0)
