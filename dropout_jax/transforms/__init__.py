# SPDX-License-Identifier: Apache-2.0
"""Pure transforms `(key, x, rate) -> y`, with their moments and KLs. Needs jax only."""

from dropout_jax.transforms.bernoulli import bernoulli_mask, dropout, dropout_moments
from dropout_jax.transforms.gaussian import (
    alpha_from_rate,
    gaussian_dropout,
    gaussian_dropout_moments,
    rate_from_alpha,
)
from dropout_jax.transforms.kl import kl_gaussian, kl_log_uniform
from dropout_jax.transforms.logit_normal import (
    logit_normal_dropout,
    logit_normal_dropout_moments,
)
from dropout_jax.transforms.moments import Moments
from dropout_jax.transforms.registry import (
    Example,
    Learned,
    Transform,
    get,
    names,
    register,
)
from dropout_jax.transforms.variational import (
    variational_dropout,
    variational_dropout_moments,
)

__all__ = [
    "Example",
    "Learned",
    "Moments",
    "Transform",
    "alpha_from_rate",
    "bernoulli_mask",
    "dropout",
    "dropout_moments",
    "gaussian_dropout",
    "gaussian_dropout_moments",
    "get",
    "kl_gaussian",
    "kl_log_uniform",
    "logit_normal_dropout",
    "logit_normal_dropout_moments",
    "names",
    "rate_from_alpha",
    "register",
    "variational_dropout",
    "variational_dropout_moments",
]
