# SPDX-License-Identifier: Apache-2.0
"""A finished or interrupted run, back in Python."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dropout_jax import stored
from dropout_jax.config import from_json
from dropout_jax.config.alike import hint
from dropout_jax.config.causes import reading
from dropout_jax.config.errors import UserError, seen_from
from dropout_jax.config.loading import override
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.data.images import refuse_other
from dropout_jax.evaluation.mc_dropout import mc_predict
from dropout_jax.files import refuse_odd
from dropout_jax.keys import step_key
from dropout_jax.training import (
    checkpoints,
    environment,
    fingerprint,
    parts,
    plugin_source,
    run_inputs,
    sets,
)
from dropout_jax.training.outcome import DONE, FINISHED, PRUNED
from dropout_jax.training.plugin import refuse_unknown
from dropout_jax.training.prepare import (
    Prepared,
    PreparedModel,
    prepare,
    prepare_model,
)
from dropout_jax.training.run_directory import RunDirectory
from dropout_jax.training.step import pixels

# Images of one draw of noise: another number, and the samples are others.
SAMPLE_BATCH = 1000


@dataclasses.dataclass(frozen=True)
class LoadedRun:
    """A trained model.

    Attributes:
      config: the configuration of the run.
      params: the parameters, a dict of arrays.
      model_state: batch statistics; empty without batch normalisation.
      model: the linen module.
      predict: images, uint8 [n, height, width] as the model was trained on -> logits
        [n, classes]; UserError for others.
      sample: (images, key, n_samples) -> logits [n_samples, n, classes] of passes under
        the noise and the rates it was trained with; more samples of a key begin with
        those of fewer (`evaluation.mc_dropout`).
      result: content of result.json, None for a run that is not finished.
      parameters: name of the set that the parameters are.
      epoch: number of epochs after which they were kept; 0: the initial ones.
    """

    config: Any
    params: Any
    model_state: Any
    model: Any
    predict: Callable[[Any], jax.Array]
    sample: Callable[[Any, jax.Array, int], jax.Array]
    result: dict[str, Any] | None
    parameters: str
    epoch: int


def load_run(
    directory: str | Path,
    parameters: str | None = None,
    *,
    trust_plugin: bool = False,
    accept_changes: bool = False,
) -> LoadedRun:
    """Returns the model that a run trained.

    The data it was trained on are not needed.

    Args:
      directory: the `--workdir` of the run.
      parameters: which of the sets that the run keeps: "best_accuracy" (highest
        validation accuracy), "least_nll" (least validation loss) or "last" (of the
        last finished epoch). By default that of `train.keep`, which `test` in its
        result is about.
      trust_plugin: whether to import the plugin that its configuration names, which
        is Python code; one that is imported already needs no trust.
      accept_changes: whether a plugin is used that has changed since the training.

    Raises:
      UserError: there is no run, or no usable checkpoint in it, or no such set of
        parameters, or the run is finished and its checkpoint does not hold the
        parameters that were tested, or its plugin or `jax_enable_x64` was another one.

    Example:
      ``logits = load_run("runs/a", "least_nll").predict(images)``
    """
    if parameters not in (None, *sets.NAMES):
        raise UserError(
            f"parameters={parameters!r} is no set that a run keeps: give one of "
            f"{', '.join(sets.NAMES)}, or leave it out for that of train.keep"
            f"{hint(str(parameters), sets.NAMES)}"
        )
    run = RunDirectory(directory)
    with reading(run.path):
        refuse_odd(run.path)
        saved = run.config()
    if saved is None:
        near = hint_of_path(directory, "*/config.json")
        raise UserError(f"{directory} holds no run; give the --workdir of one{near}")
    config = from_json(saved)
    here = _with_plugin(run, config)
    if not trust_plugin:
        refuse_unknown(here.plugin, directory, "load_run(..., trust_plugin=True)")
    _check_inputs(run, here.plugin, accept_changes)
    prepared = _prepared(run, here)
    lane, lanes = run.lane()
    shapes = checkpoints.shapes(prepared.abstract, lanes)
    restored = checkpoints.restore(run.checkpoints, shapes, warnings.warn)
    if restored is None:
        raise UserError(f"{directory} {_without_checkpoint(run)}")
    tree, host = restored
    found = sets.restored(directory, host["lanes"][lane]["sets"], tree["models"][lane])
    name = parameters or sets.OF_KEEP[config.train.keep]
    kept = getattr(found, name)
    params, model_state = kept.model
    result = run.result()
    if run.status in (DONE, PRUNED) and result is not None:
        digests = checkpoints.model_digests(params, model_state)
        told = stored.expect(directory, result, "sets", dict).get(name, {})
        # Those of `train.keep` stand outside of the sets too.
        tellers = (told, result) if parameters is None else (told,)
        if any(t.get(n) != digest for t in tellers for n, digest in digests.items()):
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
            params, model_state, _images(prepared, images), prepared.hparams
        ),
        sample=functools.partial(_sample, prepared, {"params": params, **model_state}),
        result=result,
        parameters=name,
        epoch=kept.epoch,
    )


def _with_plugin(run: RunDirectory, config: Any) -> Any:
    """Returns the configuration with a plugin that is found from this directory.

    A relative path is one of the directory that the training was started in.
    """
    plugin = config.plugin
    if not plugin_source.is_path(plugin) or Path(plugin).is_file():
        return config
    known = []
    with contextlib.suppress(stored.Damaged):
        known = [part.get("plugin_file") for part in run.parts()]
    for file in map(str, filter(None, reversed(known))):
        if Path(file).is_file():
            return override(config, {"plugin": file})
    raise UserError(
        f"{run.path} needs the plugin {plugin!r}, which is not there{seen_from(plugin)}"
        + "".join(f" nor at {file}" for file in known[-1:] if file)
        + "; start from the directory that has it"
    )


def _without_checkpoint(run: RunDirectory) -> str:
    """Says why there is no checkpoint to load, and what to do."""
    if run.status not in FINISHED:
        return "has no usable checkpoint yet; run it again, and it goes on"
    return (
        "is finished and has no checkpoint any more: a study removes those of its "
        "trials unless it is run with --keep_checkpoints; train it again, with the "
        "fields of its config.json, in a new directory"
    )


def _check_inputs(run: RunDirectory, plugin: str, accept: bool) -> None:
    """Raises UserError for what would make of the parameters another model, or none."""
    found = fingerprint.differences(run_inputs.saved(run), environment.inputs(plugin))
    precision = {k: v for k, v in found.items() if not fingerprint.acceptable(k)}
    source = {k: v for k, v in found.items() if k == fingerprint.PLUGIN and not accept}
    if differing := precision or source:
        was, now = fingerprint.described(differing)
        way = "" if precision else ", or load_run(..., accept_changes=True)"
        raise UserError(
            f"{run.path} was trained with {was}, and this process has {now}: "
            f"{fingerprint.cure(differing)}{way}"
        )


def _prepared(run: RunDirectory, config: Any) -> PreparedModel | Prepared:
    """Returns the programs of a run, by the shape of its data that env.json has.

    The data are loaded where env.json was lost.
    """
    with contextlib.suppress(stored.Damaged):
        for part in reversed(run.parts()):
            if (shape := parts.data_shape(run.path, part)) is not None:
                return prepare_model(config, shape)
    return prepare(config)


def _images(prepared: PreparedModel | Prepared, images: Any) -> Any:
    """Returns images as an array, if they are such as the model was trained on."""
    if not isinstance(images, jax.Array):
        try:
            images = np.asarray(images)
        except ValueError:  # rows of different lengths
            kind = type(images).__name__
            raise UserError(f"images: {kind}; give one array of all of them") from None
    refuse_other("images", images, prepared.programs.image_shape)
    return images


def _sample(prepared, variables, images, key, n_samples) -> jax.Array:
    images = _images(prepared, images)
    rates = prepared.hparams.rates
    parts = [
        mc_predict(
            _noisy(prepared.programs.model),
            variables,
            (jnp.asarray(images[start : start + SAMPLE_BATCH]), rates),
            step_key(key, start // SAMPLE_BATCH),
            n_samples,
        )
        for start in range(0, len(images), SAMPLE_BATCH)
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
