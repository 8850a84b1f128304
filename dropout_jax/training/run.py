# SPDX-License-Identifier: Apache-2.0
"""One training run from configuration to result: the host's side of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dropout_jax.config import validate
from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.training import checkpoints, compile_cache, run_directory
from dropout_jax.training.interruption import stop_requests
from dropout_jax.training.loop import Loop
from dropout_jax.training.prepare import prepare
from dropout_jax.training.progress import TerminalProgress, describe_result
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
) -> Result:
    """Trains, validates after every epoch, tests once, and writes the run directory.

    Called again with the same arguments it resumes where it was interrupted, bit for
    bit, or returns the stored result. The test set is touched once, at the end, with
    the parameters of the best validation accuracy (`train.keep`).

    Args:
      config: a configuration as `dropout_jax.config.defaults()` makes it.
      workdir: directory of this run alone; created if absent.
      test: whether the test set is looked at; a search for hyperparameters says no.
      prune: called with each epoch's record of metrics.jsonl; True ends the run
        there, as a search does with what is not worth its time.
      progress: shows the run; a `TerminalProgress` by default.

    Returns:
      The result; its `values` are the content of `result.json`.

    Raises:
      UserError: configuration, data or directory cannot be used; one line says why.
      Interrupted: Ctrl-C or SIGTERM; a checkpoint was saved.
    """
    validate(config)
    checkpoints.quiet()
    progress = progress or TerminalProgress()
    compile_cache.enable(progress.note)
    prepared = prepare(config)
    directory = RunDirectory(workdir)
    finished = directory.open(config)
    try:
        # A run that was left untested, as a search does, is tested now.
        untested = (
            finished is not None
            and finished["status"] == run_directory.DONE
            and "test" not in finished
        )
        if finished is not None and not (untested and test):
            progress.note("finished before, nothing to do")
            progress.note(describe_result(finished))
            return Result(directory.path, finished["status"], finished, fresh=False)
        with stop_requests() as stop:
            loop = Loop(config, directory, prepared, progress, stop, prune)
            values = loop.train()
            if values["status"] == run_directory.DONE and test:
                values |= loop.test()
            loop.close(values)
            if stop.made:  # too late for this run, but not for the study around it
                raise Interrupted(directory.path)
        return Result(directory.path, values["status"], values, fresh=True)
    except (Interrupted, KeyboardInterrupt, UserError):
        raise
    except Exception as error:
        directory.set_status(run_directory.FAILED, f"{type(error).__name__}: {error}")
        raise
    finally:
        progress.close()
        directory.close()
