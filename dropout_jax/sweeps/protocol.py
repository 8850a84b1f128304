# SPDX-License-Identifier: Apache-2.0
"""A staged comparison of methods over several models and sizes, as data.

A config file describes it with `protocol()`. Each cell (a model with a size) goes
through the stages `STAGES`: each method is searched on a grid, its convergence is
checked, its choices are tested on fresh replicates, and its strengths are drawn as a
curve. `stages.py` makes the runs of a stage, `choices.py` chooses, `gate.py` judges
convergence, `course.py` goes through all of it.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dropout_jax import stored
from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import call

STAGES = SEARCH, GATE, FINAL, CURVE = ("search", "gate", "final", "curve")
# The two answers of a comparison, for each of which settings are chosen.
ANSWERS = ACCURACY, NLL = ("accuracy", "nll")
LEARNING_RATE = "optimizer.learning_rate"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # cells name files


class Setting(NamedTuple):
    """A point of a method's grid.

    Attributes:
      method: its name.
      strength: None for a method without one.
      learning_rate: peak value.
    """

    method: str
    strength: float | None
    learning_rate: float


class Role(NamedTuple):
    """What a choice is for.

    Attributes:
      search: place of the search in `Cell.searches`, from 0.
      method: its name.
      answer: one of `ANSWERS`.
    """

    search: int
    method: str
    answer: str


@dataclasses.dataclass(frozen=True)
class Method:
    """A method with the grid of its one strength.

    Attributes:
      fields: what differs from the base configuration at every strength.
      strengths: increasing; none for a method without a strength.
      at: strength -> the fields that it sets.
      starts: by name, fields of further starts that should end alike (in the gate),
        such as several initial values of a learned noise.
      label: what the strength is, for the axis of a figure.
      negligible: whether the lowest strength has next to no effect, so that a choice of
        it does not ask for a lower one. Declare it before a search begins.

    Example:
      >>> decay = Method(
      ...     strengths=(0.01, 0.1), at=lambda s: {"regularizer.weight_decay": s}
      ... )
      >>> decay.at(0.1)
      {'regularizer.weight_decay': 0.1}
    """

    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    strengths: tuple[float, ...] = ()
    at: Callable[[float], Mapping[str, Any]] = lambda _: {}
    starts: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    label: str = "strength"
    negligible: bool = False


@dataclasses.dataclass(frozen=True)
class Extension:
    """What a cell adds to the grid of a method, in all of its searches.

    Attributes:
      strengths: beside those of the method, in any order.
      learning_rates: beside those that the cell gives the method, in any order.
    """

    strengths: tuple[float, ...] = ()
    learning_rates: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Cell:
    """A model with a size, in which all methods are compared.

    Attributes:
      fields: what differs from the base configuration.
      learning_rates: of every method but the baseline, increasing.
      baseline_learning_rates: of the baseline, increasing, at least as many.
      searches: seeds of each of the independent searches.
      finals: for each search the seeds on which its choices are tested.
      curves: seeds of the strength curves beside those of the searches.
      methods: by method, fields that it has in this cell beside its own.
      extended: by method, what its grid has in this cell beside the values above.
      margin: the largest difference of test accuracy that counts as none, in
        percentage points.
      descriptive: whether the cell is only described: no test is made in it, and it
        does not count among the comparisons that are corrected for. Set it before a
        test set is read.
    """

    fields: Mapping[str, Any]
    learning_rates: tuple[float, ...]
    baseline_learning_rates: tuple[float, ...]
    searches: tuple[tuple[int, ...], ...]
    finals: tuple[tuple[int, ...], ...]
    curves: tuple[int, ...]
    methods: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    extended: Mapping[str, Extension] = dataclasses.field(default_factory=dict)
    margin: float = 0.5
    descriptive: bool = False


@dataclasses.dataclass(frozen=True)
class Gate:
    """When a method counts as trained to convergence.

    Attributes:
      seeds: on which it is measured.
      factor: by which the epochs are multiplied.
      points: the accuracy on validation after the last epoch changes by less, in
        percentage points.
      nll: the least validation NLL changes by less, in nats.
      start: the means of each learned noise parameter after the last epoch, from all
        starts of a method, lie less than this apart.
    """

    seeds: tuple[int, ...]
    factor: int = 2
    points: float = 0.3
    nll: float = 0.01
    start: float = 0.5


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The whole comparison.

    Attributes:
      cells: by name, which is part of file names.
      methods: by name.
      baseline: name of the method that the others are compared with.
      gate: see `Gate`.

    Raises:
      UserError: something in it does not fit; above all seeds that two stages share.
    """

    cells: Mapping[str, Cell]
    methods: Mapping[str, Method]
    baseline: str
    gate: Gate

    def __post_init__(self):
        if self.baseline not in self.methods:
            raise UserError(
                f"protocol: baseline={self.baseline!r} is none of the methods "
                f"{', '.join(self.methods)}"
            )
        if self.gate.factor < 2:
            raise UserError(f"protocol: gate.factor={self.gate.factor}: must be 2 up")
        for name, method in self.methods.items():
            _check_grid(f"strengths of method {name!r}", method.strengths, least=0)
        for name, cell in self.cells.items():
            self._check_cell(f"cell {name!r}", name, cell)

    def _check_cell(self, place: str, name: str, cell: Cell) -> None:
        if not _FILE_NAME.fullmatch(name) or not stored.is_name(name):
            raise UserError(
                f"protocol: {place} names files: give it letters, digits, '.', '_' "
                "and '-' alone"
            )
        if not cell.margin > 0:
            raise UserError(
                f"protocol: margin={cell.margin} of {place}: must be over 0"
            )
        _check_grid(f"learning_rates of {place}", cell.learning_rates)
        _check_grid(f"baseline_learning_rates of {place}", cell.baseline_learning_rates)
        for other in cell.methods.keys() - self.methods.keys():
            raise UserError(f"protocol: {place} has fields of {other!r}, no method")
        self._check_extensions(place, name)
        least = len(self.learning_rates(name, self.baseline))
        for method in self.methods:
            if (count := len(self.learning_rates(name, method))) > least:
                raise UserError(
                    f"protocol: {place} has {least} learning rates of the baseline "
                    f"and {count} of {method!r}: the baseline needs at least as many "
                    "as a method has at one strength"
                )
        if len({len(seeds) for seeds in cell.finals}) > 1 or len(cell.finals) != len(
            cell.searches
        ):
            raise UserError(
                f"protocol: finals of {place} has {[len(s) for s in cell.finals]} "
                f"seeds: give each of the {len(cell.searches)} searches equally many"
            )
        _check_seeds(
            place,
            {
                **{f"search {n}": s for n, s in enumerate(cell.searches, 1)},
                "gate": self.gate.seeds,
                **{f"final of search {n}": s for n, s in enumerate(cell.finals, 1)},
                "curve": cell.curves,
            },
        )

    def _check_extensions(self, place: str, cell: str) -> None:
        for method, extension in self.cells[cell].extended.items():
            if method not in self.methods:
                raise UserError(f"protocol: {place} extends {method!r}, no method")
            if extension.strengths and not self.methods[method].strengths:
                raise UserError(
                    f"protocol: {place} extends the strengths of {method!r}, which has "
                    "no strength: leave them out"
                )
            for what, values in (
                ("strength", self.strengths(cell, method)),
                ("learning rate", self.learning_rates(cell, method)),
            ):
                for value, after in itertools.pairwise(values):
                    if value == after:
                        raise UserError(
                            f"protocol: {place} extends {method!r} by {what} {value}, "
                            "which its grid has already: give each value once"
                        )

    def strengths(self, cell: str, method: str) -> tuple[float | None, ...]:
        """Returns the strengths of a method in a cell; None alone if it has none."""
        added = self._extension(cell, method).strengths
        return tuple(sorted((*self.methods[method].strengths, *added))) or (None,)

    def learning_rates(self, cell: str, method: str) -> tuple[float, ...]:
        """Returns the learning rates of a method in a cell."""
        found = self.cells[cell]
        is_baseline = method == self.baseline
        own = found.baseline_learning_rates if is_baseline else found.learning_rates
        return tuple(sorted((*own, *self._extension(cell, method).learning_rates)))

    def _extension(self, cell: str, method: str) -> Extension:
        return self.cells[cell].extended.get(method, Extension())

    def settings(self, cell: str, method: str) -> list[Setting]:
        """Returns the grid of a method in a cell, strength by strength."""
        grid = itertools.product(
            self.strengths(cell, method), self.learning_rates(cell, method)
        )
        return [Setting(method, *point) for point in grid]

    def fields(self, cell: str, setting: Setting) -> dict[str, Any]:
        """Returns what a setting changes in the base configuration, by dotted path."""
        method, found = self.methods[setting.method], self.cells[cell]
        strength = setting.strength
        return {
            **found.fields,
            **method.fields,
            **found.methods.get(setting.method, {}),
            **({} if strength is None else method.at(strength)),
            LEARNING_RATE: setting.learning_rate,
        }


def _check_grid(what: str, values: Sequence[float], least: int = 1) -> None:
    rising = all(a < b for a, b in itertools.pairwise(values))
    if len(values) < least or not rising:
        raise UserError(f"protocol: {what} are {values!r:.100}: must increase")


def _check_seeds(place: str, stages: Mapping[str, Iterable[int]]) -> None:
    """Raises UserError for a stage without seeds, or a seed that two of them use."""
    owner: dict[int, str] = {}
    for stage, seeds in stages.items():
        seeds = tuple(seeds)
        if not seeds:
            raise UserError(f"protocol: {place} has no seeds for {stage}: give some")
        for seed in seeds:
            if seed in owner:
                raise UserError(
                    f"protocol: {place} uses seed {seed} for {owner[seed]} and for "
                    f"{stage}: give every stage seeds of its own"
                )
            owner[seed] = stage


def load_protocol(config_file: str) -> Protocol:
    """Returns what `protocol()` of a config file returns.

    Args:
      config_file: as `--config` names it; "file.py:text" calls `protocol("text")`.

    Raises:
      UserError: there is no such function, or it returns something else.
    """
    found = call(
        config_file,
        "protocol",
        "it must return a dropout_jax.sweeps.protocol.Protocol (docs/sweeps.md)",
    )
    if not isinstance(found, Protocol):
        raise UserError(
            f"protocol() of {config_file} returned {found!r:.60}: it must return a "
            "dropout_jax.sweeps.protocol.Protocol"
        )
    return found
