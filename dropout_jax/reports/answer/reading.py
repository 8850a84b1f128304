# SPDX-License-Identifier: Apache-2.0
"""The cells of a protocol, from its config file and the ledgers of its stages."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import load_config
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.config.places import NOTHING, missing
from dropout_jax.reports.answer.cell import Cell, Choice, Final, Tried
from dropout_jax.reports.inputs import notes, refuse_different
from dropout_jax.reports.records import trial as read_trial
from dropout_jax.reports.trial import Trial
from dropout_jax.sweeps.choices import Choices, Line, choose
from dropout_jax.sweeps.gate import Verdict, verdicts
from dropout_jax.sweeps.ledger import Ledger
from dropout_jax.sweeps.protocol import (
    CURVE,
    FINAL,
    GATE,
    SEARCH,
    Protocol,
    Setting,
    load_protocol,
)
from dropout_jax.sweeps.stages import Run, finals, planned, runs

# The searches of a protocol are numbered from 0, those that a reader sees from 1.
_FIRST = 1


class _Stage:
    """The runs of one stage of one cell, with their lines in its ledger."""

    def __init__(
        self,
        protocol: Protocol,
        base: Any,
        cell: str,
        stage: str,
        path: Path,
        choices: Choices | None = None,
    ):
        self._path = path
        self.runs = runs(protocol, cell, stage, choices)
        self._trials = planned(stage, base, protocol, cell, dict.fromkeys(self.runs))
        self._lines = Ledger(path).by_trial()

    def line(self, run: Run) -> Line:
        """The ledger's line of a run that has ended."""
        return self._lines[self._trials[run].id]

    @property
    def ended(self) -> bool:
        """Whether every run has a line."""
        return all(trial.id in self._lines for trial in self._trials.values())

    def trial(self, run: Run) -> Trial | None:
        """A run as reports know it; None before it has ended."""
        line = self._lines.get(self._trials[run].id)
        return None if line is None else read_trial(str(self._path), dict(line))

    def read(self) -> dict[Run, Trial | None]:
        """All runs of the stage."""
        return {run: self.trial(run) for run in self.runs}


def read_cells(config_file: str, ledgers: str | Path) -> list[Cell]:
    """Reads what each cell of a protocol has so far.

    Args:
      config_file: as `--config` names it; it has `get_config()` and `protocol()`.
      ledgers: directory of the ledgers, CELL_STAGE.jsonl; a stage without one has not
        begun. Choices follow from the ledger of the search, as when the runs were made.

    Returns:
      A `Cell` for each of the protocol, in its order.

    Raises:
      UserError: the directory does not exist; a config file or ledger is wrong; final
        runs of one cell have different inputs, such as other data.
    """
    directory = Path(ledgers)
    if not os.path.isdir(directory):
        why = missing(directory) or "it is a file"
        near = hint_of_path(directory, "*/") if why == NOTHING else ""
        raise UserError(
            f"{directory} is no directory: name that of the ledgers; {why}{near}"
        )
    protocol, base = load_protocol(config_file), load_config(config_file)
    return [_cell(protocol, base, name, directory) for name in protocol.cells]


def _cell(protocol: Protocol, base: Any, name: str, ledgers: Path) -> Cell:
    def stage(kind: str, choices: Choices | None = None) -> _Stage:
        path = ledgers / f"{name}_{kind}.jsonl"
        return _Stage(protocol, base, name, kind, path, choices)

    found = protocol.cells[name]
    methods = [
        protocol.baseline,
        *(m for m in protocol.methods if m != protocol.baseline),
    ]
    search = stage(SEARCH)
    choices, held = _choices(protocol, name, search)
    whole = {
        "name": name,
        "train_size": found.fields.get("data.train_size", base.data.train_size),
        "margin": found.margin,
        "methods": tuple(methods),
        "searches": tuple(range(_FIRST, _FIRST + len(found.searches))),
        "replicates": len(found.finals[0]),
        "descriptive": found.descriptive,
        "strengths": {m: method.label for m, method in protocol.methods.items()},
        "tried": tuple(_tried(found.searches, search.read())),
        "held": held,
    }
    if choices is None:
        return Cell(**whole)
    final = stage(FINAL, choices)
    return Cell(
        **whole,
        choices=_chosen(protocol, name, choices),
        finals=tuple(_finals(protocol, name, choices, final)),
        notes=notes([trial for trial in final.read().values() if trial is not None]),
        curve=_curve(choices, {**search.read(), **stage(CURVE, choices).read()}),
        gate=_gate(protocol, choices, stage(GATE, choices)),
    )


def _choices(
    protocol: Protocol, cell: str, search: _Stage
) -> tuple[Choices | None, str]:
    """What the searches chose, or why there is nothing."""
    if not search.ended:
        return None, ""

    def line_of(setting: Setting, seed: int) -> Line:
        return search.line(Run(setting, seed))

    try:
        return choose(protocol, cell, line_of), ""
    except UserError as error:
        return None, str(error)


def _chosen(
    protocol: Protocol, cell: str, choices: Choices
) -> dict[tuple[str, int, str], Choice]:
    return {
        (role.method, role.search + _FIRST, role.answer): Choice(
            choice.setting.strength,
            choice.setting.learning_rate,
            protocol.fields(cell, choice.setting),
            ", ".join(choice.at_end),
        )
        for role, choice in choices.by_role.items()
    }


def _finals(
    protocol: Protocol, cell: str, choices: Choices, stage: _Stage
) -> Iterable[Final]:
    trials = stage.read()
    known = [trial for trial in trials.values() if trial is not None]
    refuse_different(
        [f"cell {cell!r}, final runs"] * len(known),
        known,
        "withdraw the lines of one of them, and these runs are made again",
    )
    for role, wanted in finals(protocol, cell, choices).items():
        for run in wanted:
            search = role.search + _FIRST
            yield Final(role.method, search, role.answer, run.seed, trials[run])


def _tried(
    searches: Sequence[Sequence[int]], trials: Mapping[Run, Trial | None]
) -> Iterable[Tried]:
    for run, trial in trials.items():
        (search,) = (
            number for number, seeds in enumerate(searches, _FIRST) if run.seed in seeds
        )
        yield _of_run(run, search, trial)


def _curve(
    choices: Choices, trials: Mapping[Run, Trial | None]
) -> dict[str, tuple[Tried, ...]]:
    """The runs of each strength's best setting, those of the searches included."""
    return {
        answer: tuple(
            _of_run(run, 0, trial)
            for run, trial in trials.items()
            if run.setting in settings
        )
        for answer, settings in choices.curve.items()
    }


def _of_run(run: Run, search: int, trial: Trial | None) -> Tried:
    method, strength, learning_rate = run.setting
    return Tried(method, search, strength, learning_rate, run.seed, trial)


def _gate(protocol: Protocol, choices: Choices, stage: _Stage) -> dict[str, Verdict]:
    return verdicts(protocol, choices, stage.line) if stage.ended else {}
