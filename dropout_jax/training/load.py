# SPDX-License-Identifier: Apache-2.0
"""A finished or interrupted run, back in Python."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from dropout_jax.config import from_json
from dropout_jax.config.errors import UserError
from dropout_jax.evaluation.mc_dropout import mc_predict
from dropout_jax.files import reading, refuse_odd
from dropout_jax.keys import step_key
from dropout_jax.training import checkpoints, environment, fingerprint
from dropout_jax.training.outcome import DONE
from dropout_jax.training.plugin import refuse_unknown
from dropout_jax.training.prepare import prepare
from dropout_jax.training.programs import PREDICTION_BATCH
from dropout_jax.training.run_directory import RunDirectory
from dropout_jax.training.step import pixels


@dataclasses.dataclass(frozen=True)
class LoadedRun:
    """A trained model.

    Attributes:
      config: the configuration of the run.
      params: the kept parameters (those that were tested), a dict of arrays.
      model_state: batch statistics; empty without batch normalisation.
      model: the linen module.
      predict: images, uint8 [n, height, width] -> logits [n, classes].
      sample: (images, key, n_samples) -> logits [n_samples, n, classes] of passes under
        the noise and the rates it was trained with; more samples of a key begin with
        those of fewer (`evaluation.mc_dropout`).
      result: content of result.json, None for a run that is not finished.
    """

    config: Any
    params: Any
    model_state: Any
    model: Any
    predict: Callable[[Any], jax.Array]
    sample: Callable[[Any, jax.Array, int], jax.Array]
    result: dict[str, Any] | None


def load_run(
    directory: str | Path, *, trust_plugin: bool = False, accept_changes: bool = False
) -> LoadedRun:
    """Returns the model that a run trained.

    Args:
      directory: the `--workdir` of the run.
      trust_plugin: whether to import the plugin that its configuration names, which
        is Python code; one that is imported already needs no trust.
      accept_changes: whether a plugin is used that has changed since the training.

    Raises:
      UserError: there is no run, or no usable checkpoint in it, or the run is finished
        and its checkpoint does not hold the parameters that were tested, or its plugin
        or `jax_enable_x64` was another one.

    Example:
      ``logits = load_run("runs/a").predict(images)``
    """
    run = RunDirectory(directory)
    with reading(run.path):
        refuse_odd(run.path)
        stored = run.config()
    if stored is None:
        raise UserError(f"{directory} holds no run; give the --workdir of one")
    config = from_json(stored)
    if not trust_plugin:
        refuse_unknown(config.plugin, directory, "load_run(..., trust_plugin=True)")
    _check_inputs(run, config.plugin, accept_changes)
    prepared = prepare(config)
    lane, lanes = run.lane()
    abstract = checkpoints.shapes(prepared.abstract, lanes)
    restored = checkpoints.restore(run.checkpoints, abstract, warnings.warn)
    if restored is None:
        raise UserError(f"{directory} has no usable checkpoint; run it again")
    params, model_state = restored[0]["best"][lane]
    result = run.result()
    if run.status == DONE and result is not None:
        digests = checkpoints.model_digests(params, model_state)
        if any(result.get(name) != digest for name, digest in digests.items()):
            raise UserError(
                f"{directory}: the checkpoint with the tested parameters is damaged; "
                "run it again in a new directory"
            )
    return LoadedRun(
        config=config,
        params=params,
        model_state=model_state,
        model=prepared.programs.model,
        predict=lambda images: prepared.programs.predict(
            params, model_state, images, prepared.hparams
        ),
        sample=functools.partial(_sample, prepared, {"params": params, **model_state}),
        result=result,
    )


def _check_inputs(run: RunDirectory, plugin: str, accept: bool) -> None:
    """Raises UserError for what would make of the parameters another model, or none."""
    found = fingerprint.differences(run.inputs(), environment.inputs(plugin))
    precision = {k: v for k, v in found.items() if k == "jax_enable_x64"}
    source = {k: v for k, v in found.items() if k == fingerprint.PLUGIN and not accept}
    if differing := precision or source:
        was, now = fingerprint.described(differing)
        way = "" if precision else ", or load_run(..., accept_changes=True)"
        raise UserError(
            f"{run.path} was trained with {was}, and this process has {now}: "
            f"{fingerprint.cure(differing)}{way}"
        )


def _sample(prepared, variables, images, key, n_samples) -> jax.Array:
    rates = prepared.hparams.rates
    parts = [
        mc_predict(
            _noisy(prepared.programs.model),
            variables,
            (jnp.asarray(images[start : start + PREDICTION_BATCH]), rates),
            step_key(key, start // PREDICTION_BATCH),
            n_samples,
        )
        for start in range(0, len(images), PREDICTION_BATCH)
    ]
    return jnp.concatenate(parts, axis=1)


@functools.cache
def _noisy(model):
    """One function per model for `mc_predict`, which compiles each that it is given."""

    def noisy(variables, inputs, key):
        images, rates = inputs
        # Nothing is mutable, so that batch normalisation keeps its running statistics.
        keys = {"dropout": key}
        return model.apply(variables, pixels(images), rates, train=True, rngs=keys)

    return noisy
