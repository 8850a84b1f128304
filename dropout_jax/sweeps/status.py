# SPDX-License-Identifier: Apache-2.0
"""How far a study is: read from its files, whoever is at work on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console

from dropout_jax.sweeps import estimate, heartbeat, shares
from dropout_jax.sweeps.heartbeat import Heartbeat
from dropout_jax.sweeps.study import StudyDirectory, remaining
from dropout_jax.sweeps.trials import Trial, names
from dropout_jax.terminal import Grid, say

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


def seconds_left(
    study: StudyDirectory,
    trials: Sequence[Trial],
    beats: Sequence[Heartbeat],
    workers: int,
) -> float | None:
    """Returns the seconds until some trials of a study are finished or given up.

    Args:
      study: the directory.
      trials: those that are wanted.
      beats: of the workers.
      workers: number of processes at work.

    Returns:
      None while no trial is finished.
    """
    begun = {
        trial: beat.step / beat.steps
        for beat in beats
        if beat.steps
        for trial in beat.trials
    }
    pace = estimate.pace(study.trials(), study.ledger.by_trial())
    left = remaining(study, trials)
    return estimate.seconds_left(
        pace, left, workers=workers, lanes=study.lanes(), begun=begun
    )


def show_status(study: StudyDirectory, console: Console) -> None:
    """Prints a row per arm, the workers, failures with their reasons, and the ETA."""
    trials, about = study.trials(), study.about() or {}
    found = states(study, trials)
    console.print(_table(str(about.get("name", "")), trials, found))
    running = {trial_id for trial_id, state in found.items() if state == "running"}
    beats = [
        beat
        for beat in heartbeat.read(study.path / "workers")
        if running.intersection(beat.trials)
    ]
    for beat in beats:
        share = f"{100 * beat.step / beat.steps:.0f} %" if beat.steps else "starting"
        say(
            console,
            f"worker {beat.worker} ({beat.process}): {beat.doing}, {share}, "
            f"{beat.age:.0f} s ago",
        )
    given_up, named = study.given_up(), names(trials)
    for trial in trials:
        if found[trial.id] == "failed":
            say(console, f"failed: {named[trial.id]}: {given_up[trial.id]}")
    if remaining(study, trials):
        say(console, _left(study, trials, beats, bool(running)))


def _table(name: str, trials: Sequence[Trial], found: Mapping[str, str]) -> Grid:
    table = Grid("arm", *STATES, title=f"study {name}")
    arms = list(dict.fromkeys(trial.arm for trial in trials))
    for arm in arms:
        counts = Counter(found[trial.id] for trial in trials if trial.arm == arm)
        cells = (str(counts[state] or "") for state in STATES)
        table.add_row(arm, *cells, end_section=arm == arms[-1])
    counts = Counter(found.values())
    table.add_row("all", *(str(counts[state]) for state in STATES))
    return table


def _left(
    study: StudyDirectory,
    trials: Sequence[Trial],
    beats: Sequence[Heartbeat],
    running: bool,
) -> str:
    """Says how long it takes, with the processes at work or those that were."""
    began = shares.remembered(study)
    workers = len(beats) or (began.workers if began else 1)
    seconds = seconds_left(study, trials, beats, workers)
    if running:
        return estimate.left_in_words(seconds)
    if seconds is None:
        return f"nobody is at work; {estimate.UNKNOWN}"
    with_ = "1 process" if workers == 1 else f"{workers} processes"
    return f"nobody is at work; {estimate.told(seconds)} with {with_}"
