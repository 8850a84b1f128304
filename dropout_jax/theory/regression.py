# SPDX-License-Identifier: Apache-2.0
"""Linear regression with dropout of the inputs: ridge regression, exactly."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.theory.checks import check_rate, wide


def dropout_regression_loss(
    weights: jax.Array,
    inputs: jax.Array,
    targets: jax.Array,
    rate: ArrayLike,
    *,
    scaling: str = "train",
) -> jax.Array:
    """Returns E over masks of sum_i (t_i - w^T (m_i x_i))**2: no approximation.

    With k = 1 - rate: "train" (m / k): |t - X w|**2 + (1 - k) / k sum_j w_j**2 sum_i
    x_ij**2; "test" (m alone): |t - k X w|**2 + k (1 - k) times the same sum.

    Args:
      weights: [features].
      inputs: [examples, features].
      targets: [examples].
      rate: probability of dropping an input, in [0, 1) for "train"; may be traced.
      scaling: as for `dropout`.

    Returns:
      float32 scalar, summed over the examples.

    Raises:
      ValueError: for a concrete rate out of range, or an unknown scaling.

    Example:
      >>> one = jnp.ones(1)
      >>> float(dropout_regression_loss(one, jnp.ones((1, 1)), one, 0.5))
      1.0

    References:
      Srivastava et al. 2014, JMLR 15, section 9.1. The textbook's theorem 9.4.4 takes
      the model's own output for the target, which leaves no data in it.
    """
    k = 1.0 - check_rate(rate, scaling)
    weights, inputs, targets = _wide(weights=weights, inputs=inputs, targets=targets)
    factor = 1.0 if scaling == "train" else k
    spread = (1.0 - k) / k if scaling == "train" else k * (1.0 - k)
    residual = targets - factor * (inputs @ weights)
    penalty = jnp.sum(jnp.square(weights) * jnp.sum(jnp.square(inputs), 0))
    return jnp.sum(jnp.square(residual)) + spread * penalty


def dropout_ridge_solution(
    inputs: jax.Array, targets: jax.Array, rate: ArrayLike, *, scaling: str = "train"
) -> jax.Array:
    """Returns the weights that minimise `dropout_regression_loss`.

    w = (X^T X + (1 - k) / k diag(X^T X))^-1 X^T t for "train". For "test" it is w / k,
    so that the network of test time, k w, is the same: the strength of the
    regularisation is (1 - k) / k either way, and grows with the rate without bound.

    Args:
      inputs: [examples, features].
      targets: [examples].
      rate: probability of dropping an input, in [0, 1); may be traced.
      scaling: as for `dropout`.

    Returns:
      [features].

    Raises:
      ValueError: for a concrete rate out of range, or an unknown scaling.

    Example:
      >>> x, t = jnp.array([[1.0], [2.0]]), jnp.array([2.0, 4.0])
      >>> round(float(dropout_ridge_solution(x, t, 0.5)[0]), 4)
      1.0

    References:
      Srivastava et al. 2014, JMLR 15, section 9.1.
    """
    check_rate(rate, scaling)
    k = 1.0 - check_rate(rate)  # at rate 1 there is no solution in either form
    inputs, targets = _wide(inputs=inputs, targets=targets)
    gram = inputs.T @ inputs
    ridge = gram + (1.0 - k) / k * jnp.diag(jnp.diag(gram))
    weights = jnp.linalg.solve(ridge, inputs.T @ targets)
    return weights if scaling == "train" else weights / k


def effective_l2(inputs: jax.Array, rate: ArrayLike) -> jax.Array:
    """Returns the strength of the L2 penalty that dropout puts on each feature.

    lambda_j = rate / (1 - rate) sum_i x_ij**2, in |t - X w|**2 + sum_j lambda_j w_j**2

    Args:
      inputs: [examples, features].
      rate: in [0, 1); may be traced.

    Returns:
      [features].

    Raises:
      ValueError: for a concrete rate outside [0, 1).

    Example:
      >>> effective_l2(jnp.array([[1.0, 2.0], [1.0, 0.0]]), 0.5).tolist()
      [2.0, 4.0]

    References:
      Wager, Wang, Liang 2013, Dropout training as adaptive regularization, NeurIPS,
      section 2.
    """
    rate, (inputs,) = check_rate(rate), _wide(inputs=inputs)
    return rate / (1.0 - rate) * jnp.sum(jnp.square(inputs), 0)


def _wide(**arrays: jax.Array) -> list[jax.Array]:
    return [wide(name, array) for name, array in arrays.items()]
