# SPDX-License-Identifier: Apache-2.0
"""From a configuration to everything a run computes with."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dropout_jax import data
from dropout_jax.config.errors import UserError
from dropout_jax.training.hyperparameters import Hyperparameters, traced
from dropout_jax.training.plugin import import_plugin
from dropout_jax.training.programs import Programs, build_programs


class Prepared(NamedTuple):
    """Data, programs and arguments of a run; `abstract` are its checkpoints' shapes."""

    dataset: data.Dataset
    programs: Programs
    hparams: Hyperparameters
    seed: jax.Array  # shape (), uint32
    abstract: dict[str, Any]


def prepare(config: Any) -> Prepared:
    """Returns what `config` asks for, checked as far as it can be before any work.

    Raises:
      UserError: the plugin, the data or the model do not fit.
    """
    import_plugin(config.plugin)
    dataset = data.load(
        config.data.name,
        source_dir=config.data.source_dir,
        train_size=config.data.train_size,
    )
    train_size = len(dataset.train_labels)
    if config.train.batch_size > train_size:
        raise UserError(
            f"train.batch_size={config.train.batch_size} is larger than the "
            f"{train_size} training images; give at most that many"
        )
    seed = jnp.asarray(config.seed, jnp.uint32)
    try:
        programs = build_programs(
            config,
            image_shape=dataset.train_images.shape[1:],
            classes=dataset.num_classes,
            train_size=train_size,
        )
        hparams = traced(config, programs.model.sites)
        state = jax.eval_shape(programs.init, hparams, seed)
    except ValueError as error:
        raise UserError(str(error)) from error
    abstract = {"state": state, "best": [(state.params, state.model_state)]}
    return Prepared(dataset, programs, hparams, seed, abstract)
