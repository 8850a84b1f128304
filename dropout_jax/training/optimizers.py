# SPDX-License-Identifier: Apache-2.0
"""Optimisers and learning-rate schedules from optax, with traced hyperparameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dropout_jax.config.steps import steps
from dropout_jax.nn.noise import PREFIX
from dropout_jax.training.hyperparameters import Hyperparameters


def leaf_name(path: tuple[Any, ...]) -> str:
    """Returns the last key of a parameter's path, such as `kernel`."""
    return str(path[-1].key)


def is_kernel(path: tuple[Any, ...]) -> bool:
    """Whether a parameter is a weight matrix: what decay and max-norm act on."""
    return leaf_name(path).endswith("kernel")


def is_noise(path: tuple[Any, ...]) -> bool:
    """Whether a parameter belongs to a noise layer, such as log alpha."""
    return leaf_name(path).startswith(PREFIX)


def make_schedule(config: Any, steps_per_epoch: int) -> optax.Schedule:
    """Returns step -> factor in [0, 1] on the peak learning rate.

    Args:
      config: a whole configuration; durations are given in epochs.
      steps_per_epoch: optimiser steps per epoch.
    """
    warmup = steps(config.optimizer.warmup_epochs, steps_per_epoch)
    total = config.train.epochs * steps_per_epoch
    if config.optimizer.schedule == "cosine":
        schedule = optax.cosine_decay_schedule(1.0, total - warmup)
    elif config.optimizer.schedule == "step":
        boundaries: dict[int, float] = {}
        for epoch in config.optimizer.step_epochs:
            at = steps(epoch, steps_per_epoch) - warmup
            boundaries[at] = boundaries.get(at, 1.0) * config.optimizer.step_factor
        schedule = optax.piecewise_constant_schedule(1.0, boundaries)
    else:
        schedule = optax.constant_schedule(1.0)
    if warmup > 0:
        ramp = optax.linear_schedule(0.0, 1.0, warmup)
        schedule = optax.join_schedules([ramp, schedule], [warmup])
    return _promoting(schedule)


def make_optimizer(
    config: Any, steps_per_epoch: int, hparams: Hyperparameters
) -> optax.GradientTransformation:
    """Returns the optimiser of `config`; call it inside the traced function.

    Weight decay is decoupled for every optimiser: it acts on kernels alone, after
    the adaptive scaling and before the learning rate (Loshchilov and Hutter 2019).
    Learned noise parameters have the learning rate times
    `noise.learning_rate_multiplier`, and no decay.

    Args:
      config: a whole configuration; its static part only is read.
      steps_per_epoch: optimiser steps per epoch.
      hparams: traced values; they are never part of the optimiser's state.
    """
    schedule = make_schedule(config, steps_per_epoch)

    def kernels(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(lambda path, _: is_kernel(path), params)

    def noise(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(lambda path, _: is_noise(path), params)

    name = config.optimizer.name
    scale = {
        "adamw": optax.scale_by_adam,
        "sgd": optax.identity,
        "momentum": lambda: optax.trace(hparams.momentum),
        "nesterov": lambda: optax.trace(hparams.momentum, nesterov=True),
    }[name]()
    parts = [
        scale,
        optax.add_decayed_weights(hparams.weight_decay, kernels),
        optax.masked(optax.scale(config.noise.learning_rate_multiplier), noise),
        optax.scale_by_learning_rate(
            lambda step: hparams.learning_rate * schedule(step)
        ),
    ]
    if config.optimizer.clip_norm > 0:
        parts.insert(0, optax.clip_by_global_norm(config.optimizer.clip_norm))
    chain = optax.chain(*parts)
    return optax.GradientTransformation(chain.init, _promoting(chain.update))


def _promoting(of_optax: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function under JAX's standard rules of promotion.

    Optax computes with steps and decays, integers and floats; under
    `jax_numpy_dtype_promotion=strict` that would be an error.
    """

    @functools.wraps(of_optax)
    def call(*args: Any) -> Any:
        with jax.numpy_dtype_promotion("standard"):
            return of_optax(*args)

    return call


def project(config: Any, params: Any) -> Any:
    """Returns `params` moved back into the constraints of `config`.

    Max-norm: the weights into one unit (a kernel's last axis) keep a Euclidean norm
    of at most `regularizer.max_norm` (Srivastava et al. 2014, section 5.1).
    `noise.max_alpha`: log alpha stays at or below its logarithm (Kingma et al. 2015
    bound alpha by 1). 0 switches either off.
    """
    max_norm, max_alpha = config.regularizer.max_norm, config.noise.max_alpha

    def constrain(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        if max_norm > 0 and is_kernel(path):
            axes = tuple(range(leaf.ndim - 1))
            norm = jnp.sqrt(jnp.sum(leaf**2, axes, keepdims=True))
            return leaf * jnp.minimum(1.0, max_norm / jnp.maximum(norm, 1e-12))
        if max_alpha > 0 and leaf_name(path) == PREFIX + "log_alpha":
            return jnp.minimum(leaf, jnp.log(max_alpha))
        return leaf

    return jax.tree_util.tree_map_with_path(constrain, params)
