# SPDX-License-Identifier: Apache-2.0
"""Dropout of the inputs of a generalised linear model as an adaptive L2 penalty.

For a loss A(eta) - t eta with eta = w^T x, dropout leaves the second term as it is on
average, so that all it adds is E[A(eta_m)] - A(eta): a penalty that never sees the
targets. Wager's penalty is its second-order expansion.

References:
  Wager, Wang, Liang 2013, Dropout training as adaptive regularization, NeurIPS,
  sections 2 and 3.
"""

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from dropout_jax.arguments import whole
from dropout_jax.theory.checks import check_rate, wide

FAMILIES = ("gaussian", "logistic", "poisson", "softmax")
_MOST_INPUTS = 16


def wager_penalty(
    weights: jax.Array, inputs: jax.Array, rate: ArrayLike, family: str = "logistic"
) -> jax.Array:
    """Returns the quadratic approximation of the penalty of dropout.

    1/2 rate / (1 - rate) sum_i A''(eta_i) sum_j w_j**2 x_ij**2; for "softmax", with p
    the predicted probabilities, sum_j x_ij**2 (sum_c p_c w_jc**2 - (sum_c p_c w_jc)**2)
    stands for the two inner factors. Exact for "gaussian".

    Args:
      weights: [features], or [features, classes] for "softmax".
      inputs: [examples, features].
      rate: in [0, 1); may be traced.
      family: "gaussian" (A = eta**2 / 2), "logistic" (log(1 + exp eta)), "poisson"
        (exp eta) or "softmax" (logsumexp eta).

    Returns:
      float32 scalar, summed over the examples, >= 0.

    Raises:
      ValueError: for a concrete rate outside [0, 1), an unknown family, or shapes that
        do not fit.

    Example:
      >>> one = jnp.ones((1, 1))
      >>> float(wager_penalty(jnp.zeros(1), one, 0.5))
      0.0

    References:
      Wager, Wang, Liang 2013, section 3.
    """
    rate = check_rate(rate)
    weights, inputs = _checked(weights, inputs, family)
    strength = 0.5 * rate / (1.0 - rate)
    eta, squares = inputs @ weights, jnp.square(inputs)
    if family == "softmax":
        p = jax.nn.softmax(eta, -1)
        spread = squares @ jnp.square(weights) * p
        mean = jnp.einsum("ic,jc->ij", p, weights)
        per_example = jnp.sum(spread, -1) - jnp.sum(squares * jnp.square(mean), -1)
        return strength * jnp.sum(per_example)
    curvature = {
        "gaussian": jnp.ones_like,
        "logistic": lambda eta: jax.nn.sigmoid(eta) * jax.nn.sigmoid(-eta),
        "poisson": jnp.exp,
    }[family]
    return strength * jnp.sum(curvature(eta) * (squares @ jnp.square(weights)))


def dropout_penalty_exact(
    weights: jax.Array, inputs: jax.Array, rate: ArrayLike, family: str = "logistic"
) -> jax.Array:
    """Returns sum_i E[A(eta_m)] - A(eta_i), by enumeration of all masks.

    Args:
      weights: as for `wager_penalty`.
      inputs: [examples, features], at most 16 features (65,536 masks).
      rate: in [0, 1); may be traced.
      family: as for `wager_penalty`.

    Returns:
      float32 scalar, >= 0.

    Raises:
      ValueError: as `wager_penalty`, and for more than 16 features.

    Example:
      >>> one = jnp.ones((1, 1))
      >>> round(float(dropout_penalty_exact(jnp.ones(1), one, 0.5, "gaussian")), 4)
      0.5
    """
    rate = check_rate(rate)
    weights, inputs = _checked(weights, inputs, family)
    masks = all_masks(inputs.shape[1])
    probability = mask_probabilities(masks, rate)
    normaliser = _normaliser(family)

    def add(total, mask_and_probability):
        mask, p = mask_and_probability
        dropped = inputs * (mask / (1.0 - rate)).reshape(1, -1)
        return total + p * jnp.sum(normaliser(dropped @ weights) - clean), None

    clean = normaliser(inputs @ weights)
    total, _ = jax.lax.scan(add, jnp.zeros(()), (masks, probability))
    return total


def all_masks(units: int) -> jax.Array:
    """Returns every mask of so many units, [2**units, units], as 0 and 1.

    Args:
      units: at most 16.

    Raises:
      ValueError: for more.

    Example:
      >>> all_masks(2).tolist()
      [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    if not 1 <= whole("units", units) <= _MOST_INPUTS:
        raise ValueError(
            f"there are {units} units; all masks are enumerated for 1 to {_MOST_INPUTS}"
        )
    masks = list(itertools.product((0.0, 1.0), repeat=units))
    return jnp.asarray(np.array(masks, np.float32))


def mask_probabilities(masks: jax.Array, rate: ArrayLike) -> jax.Array:
    """Returns the probability of each mask: prod rate or 1 - rate over its units.

    Args:
      masks: [..., units], 0 where dropped.
      rate: in [0, 1]; may be traced.

    Example:
      >>> round(float(mask_probabilities(all_masks(3), 0.3).sum()), 6)
      1.0
    """
    rate = jnp.asarray(rate, jnp.float32)
    return jnp.prod(jnp.where(masks > 0, 1.0 - rate, rate), -1)


def _normaliser(family: str) -> Callable[[jax.Array], jax.Array]:
    return {
        "gaussian": lambda eta: 0.5 * jnp.square(eta),
        "logistic": jax.nn.softplus,
        "poisson": jnp.exp,
        "softmax": lambda eta: jax.nn.logsumexp(eta, -1),
    }[family]


def _checked(weights, inputs, family):
    """Returns weights and inputs in float32 or wider, of shapes that fit the family."""
    weights, inputs = wide("weights", weights), wide("inputs", inputs)
    if family not in FAMILIES:
        raise ValueError(f"family is {family!r}; it must be one of {FAMILIES}")
    rank = 2 if family == "softmax" else 1
    if weights.ndim != rank or inputs.ndim != 2 or inputs.shape[1] != weights.shape[0]:
        raise ValueError(
            f"weights have shape {weights.shape} and inputs {inputs.shape}; for "
            f"{family!r} they must be [features{', classes' if rank == 2 else ''}] and "
            "[examples, features]"
        )
    return weights, inputs
