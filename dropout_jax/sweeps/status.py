# SPDX-License-Identifier: Apache-2.0
"""How far a study is: read from its files, whoever is at work on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dropout_jax.config.errors import one_line
from dropout_jax.sweeps import heartbeat
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.sweeps.trials import Trial, names

STATES = ("done", "pruned", "diverged", "running", "failed", "waiting")


def states(study: StudyDirectory, trials: Sequence[Trial]) -> dict[str, str]:
    """Returns one of `STATES` for each trial, by id.

    A trial is running while a process holds it, failed once it was given up.
    """
    finished, given_up = study.ledger.by_trial(), study.given_up()

    def state(trial: Trial) -> str:
        if trial.id in finished:
            return finished[trial.id]["result"]["status"]
        if study.claimed(trial):
            return "running"
        return "failed" if trial.id in given_up else "waiting"

    return {trial.id: state(trial) for trial in trials}


def minutes_left(
    trials: Sequence[Trial],
    found: Mapping[str, str],
    lines: Mapping[str, Mapping[str, Any]],
    workers: int,
) -> float | None:
    """Returns the minutes that what is left takes, by the trials that are done.

    Args:
      trials: of the study.
      found: their states.
      lines: the ledger's, by trial.
      workers: number of processes at work.

    Returns:
      None while no trial is done.
    """
    seconds = [lines[t.id]["result"]["seconds"] for t in trials if t.id in lines]
    left = sum(state in ("running", "waiting") for state in found.values())
    if not seconds:
        return None
    return sum(seconds) / len(seconds) * left / max(workers, 1) / 60


def show_status(study: StudyDirectory, console: Console) -> None:
    """Prints a row per arm, the workers, failures with their reasons, and the ETA."""
    trials, about = study.trials(), study.about() or {}
    found = states(study, trials)
    # As Text: in a name from outside, brackets are no markup.
    table = Table("arm", *STATES, title=Text(f"study {about.get('name', '')}"))
    for arm in dict.fromkeys(trial.arm for trial in trials):
        counts = Counter(found[trial.id] for trial in trials if trial.arm == arm)
        table.add_row(Text(arm), *(str(counts[state] or "") for state in STATES))
    counts = Counter(found.values())
    table.add_section()
    table.add_row("all", *(str(counts[state]) for state in STATES))
    console.print(table)
    running = {trial_id for trial_id, state in found.items() if state == "running"}
    beats = heartbeat.read(study.path / "workers")
    for beat in beats:
        if running.intersection(beat.trials):
            share = (
                f"{100 * beat.step / beat.steps:.0f} %" if beat.steps else "starting"
            )
            say(
                console,
                f"worker {beat.worker} ({beat.process}): {beat.doing}, {share}, "
                f"{beat.age:.0f} s ago",
            )
    given_up, named = study.given_up(), names(trials)
    for trial in trials:
        if found[trial.id] == "failed":
            say(console, f"failed: {named[trial.id]}: {given_up[trial.id]}")
    minutes = minutes_left(trials, found, study.ledger.by_trial(), len(running))
    if minutes:
        what = "while nobody works, " if not running else ""
        say(console, f"{what}about {minutes:.0f} min left")


def say(console: Console, line: str) -> None:
    """Prints a line as it stands; what else than text is in it is escaped."""
    console.print(one_line(line), highlight=False, markup=False, soft_wrap=True)
