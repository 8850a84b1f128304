# SPDX-License-Identifier: Apache-2.0
"""What a user sees while the workers of a study are at work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from dropout_jax import terminal
from dropout_jax.config.errors import one_line
from dropout_jax.sweeps import estimate
from dropout_jax.sweeps.heartbeat import Heartbeat
from dropout_jax.sweeps.status import seconds_left
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.sweeps.trials import Trial, names
from dropout_jax.training.bar import ShrinkingColumn, bar_columns


class StudyDisplay:
    """A line per finished trial; on a terminal a live bar for the study and workers."""

    def __init__(
        self,
        study: StudyDirectory,
        trials: Sequence[Trial],
        console: Console | None = None,
        workers: int = 1,
    ):
        """Shows the study.

        Args:
          study: the directory.
          trials: those that are wanted.
          console: where to, by default the standard output.
          workers: number of processes that are to work, for the estimate.
        """
        self._study, self._console = study, console or terminal.Console()
        self._workers = workers
        self._wanted = list(trials)
        self._trials = {trial.id: trial for trial in trials}
        self._names = names(study.trials())
        self._finished = self._now_finished()
        self._before = len(self._finished)
        self._given_up = set(study.given_up())
        self._beats: Sequence[Heartbeat] = ()
        self._bar: Progress | None = None
        self._rows: dict[str, Any] = {}

    def __enter__(self) -> StudyDisplay:
        done = f"{self._before} of {len(self._trials)} trials are done already"
        if not self._before:
            done = f"{len(self._trials)} trials"
        if self._before < len(self._trials):
            self.note(f"{done}; {self._left()}")
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._bar = Progress(
                ShrinkingColumn("{task.description}"),
                *bar_columns(self._console, 20),
                MofNCompleteColumn(),
                TextColumn("{task.fields[more]}", markup=False),
                console=self._console,
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def note(self, message: str) -> None:
        """Shows one line."""
        terminal.say(self._console, message)

    def update(self, heartbeats: Sequence[Heartbeat]) -> None:
        """Shows what has been finished since the last call, and who is at what."""
        self._beats = heartbeats
        for trial_id in self._now_finished() - self._finished:
            self._finished.add(trial_id)
            self._show_result(self._trials[trial_id])
        for trial_id, reason in self._study.given_up().items():
            if trial_id in self._trials.keys() - self._given_up:
                self._given_up.add(trial_id)
                self.note(f"given up: {self._names[trial_id]}: {reason}")
        if self._bar is not None:
            self._draw(self._bar, heartbeats)

    def _show_result(self, trial: Trial) -> None:
        from dropout_jax.training.progress import describe_result  # imports JAX

        result = self._study.ledger.by_trial()[trial.id]["result"]
        # The test set is for the report: validation chooses among settings.
        found = describe_result({k: v for k, v in result.items() if k != "test"})
        where = f"{len(self._finished)}/{len(self._trials)}"
        where += f", {self._left()}" if len(self._finished) < len(self._trials) else ""
        self.note(f"[{where}] {self._names[trial.id]}: {found}")

    def _now_finished(self) -> set[str]:
        return self._trials.keys() & self._study.ledger.by_trial().keys()

    def _left(self) -> str:
        at_work = sum(bool(beat.trials) for beat in self._beats) or self._workers
        seconds = seconds_left(self._study, self._wanted, self._beats, at_work)
        return estimate.left_in_words(seconds)

    def _draw(self, bar: Progress, heartbeats: Sequence[Heartbeat]) -> None:
        rows = {"study": ("study", len(self._finished), len(self._trials), "")}
        for beat in heartbeats:
            speed = f"{beat.speed:,.0f} images/s" if beat.speed else "compiling"
            speed = speed if beat.trials else ""  # it waits for the others
            rows[beat.worker] = (beat.doing, beat.step, beat.steps, speed)
        for name in self._rows.keys() - rows.keys():
            bar.remove_task(self._rows.pop(name))
        for name, (what, done, total, more) in rows.items():
            if name not in self._rows:
                self._rows[name] = bar.add_task(what, more="")
            bar.update(
                self._rows[name],
                description=one_line(what),
                completed=done,
                total=total or None,
                more=more,
            )
