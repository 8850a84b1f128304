# SPDX-License-Identifier: Apache-2.0
"""Runs the trials of a study on this machine, one after another in each process."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dropout_jax.config.errors import InUse
from dropout_jax.sweeps.ledger import Ledger, ledger_line
from dropout_jax.sweeps.plan import Trial
from dropout_jax.training import TerminalProgress, run
from dropout_jax.training.run_directory import RunDirectory


def run_trials(
    trials: Sequence[Trial],
    workdir: str | Path,
    ledger: Ledger,
    *,
    minutes: float = 0.0,
    test: bool = True,
    console: Console | None = None,
) -> bool:
    """Runs what the ledger does not have yet, and adds a line for each trial.

    Interrupted at any moment, the same call goes on where it stopped: finished
    trials are in the ledger, the current one resumes from its checkpoint. Trials
    that differ only in traced values share their compiled program. The same call in
    several processes shares the work: each passes over what another one runs.

    Args:
      trials: the planned trials, run in this order.
      workdir: directory under which every trial has a run directory.
      ledger: the file of results.
      minutes: no new trial begins after so many minutes; 0 for no limit.
      test: whether the test set is looked at; a search for hyperparameters says no.
      console: where progress is shown.

    Returns:
      Whether all trials are in the ledger.

    Raises:
      Interrupted: Ctrl-C or SIGTERM.
    """
    console = console or Console()
    finished = ledger.by_trial()
    waiting = [trial for trial in trials if trial.id not in finished]
    if len(waiting) < len(trials):
        console.print(
            f"{len(trials) - len(waiting)} of {len(trials)} trials are in "
            f"{ledger.path} already",
            highlight=False,
        )
    started = time.monotonic()
    for number, trial in enumerate(waiting):
        spent = time.monotonic() - started
        if minutes and spent > 60 * minutes:
            console.print(
                f"{minutes:g} minutes are over; {len(waiting) - number} trials remain: "
                "run the same command again",
                highlight=False,
            )
            return False
        left = ""
        if number:
            minutes_left = spent / number * (len(waiting) - number) / 60
            left = f", about {minutes_left:.0f} min left"
        label = f"[{number + 1}/{len(waiting)}{left}] {trial.arm} seed {trial.seed}: "
        name = f"seed_{trial.seed}_{trial.id[:8]}"
        directory = Path(workdir) / trial.study / _safe(trial.arm) / name
        if trial.id in ledger.by_trial():  # another process was faster
            continue
        progress = TerminalProgress(label, console, epoch_lines=False)
        try:
            run(trial.config, directory, test=test, progress=progress)
        except InUse:
            continue
        ledger.append(ledger_line(trial, RunDirectory(directory)))
    finished = ledger.by_trial()
    elsewhere = sum(trial.id not in finished for trial in trials)
    if elsewhere:
        console.print(
            f"left to another process: {elsewhere} of {len(trials)} trials; when it "
            "has ended, run the same command again",
            highlight=False,
        )
    return not elsewhere


def _safe(arm: str) -> str:
    """Returns the arm's name as a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", arm)
