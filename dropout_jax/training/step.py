# SPDX-License-Identifier: Apache-2.0
"""One optimiser step as a pure function of state, hyperparameters and seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from dropout_jax import keys
from dropout_jax.config.errors import UserError
from dropout_jax.data.augment import augment
from dropout_jax.nn.kl import total_kl
from dropout_jax.training import losses, optimizers
from dropout_jax.training.hyperparameters import Hyperparameters
from dropout_jax.training.noise_schedule import rate_factor


class Totals(NamedTuple):
    """Sums over the steps of the current epoch, reset when a new one begins."""

    loss: jax.Array  # shape (), cross-entropy with noise on
    correct: jax.Array  # shape (), number of right predictions with noise on
    gradient_norm: jax.Array  # shape ()


class TrainState(NamedTuple):
    """Everything a run is at one step. No key: (seed, step) is all the randomness."""

    step: jax.Array  # shape (), int32
    params: Any
    model_state: Any  # batch statistics, {} without batch normalisation
    opt_state: Any
    totals: Totals


def zero_totals() -> Totals:
    """Returns totals of no steps."""
    return Totals(*(jnp.zeros(()) for _ in Totals._fields))


def pixels(images: jax.Array) -> jax.Array:
    """Returns uint8 images as float32 in [0, 1]."""
    return images.astype(jnp.float32) / 255.0


def make_train_step(config: Any, model: Any, steps_per_epoch: int, train_size: int):
    """Returns `step(state, hparams, seed, images, labels) -> state`.

    Args:
      config: a whole configuration; its static part only is read.
      model: linen module called as `model(images, rates, train=...)`.
      steps_per_epoch: optimiser steps per epoch.
      train_size: number of training examples, which the KL is divided by.
    """
    noise = config.noise
    warmup_steps = noise.kl_warmup_epochs * steps_per_epoch
    factor = rate_factor(noise, steps_per_epoch)
    readers = {}
    if noise.kind == "concrete_dropout" and noise.length_scale > 0:
        readers = _readers(model)

    def step(state, hparams: Hyperparameters, seed, images, labels) -> TrainState:
        root = keys.root_key(seed)
        noise_key = keys.step_key(keys.stream(root, keys.DROPOUT), state.step)
        x = pixels(images)
        if config.data.shift or config.data.flip:
            # Its own stream: the batches must not depend on augmentation.
            stream = keys.stream(root, keys.AUGMENT)
            x = augment(
                keys.step_key(stream, state.step),
                x,
                shift=config.data.shift,
                flip=config.data.flip,
            )

        def objective(params):
            logits, updates = model.apply(
                {"params": params, **state.model_state},
                x,
                hparams.rates * factor(state.step),
                train=True,
                rngs={"dropout": noise_key},
                mutable=["kl", *state.model_state],
            )
            updates = dict(updates)
            kl = total_kl(updates.pop("kl", {}))
            kl += losses.concrete_weight_kl(params, readers, noise.length_scale)
            data_loss = losses.cross_entropy(logits, labels, hparams.label_smoothing)
            kl_factor = hparams.kl_weight * losses.kl_warmup(state.step, warmup_steps)
            loss = (
                data_loss
                + kl_factor * kl / train_size
                + hparams.l2 * losses.l2_penalty(params)
            )
            return loss, (data_loss, logits, updates)

        gradient, (data_loss, logits, model_state) = jax.grad(objective, has_aux=True)(
            state.params
        )
        optimizer = optimizers.make_optimizer(config, steps_per_epoch, hparams)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        right = jnp.sum(logits.argmax(-1) == labels)
        totals = Totals(
            loss=state.totals.loss + data_loss,
            correct=state.totals.correct + right.astype(jnp.float32),
            gradient_norm=state.totals.gradient_norm + optax.tree.norm(gradient),
        )
        return TrainState(
            step=state.step + 1,
            params=optimizers.project(config, params),
            model_state=model_state,
            opt_state=opt_state,
            totals=totals,
        )

    return step


def _readers(model: Any) -> Mapping[str, str]:
    if not hasattr(model, "readers"):
        raise UserError(
            f"model {type(model).__name__} has no property readers, which says what "
            "kernel reads each site: add it, or set config.noise.length_scale=0"
        )
    return model.readers
