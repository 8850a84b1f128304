# SPDX-License-Identifier: Apache-2.0
"""What a process of a study does: take a trial nobody has, run it, record it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence

from rich.console import Console

from dropout_jax.config.errors import Interrupted, InUse, UserError
from dropout_jax.sweeps.ledger import ledger_line
from dropout_jax.sweeps.study import StudyDirectory, remaining, unfinished
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training import TerminalProgress, run
from dropout_jax.training.run_directory import RunDirectory

POLL_SECONDS = 0.5  # between two looks at trials that other processes hold


def work(
    study: StudyDirectory,
    trials: Sequence[Trial],
    *,
    minutes: float = 0.0,
    console: Console | None = None,
    progress: Callable[[Trial, str], TerminalProgress] | None = None,
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
      console: where progress is shown.
      progress: makes the display of a trial from it and a label.

    Returns:
      Whether all trials are in the ledger.

    Raises:
      Interrupted: Ctrl-C or SIGTERM.
      UserError: a trial cannot run here, such as for want of data or of room.
    """
    console = console or Console()
    shown = progress or (
        lambda trial, label: TerminalProgress(label, console, epoch_lines=False)
    )
    started, begun, waited = time.monotonic(), 0, False
    while left := remaining(study, trials):
        ran = False
        for trial in left:
            spent = time.monotonic() - started
            if minutes and spent > 60 * minutes:
                console.print(
                    f"{minutes:g} minutes are over; {len(remaining(study, trials))} "
                    "trials remain: run the same command again",
                    highlight=False,
                )
                return False
            with study.claim(trial) as mine:
                if not mine or not remaining(study, [trial]):  # another one was faster
                    continue
                count = len(remaining(study, trials))
                label = _label(trial, len(trials), count, begun, spent)
                begun += 1
                ran |= _run(study, trial, shown(trial, label))
        if not ran:
            if not waited and (held := len(remaining(study, trials))):
                console.print(
                    f"waiting for {held} trials that other processes have",
                    highlight=False,
                )
                waited = True
            time.sleep(POLL_SECONDS)
    return not unfinished(study, trials)


def _run(study: StudyDirectory, trial: Trial, progress: TerminalProgress) -> bool:
    """Runs a trial and records how it ended; False if someone runs it elsewhere."""
    directory = study.run_directory(trial)
    try:
        run(trial.config, directory, test=study.tests(), progress=progress)
    except InUse:
        return False
    except (Interrupted, UserError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        study.record_failure(trial.id, reason, traceback.format_exc())
        progress.note(f"failed: {reason}")
    else:
        study.ledger.append(ledger_line(trial, RunDirectory(directory)))
    return True


def _label(trial: Trial, total: int, left: int, begun: int, spent: float) -> str:
    eta = ""
    if begun:
        eta = f", about {spent / begun * left / 60:.0f} min left"
    return f"[{total - left + 1}/{total}{eta}] {trial.arm} seed {trial.seed}: "
