# SPDX-License-Identifier: Apache-2.0
"""Pure transforms `(key, x, rate) -> y`, with their moments and KLs. Needs jax only."""

from dropout_jax.transforms import schedules
from dropout_jax.transforms.additive import gaussian_noise, gaussian_noise_moments
from dropout_jax.transforms.alpha import alpha_dropout, alpha_dropout_moments
from dropout_jax.transforms.bernoulli import bernoulli_mask, dropout, dropout_moments
from dropout_jax.transforms.concrete import (
    concrete_dropout,
    concrete_dropout_moments,
)
from dropout_jax.transforms.concrete_kl import concrete_regularizer, concrete_weight_kl
from dropout_jax.transforms.dropblock import dropblock, dropblock_moments
from dropout_jax.transforms.dropblock_rate import dropblock_seed_rate
from dropout_jax.transforms.dropconnect import (
    dropconnect_dense,
    dropconnect_dense_moments,
    weight_drop,
)
from dropout_jax.transforms.gaussian import (
    alpha_from_rate,
    gaussian_dropout,
    gaussian_dropout_moments,
    rate_from_alpha,
)
from dropout_jax.transforms.kl import kl_bernoulli, kl_gaussian, kl_log_uniform
from dropout_jax.transforms.kl_per_example import kl_per_example
from dropout_jax.transforms.logit_normal import (
    logit_normal_dropout,
    logit_normal_dropout_moments,
)
from dropout_jax.transforms.lognormal import (
    lognormal_dropout,
    lognormal_dropout_moments,
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
from dropout_jax.transforms.structured import (
    drop_path,
    drop_path_moments,
    linear_depth_rates,
    spatial_dropout,
    spatial_dropout_moments,
)
from dropout_jax.transforms.variational import (
    variational_dropout,
    variational_dropout_moments,
)
from dropout_jax.transforms.variational_conv import (
    variational_conv,
    variational_conv_moments,
)
from dropout_jax.transforms.variational_dense import (
    variational_dense,
    variational_dense_moments,
)
from dropout_jax.transforms.weight_noise import (
    sparse_kernel,
    sparsity,
    weight_log_alpha,
)
from dropout_jax.transforms.zoneout import zoneout, zoneout_moments

# isort: split
# Last: it enters all of the above into the registry.
from dropout_jax.transforms import catalogue as _catalogue  # noqa: F401

__all__ = [
    "Example",
    "Learned",
    "Moments",
    "Transform",
    "alpha_dropout",
    "alpha_dropout_moments",
    "alpha_from_rate",
    "bernoulli_mask",
    "concrete_dropout",
    "concrete_dropout_moments",
    "concrete_regularizer",
    "concrete_weight_kl",
    "drop_path",
    "drop_path_moments",
    "dropblock",
    "dropblock_moments",
    "dropblock_seed_rate",
    "dropconnect_dense",
    "dropconnect_dense_moments",
    "dropout",
    "dropout_moments",
    "gaussian_dropout",
    "gaussian_dropout_moments",
    "gaussian_noise",
    "gaussian_noise_moments",
    "get",
    "kl_bernoulli",
    "kl_gaussian",
    "kl_log_uniform",
    "kl_per_example",
    "linear_depth_rates",
    "logit_normal_dropout",
    "logit_normal_dropout_moments",
    "lognormal_dropout",
    "lognormal_dropout_moments",
    "names",
    "rate_from_alpha",
    "register",
    "schedules",
    "sparse_kernel",
    "sparsity",
    "spatial_dropout",
    "spatial_dropout_moments",
    "variational_conv",
    "variational_conv_moments",
    "variational_dense",
    "variational_dense_moments",
    "variational_dropout",
    "variational_dropout_moments",
    "weight_drop",
    "weight_log_alpha",
    "zoneout",
    "zoneout_moments",
]
