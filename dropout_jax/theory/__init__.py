# SPDX-License-Identifier: Apache-2.0
"""What can be said of dropout without sampling it. Needs jax only."""

from dropout_jax.theory import propagation
from dropout_jax.theory.adaptive import (
    all_masks,
    dropout_penalty_exact,
    mask_probabilities,
    wager_penalty,
)
from dropout_jax.theory.ensemble import (
    arithmetic_mean_predict,
    enumerate_softmax_layer,
    geometric_mean_predict,
    weight_scaling_predict,
)
from dropout_jax.theory.linear import LinearMoments, linear_dropout_moments
from dropout_jax.theory.regression import (
    dropout_regression_loss,
    dropout_ridge_solution,
    effective_l2,
)
from dropout_jax.theory.variance_shift import (
    linear_variance_shift_ratio,
    variance_shift_ratio,
)

__all__ = [
    "LinearMoments",
    "all_masks",
    "arithmetic_mean_predict",
    "dropout_penalty_exact",
    "dropout_regression_loss",
    "dropout_ridge_solution",
    "effective_l2",
    "enumerate_softmax_layer",
    "geometric_mean_predict",
    "linear_dropout_moments",
    "linear_variance_shift_ratio",
    "mask_probabilities",
    "propagation",
    "variance_shift_ratio",
    "wager_penalty",
    "weight_scaling_predict",
]
