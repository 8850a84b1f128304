# SPDX-License-Identifier: Apache-2.0
"""From a configuration to everything a run computes with."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dropout_jax import data
from dropout_jax.config.errors import UserError
from dropout_jax.config.steps import check_steps
from dropout_jax.config.validation import check_fields
from dropout_jax.data import content
from dropout_jax.training import inspection
from dropout_jax.training.hyperparameters import Hyperparameters, traced
from dropout_jax.training.mesh import make_devices
from dropout_jax.training.parts import DataShape
from dropout_jax.training.plugin import import_plugin, told
from dropout_jax.training.programs import Programs, build_programs
from dropout_jax.training.step import TrainState


class PreparedModel(NamedTuple):
    """Programs and arguments of a run; `abstract` are the shapes of its state."""

    programs: Programs
    hparams: Hyperparameters
    seed: jax.Array  # shape (), uint32
    abstract: TrainState
    remarks: tuple[str, ...]  # what to know of the model, one line each


class Prepared(NamedTuple):
    """The same, with the data."""

    dataset: data.Dataset
    programs: Programs
    hparams: Hyperparameters
    seed: jax.Array
    abstract: TrainState
    remarks: tuple[str, ...]


def prepare(config: Any) -> Prepared:
    """Returns what `config` asks for, checked as far as it can be before any work.

    Raises:
      UserError: the plugin, the data or the model do not fit.
    """
    make_devices(config.train.devices)
    import_plugin(config.plugin)
    name, source_dir = config.data.name, config.data.source_dir
    source = name, source_dir, content.stamp(name, source_dir)
    dataset = _cut(
        source,
        train_size=config.data.train_size,
        validation_size=config.data.validation_size,
        split=config.data.split,
        seed=config.seed if config.data.split == "drawn" else 0,
    )
    check_steps(check_fields(config), len(dataset.train_labels))
    _check_shift(config.data.shift, dataset.train_images.shape[1:])
    shape = DataShape(
        dataset.train_images.shape[1:], dataset.num_classes, len(dataset.train_labels)
    )
    return Prepared(dataset, *prepare_model(config, shape))


def prepare_model(config: Any, shape: DataShape) -> PreparedModel:
    """Returns what `config` asks for but the data, which are not loaded.

    Args:
      config: a whole configuration.
      shape: of the data.

    Raises:
      UserError: the plugin or the model do not fit.
    """
    make_devices(config.train.devices)
    import_plugin(config.plugin)
    seed = jnp.asarray(config.seed, jnp.uint32)
    try:
        programs = build_programs(
            config,
            image_shape=shape.image_shape,
            classes=shape.classes,
            train_size=shape.train_size,
        )
        hparams = traced(config, programs.model.sites)
        state = jax.eval_shape(programs.init, hparams, seed)
        remarks = inspection.remarks(
            config,
            programs.model,
            {"params": state.params, **state.model_state},
            hparams.rates,
            shape.image_shape,
            shape.classes,
        )
    except UserError:
        raise
    except Exception as error:
        if (of_plugin := told(config.plugin, error)) is not None:
            raise of_plugin from error
        if isinstance(error, ValueError):
            raise UserError(str(error)) from error
        raise
    return PreparedModel(programs, hparams, seed, state, remarks)


def _check_shift(shift: int, size: tuple[int, ...]) -> None:
    if shift > min(size):
        raise UserError(
            f"config.data.shift={shift}: must be at most {min(size)}, the smaller side "
            f"of the images, which are {size[0]} x {size[1]} pixels"
        )


@functools.lru_cache(maxsize=1)
def _cut(source: tuple[str, str, content.Stamp], **wanted: Any) -> data.Dataset:
    """Returns what a run trains on; equal ones of a group are one object."""
    return data.cut(_load(*source), **wanted)


@functools.lru_cache(maxsize=1)
def _load(name: str, source_dir: str, touched: content.Stamp) -> data.Dataset:
    """Returns the whole data set; the trials of a study read and verify it once."""
    del touched
    return data.load(name, source_dir=source_dir)
