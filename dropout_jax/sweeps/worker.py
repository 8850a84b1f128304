# SPDX-License-Identifier: Apache-2.0
"""What a process of a study does: take a trial nobody has, run it, record it."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console

from dropout_jax import terminal
from dropout_jax.config.errors import Interrupted, InUse, UserError
from dropout_jax.stored import Damaged
from dropout_jax.sweeps import inputs
from dropout_jax.sweeps.estimate import left_in_words
from dropout_jax.sweeps.groups import batches
from dropout_jax.sweeps.halving import rule
from dropout_jax.sweeps.kept import tidy
from dropout_jax.sweeps.ledger import WITHDRAWN, ledger_line
from dropout_jax.sweeps.status import seconds_left
from dropout_jax.sweeps.study import StudyDirectory, remaining, unfinished
from dropout_jax.sweeps.trials import Trial, describe, names
from dropout_jax.sweeps.worker_progress import TrialProgress
from dropout_jax.training import TerminalProgress, run_group
from dropout_jax.training.run_directory import RunDirectory

POLL_SECONDS = 0.5  # between two looks at trials that other processes hold


def work(
    study: StudyDirectory,
    trials: Sequence[Trial],
    *,
    minutes: float = 0.0,
    workers: int = 1,
    console: Console | None = None,
    progress: Callable[[Sequence[Trial], str, str], TerminalProgress] | None = None,
    waiting: Callable[[], object] = lambda: None,
) -> bool:
    """Runs what the ledger does not have yet, and adds a line for each trial.

    Any number of processes may do so at once, on any machine that sees the
    directory: each takes what no other one holds, and waits at the end for what the
    others still have, to take it over should they die. Interrupted at any moment,
    finished trials are in the ledger and the current one resumes from its
    checkpoint. A trial that fails is tried again up to `study.ATTEMPTS` times; the
    others go on.

    Args:
      study: the directory.
      trials: those of its plan that are wanted, run in this order.
      minutes: no new trial begins after so many minutes; 0 for no limit.
      workers: number of processes that share this machine, to be recorded.
      console: where progress is shown.
      progress: makes the display of trials that train in step, from them, what
        to call them, and a label.
      waiting: called again and again while other processes have all that is left.

    Returns:
      Whether all trials are in the ledger.

    Raises:
      Interrupted: Ctrl-C or SIGTERM.
      UserError: a trial cannot run here, such as for want of data or of room, or with
        other inputs than the study has.
    """
    console = console or terminal.Console()
    shown = progress or (
        lambda batch, what, label: TrialProgress(label, console, epoch_lines=False)
    )
    wanted, named = {trial.id for trial in trials}, names(study.trials())
    queue = [
        [trial for trial in batch if trial.id in wanted]
        for batch in batches(study.trials(), study.lanes())
    ]
    if "inputs" not in (study.about() or {}):
        inputs.begin(study)
    started, waited = time.monotonic(), False
    while remaining(study, trials):
        ran = False
        for batch in queue:
            spent = time.monotonic() - started
            if not remaining(study, batch):
                continue
            if minutes and spent > 60 * minutes:
                terminal.say(
                    console,
                    f"{minutes:g} minutes are over; {len(remaining(study, trials))} "
                    "trials remain: run the same command again",
                )
                return False
            with contextlib.ExitStack() as claims:
                if not all(claims.enter_context(study.claim(t)) for t in batch):
                    continue
                mine = remaining(study, batch)
                if not mine:  # another process was faster
                    continue
                count = len(remaining(study, trials))
                what = describe(mine, named)
                seconds = seconds_left(study, trials, (), workers)
                place = f"{len(trials) - count + 1}/{len(trials)}"
                label = f"[{place}, {left_in_words(seconds)}] {what}: "
                inputs.check_now(study, mine)
                ran |= _run(study, mine, workers, shown(mine, what, label))
        if not ran and (held := len(remaining(study, trials))):
            if not waited:
                said = f"waiting for {held} trials that other processes have"
                terminal.say(console, said)
                waited = True
            waiting()
            time.sleep(POLL_SECONDS)
    return not unfinished(study, trials)


def _run(
    study: StudyDirectory,
    batch: Sequence[Trial],
    workers: int,
    progress: TerminalProgress,
) -> bool:
    """Runs trials in step and records how they ended; False if they run elsewhere."""
    directories = [study.run_directory(trial) for trial in batch]
    prune = rule(study, batch)
    try:
        _refuse_withdrawn(study, batch)
        run_group(
            [trial.config for trial in batch],
            directories,
            study.group_directory(batch),
            test=study.tests(),
            prune=prune,
            progress=progress,
            accept_changes=bool((study.about() or {}).get("accepted")),
            workers=workers,
        )
    except InUse:
        return False
    # A plugin that calls sys.exit is as broken as one that raises.
    except (Exception, SystemExit) as error:
        # A damaged run is its trial's trouble, what else a user must mend everyone's.
        ends = isinstance(error, Interrupted | UserError)
        if ends and not isinstance(error, Damaged):
            raise
        reason = f"{type(error).__name__}: {error}"
        for trial in batch:
            study.record_failure(trial.id, reason, traceback.format_exc())
        progress.note(f"failed: {reason}")
    else:
        tidy(study, batch)  # now: a trial with a line is not looked at again
        for trial, directory in zip(batch, directories, strict=True):
            study.ledger.append(ledger_line(trial, RunDirectory(directory)))
    return True


def _refuse_withdrawn(study: StudyDirectory, batch: Sequence[Trial]) -> None:
    """Raises UserError if a directory holds the very run that was withdrawn.

    It is finished, so that it would enter the ledger again as it is.
    """
    withdrawn = study.ledger.withdrawn()
    for trial in batch:
        directory, line = study.run_directory(trial), withdrawn.get(trial.id)
        result = RunDirectory(directory).result() if line else None
        if line and result and _digest(result) == _digest(line["result"]):
            raise UserError(
                f"{directory} holds the run that is withdrawn in {study.ledger.path} "
                f"({line[WITHDRAWN]}); remove the directory, and the trial is trained "
                "anew"
            )


def _digest(result: Mapping[str, Any]) -> str | None:
    return result.get("metrics_sha256")
