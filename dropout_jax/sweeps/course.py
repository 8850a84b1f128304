# SPDX-License-Identifier: Apache-2.0
"""The course of a protocol: cell by cell and stage by stage, as far as time allows.

Each stage of a cell is an ordinary study, `STUDY/CELL_STAGE`, with its own ledger,
`LEDGERS/CELL_STAGE.jsonl`. The course keeps no state of its own: choices and verdicts
follow from the ledgers, so that any machine that has them goes on.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from dropout_jax.sweeps import estimate, inputs, shares
from dropout_jax.sweeps.choices import Choices, Line, choose, cut_off, widest
from dropout_jax.sweeps.gate import Verdict, verdicts
from dropout_jax.sweeps.protocol import FINAL, GATE, SEARCH, STAGES, Protocol, Setting
from dropout_jax.sweeps.stages import Run, epochs, planned, runs
from dropout_jax.sweeps.study import StudyDirectory, remaining, unfinished
from dropout_jax.sweeps.trials import Trial
from dropout_jax.terminal import say

# Runs trials of a study, given the minutes after which it begins none (0: no limit).
Execute = Callable[[StudyDirectory, Sequence[Trial], float], object]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a cell.

    Attributes:
      cell: name of the cell.
      name: one of `STAGES`.
      study: its directory, which may not exist yet.
      trials: its runs.
    """

    cell: str
    name: str
    study: StudyDirectory
    trials: Mapping[Run, Trial]

    def left(self) -> list[Trial]:
        """Returns the trials that its ledger does not have."""
        return unfinished(self.study, list(self.trials.values()))

    def line(self, run: Run) -> Line:
        """Returns the ledger's line of a run that is finished."""
        return self.study.ledger.by_trial()[self.trials[run].id]


class Left(NamedTuple):
    """How much of a stage is left.

    Attributes:
      trials: number of all of its trials.
      left: number of those that are not finished.
      seconds: that these take in one process; None while none of the cell is finished.
      known: whether it is known which trials they are; else there are at most so many.
    """

    trials: int
    left: int
    seconds: float | None
    known: bool


class Course:
    """A protocol with the place of its files; see `go_on`.

    Attributes:
      protocol: the comparison.
    """

    def __init__(
        self,
        protocol: Protocol,
        base: Any,
        name: str,
        study: str | Path,
        ledgers: str | Path,
    ):
        """Plans the searches; every setting of every cell and stage is validated.

        Args:
          protocol: the comparison.
          base: configuration that all runs start from.
          name: of the comparison; those of its studies begin with it.
          study: directory of the studies.
          ledgers: directory of the ledgers.

        Raises:
          UserError: a configuration is wrong, or two settings are the same run.
        """
        self.protocol = protocol
        self._base, self._name = base, name
        self._study, self._ledgers = Path(study), Path(ledgers)
        self._known: dict[tuple[str, str], Stage] = {}
        for cell in protocol.cells:
            self._planned(cell, SEARCH)
            # What the gate adds to the settings of the search.
            wanted = runs(protocol, cell, GATE, widest(protocol, cell))
            one = [run for run in wanted if run.seed == protocol.gate.seeds[0]]
            planned(name, base, protocol, cell, one)

    def _planned(self, cell: str, stage: str, choices: Choices | None = None) -> Stage:
        """Returns a stage; planned anew only where its runs have changed."""
        wanted, known = runs(self.protocol, cell, stage, choices), (cell, stage)
        if known not in self._known or list(self._known[known].trials) != wanted:
            name = f"{cell}_{stage}"
            study = StudyDirectory(self._study / name, self._ledgers / f"{name}.jsonl")
            of_study = f"{self._name}_{name}"
            trials = planned(of_study, self._base, self.protocol, cell, wanted)
            self._known[known] = Stage(cell, stage, study, trials)
        return self._known[known]

    def choices(self, cell: str) -> Choices | None:
        """Returns what the searches of a cell have chosen; None before their end."""
        search = self._known[cell, SEARCH]
        if search.left():
            return None
        inputs.refuse_mixed(search.study, list(search.trials.values()))

        def line_of(setting: Setting, seed: int) -> Line:
            return search.line(Run(setting, seed))

        return choose(self.protocol, cell, line_of)

    def verdicts(self, cell: str) -> dict[str, Verdict] | None:
        """Returns the gate's verdict on each method; None before the gate's end."""
        choices, gate = self.choices(cell), self.stage(cell, GATE)
        if choices is None or gate is None or gate.left():
            return None
        return verdicts(self.protocol, choices, gate.line)

    def stage(self, cell: str, stage: str) -> Stage | None:
        """Returns a stage of a cell; None while its runs follow from no choices yet."""
        if stage == SEARCH:
            return self._known[cell, SEARCH]
        choices = self.choices(cell)
        return None if choices is None else self._planned(cell, stage, choices)

    def left(self, cell: str, stage: str) -> Left:
        """Returns how much of a stage is left."""
        found, pace = self.stage(cell, stage), self._pace(cell)
        if found is not None:
            left = found.left()
            seconds = estimate.seconds_left(pace, left, workers=1)
            return Left(len(found.trials), len(left), seconds, True)
        most = runs(self.protocol, cell, stage, widest(self.protocol, cell))
        each = sum(epochs(self._base, self.protocol, cell, run) for run in most)
        trial = next(iter(self._known[cell, SEARCH].trials.values()))
        images = each * trial.values["data"]["train_size"]
        seconds = None if pace.seconds is None else pace.seconds * images
        return Left(len(most), len(most), seconds, False)

    def _pace(self, cell: str) -> estimate.Pace:
        """Returns how fast the finished trials of a cell went."""
        trials, lines = [], {}
        for stage in filter(None, (self.stage(cell, name) for name in STAGES)):
            trials += stage.trials.values()
            lines |= stage.study.ledger.by_trial()
        return estimate.pace(trials, lines)

    def workers(self) -> int:
        """Returns with how many processes the stages ran so far; 0 if none did."""
        began = [shares.remembered(stage.study) for stage in self._known.values()]
        return max((each.workers for each in began if each), default=0)


def go_on(
    course: Course,
    execute: Execute,
    *,
    cells: Sequence[str],
    stages: Sequence[str] = STAGES,
    lanes: int = 1,
    minutes: float = 0.0,
    accept_ends: bool = False,
    accept_gate: bool = False,
    reporting: Mapping[str, Any] | None = None,
    ended: Callable[[str, str], object] = lambda cell, stage: None,
    console: Console,
) -> bool:
    """Runs what is left of some stages of some cells, in order.

    All stages after the search wait for its end, those after the gate for the gate
    too. A cell with a choice at an end of a grid stops after the search, one with a
    method that fails the gate stops there.

    Args:
      course: the protocol and its files.
      execute: runs trials.
      cells: names of the cells.
      stages: those that are wanted.
      lanes: how many trials of one program train in step at most.
      minutes: no new trial begins after so many minutes; 0 for no limit.
      accept_ends: whether a cell goes on although a wider grid might change a choice.
      accept_gate: whether a cell goes on although a method fails the gate.
      reporting: what each study's `report` is told.
      ended: called with cell and stage when all of a stage's runs are finished.
      console: where it is said how far the course is.

    Returns:
      Whether all of the stages are done.

    Raises:
      UserError: a trial cannot run here, or results have other inputs.
      Interrupted: Ctrl-C or SIGTERM.
    """
    end, done = time.monotonic() + 60 * minutes, True
    for cell in cells:
        for name in (stage for stage in STAGES if stage in stages):
            if waits := _waits(course, cell, name, accept_ends, accept_gate):
                say(console, f"{cell} {name}: {waits}")
                done = False
                break
            stage = course.stage(cell, name)
            assert stage is not None
            left = (end - time.monotonic()) / 60 if minutes else 0.0
            if stage.left() and (not minutes or left > 0):
                _run(stage, execute, lanes, left, reporting)
            if stage.left():
                done = False
            else:
                ended(cell, name)
    return done


def _waits(
    course: Course, cell: str, stage: str, accept_ends: bool, accept_gate: bool
) -> str:
    """Says what a stage waits for; "" if it can run."""
    if stage == SEARCH:
        return ""
    choices = course.choices(cell)
    if choices is None:
        return "waits for the end of the search"
    ends = cut_off(course.protocol, choices)
    if ends and not accept_ends:
        return (
            f"choices at an end of a grid: {'; '.join(ends)}. Extend the grid of that "
            "cell (Cell.extended), or go on with --accept_ends"
        )
    if stage == GATE:
        return ""
    found = course.verdicts(cell)
    if found is None:
        return "waits for the end of the gate"
    failures = [
        f"{method}: {'; '.join(verdict.failures)}"
        for method, verdict in found.items()
        if not verdict.passed
    ]
    if failures and not accept_gate:
        return (
            f"not converged: {'. '.join(failures)}. Give the cell more epochs, or go "
            "on with --accept_gate"
        )
    return ""


def _run(
    stage: Stage,
    execute: Execute,
    lanes: int,
    minutes: float,
    reporting: Mapping[str, Any] | None,
) -> None:
    study, trials = stage.study, list(stage.trials.values())
    # As for a search: a comparison must not mix results of different inputs.
    inputs.check(study, [*study.known_trials(), *trials], search=True)
    tests = stage.name == FINAL
    study.extend(trials, test=tests, lanes=lanes, reporting=reporting)
    if remaining(study, trials):
        execute(study, trials, minutes)
