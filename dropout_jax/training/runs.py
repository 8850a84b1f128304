# SPDX-License-Identifier: Apache-2.0
"""Training runs from configuration to result: one, or a group in step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dropout_jax.config import validate
from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.data import content
from dropout_jax.training import (
    checkpoints,
    compile_cache,
    environment,
    fingerprint,
    outcome,
    parts,
    run_inputs,
)
from dropout_jax.training.engine import Engine
from dropout_jax.training.interruption import stop_requests
from dropout_jax.training.lane import Lane
from dropout_jax.training.loop import Loop, Prune
from dropout_jax.training.parts import Part
from dropout_jax.training.prepare import Prepared, prepare
from dropout_jax.training.progress import TerminalProgress
from dropout_jax.training.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes:
      workdir: the run directory.
      status: `"done"`, `"diverged"` or `"pruned"`.
      values: the content of result.json.
      fresh: False if the run had been finished before and nothing was computed.
    """

    workdir: Path
    status: str
    values: dict[str, Any]
    fresh: bool


def run(
    config: Any,
    workdir: str | Path,
    *,
    test: bool = True,
    prune: Callable[[dict[str, Any]], bool] | None = None,
    progress: TerminalProgress | None = None,
    accept_changes: bool = False,
) -> Result:
    """Trains, validates, tests once, and writes the run directory.

    Validations are as many as `train.validations` says.

    Called again with the same arguments it resumes where it was interrupted, bit for
    bit, or returns the stored result. The test set is touched once, at the end, with
    three sets of parameters where they differ (`sets.Sets`): of the highest validation
    accuracy, of the least validation loss, and the last. `train.keep` says which of
    them `test` and `validation` of the result are about.

    Args:
      config: a configuration as `dropout_jax.config.defaults()` makes it.
      workdir: directory of this run alone; created if absent.
      test: whether the test set is looked at; a search for hyperparameters says no.
      prune: called with each validation's record of metrics.jsonl; True ends the run
        there, as a search does with what is not worth its time.
      progress: shows the run; a `TerminalProgress` by default.
      accept_changes: whether a run that was computed with other data, another plugin or
        other settings of JAX goes on; its result says that it mixes them.

    Returns:
      The result; its `values` are the content of `result.json`.

    Raises:
      UserError: configuration, data or directory cannot be used; one line says why.
      Interrupted: Ctrl-C or SIGTERM; a checkpoint was saved.
    """
    (result,) = run_group(
        [config],
        [workdir],
        workdir,
        test=test,
        prune=prune and (lambda _, record: prune(record)),
        progress=progress,
        accept_changes=accept_changes,
    )
    return result


def run_group(
    configs: Sequence[Any],
    workdirs: Sequence[str | Path],
    group: str | Path,
    *,
    test: bool = True,
    prune: Prune | None = None,
    progress: TerminalProgress | None = None,
    accept_changes: bool = False,
    workers: int = 1,
) -> list[Result]:
    """Trains several trials of one program in step; each has what `run` would give it.

    On CPU, where lanes take turns, a trial's numbers are those of a run of its own,
    bit for bit; elsewhere they are computed together and equal up to rounding, the
    same for any neighbours. The group has one checkpoint, a trial its own
    configuration, metrics and result.

    Args:
      configs: configurations that differ in traced values and seed alone, on the same
        images (with data.split=drawn, of one seed); in a group resumed the same, in the
        same order.
      workdirs: run directory of each.
      group: directory of the checkpoints.
      test: as for `run`.
      prune: as for `run`; called with the number of the trial and its record.
      progress: shows the group.
      accept_changes: as for `run`.
      workers: number of processes that share this machine, to be recorded.

    Returns:
      The results, in the order of `configs`.

    Raises:
      UserError: as `run`; or the trials do not share program and data.
      Interrupted: as `run`.
    """
    for config in configs:
        validate(config)
    checkpoints.quiet()
    progress = progress or TerminalProgress()
    compile_cache.enable(progress.note)
    directories = [RunDirectory(workdir) for workdir in workdirs]
    _check_inputs(configs, directories, accept_changes, progress)
    prepared = [prepare(config) for config in configs]
    if any(p.programs is not prepared[0].programs for p in prepared):
        raise UserError("the trials of a group must differ in traced values alone")
    if any(p.dataset is not prepared[0].dataset for p in prepared):
        raise UserError("the trials of a group must train on the same images")
    for remark in prepared[0].dataset.remarks:
        progress.note(remark)
    part = environment.capture(
        prepared[0].dataset,
        configs[0].plugin,
        step=0,
        devices=configs[0].train.devices,
        lanes=len(configs),
        workers=workers,
    )
    try:
        stored = [
            directory.open(config)
            for directory, config in zip(directories, configs, strict=True)
        ]
        stored = [None if test and _untested(found) else found for found in stored]
        trials = [
            Lane(
                config,
                directory,
                found.hparams,
                found.programs.model.sites,
                found.remarks,
            )
            for config, directory, found in zip(
                configs, directories, prepared, strict=True
            )
        ]
        for trial, result in zip(trials, stored, strict=True):
            trial.result = result
        for remark in dict.fromkeys(r for found in prepared for r in found.remarks):
            progress.note(remark)
        for number, directory in enumerate(directories):
            directory.write_lane(Path(group), number, len(directories))
        if all(result is not None for result in stored):
            progress.note("finished before, nothing to do")
        else:
            _train(
                configs[0], prepared, trials, Path(group), part, test, prune, progress
            )
        return [
            _result(trial, fresh=result is None, progress=progress)
            for trial, result in zip(trials, stored, strict=True)
        ]
    except (Interrupted, KeyboardInterrupt, UserError):
        raise
    # Whoever calls sys.exit in the middle, as Rich does without a terminal, is told of
    # in the status too.
    except (Exception, SystemExit) as error:
        for directory in directories:
            if directory.status not in outcome.FINISHED:
                reason = f"{type(error).__name__}: {error}"
                directory.set_status(outcome.FAILED, reason)
        raise
    finally:
        progress.close()
        for directory in directories:
            directory.close()


def _check_inputs(
    configs: Sequence[Any],
    directories: Sequence[RunDirectory],
    accept: bool,
    progress: TerminalProgress,
) -> None:
    """Raises UserError for a run of other inputs; what is accepted is noted.

    It comes before a changed plugin runs, and before any directory is written to.
    """
    noted = ""
    for config, directory in zip(configs, directories, strict=True):
        directory.check(config)
        inputs = environment.inputs(config.plugin, content.inputs(config.data.name))
        if differing := run_inputs.check(directory, inputs, accept=accept):
            was, now = fingerprint.described(differing)
            noted = f"accepted: computed with {was}, while this process has {now}"
    if noted:
        progress.note(noted)


def _untested(result: dict[str, Any] | None) -> bool:
    """Whether a run was finished and left untested, as a search does."""
    if result is None or result["status"] != outcome.DONE:
        return False
    return "test" not in result


def _train(
    config: Any,
    prepared: Sequence[Prepared],
    trials: Sequence[Lane],
    group: Path,
    part: Part,
    test: bool,
    prune: Prune | None,
    progress: TerminalProgress,
) -> None:
    """Trains, tests and stores what is not finished."""
    first = prepared[0]
    engine = Engine(
        first.programs, [p.hparams for p in prepared], [p.seed for p in prepared]
    )
    fresh = [trial for trial in trials if trial.result is None]
    with stop_requests() as stop:
        loop = Loop(
            config.train,
            first.programs.steps_per_epoch,
            first.dataset,
            engine,
            trials,
            group / "checkpoints",
            checkpoints.shapes(first.abstract, len(trials)),
            progress,
            stop,
            part,
            prune,
        )
        try:
            loop.train()
            if test:
                loop.test()
            for trial in fresh:
                trial.store()
        finally:
            for trial in trials:
                trial.close()
        if stop.made:  # too late for this group, but not for the study around it
            raise Interrupted(group, stop.number)


def _result(trial: Lane, *, fresh: bool, progress: TerminalProgress) -> Result:
    assert trial.result is not None
    progress.result(trial.result)
    if mixture := parts.mixture(trial.result.get("inputs", ())):
        progress.note(mixture)
    path, status = trial.directory.path, trial.result["status"]
    return Result(path, status, trial.result, fresh=fresh)
