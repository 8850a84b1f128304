# SPDX-License-Identifier: Apache-2.0
"""A finished or interrupted run, back in Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from dropout_jax import data
from dropout_jax.config import from_json
from dropout_jax.config.errors import UserError
from dropout_jax.training import checkpoints
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs
from dropout_jax.training.run import import_plugin
from dropout_jax.training.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class LoadedRun:
    """A trained model.

    Attributes:
      config: the configuration of the run.
      params: the kept parameters (those that were tested), a dict of arrays.
      model_state: batch statistics; empty without batch normalisation.
      model: the linen module.
      predict: images, uint8 [n, height, width] -> logits [n, classes].
      result: content of result.json, None for a run that is not finished.
    """

    config: Any
    params: Any
    model_state: Any
    model: Any
    predict: Callable[[Any], jax.Array]
    result: dict[str, Any] | None


def load_run(directory: str | Path) -> LoadedRun:
    """Returns the model that a run trained.

    Args:
      directory: the `--workdir` of the run.

    Raises:
      UserError: there is no run, or no usable checkpoint in it.

    Example:
      ``logits = load_run("runs/a").predict(images)``
    """
    run = RunDirectory(directory)
    stored = run.config()
    if stored is None:
        raise UserError(f"{directory} holds no run; give the --workdir of one")
    config = from_json(stored)
    import_plugin(config.plugin)
    dataset = data.load(
        config.data.name,
        source_dir=config.data.source_dir,
        train_size=config.data.train_size,
    )
    programs = build_programs(
        config,
        image_shape=dataset.train_images.shape[1:],
        classes=int(dataset.train_labels.max()) + 1,
        train_size=len(dataset.train_labels),
    )
    hparams = traced(config, programs.model.sites)

    def abstract() -> dict[str, Any]:
        state = programs.init(hparams, jnp.asarray(config.seed, jnp.uint32))
        return {"state": state, "best": (state.params, state.model_state)}

    restored = checkpoints.restore(run.checkpoints, jax.eval_shape(abstract))
    if restored is None:
        raise UserError(f"{directory} has no usable checkpoint; run it again")
    params, model_state = restored[0]["best"]
    return LoadedRun(
        config=config,
        params=params,
        model_state=model_state,
        model=programs.model,
        predict=lambda images: programs.predict(params, model_state, images),
        result=run.result(),
    )
