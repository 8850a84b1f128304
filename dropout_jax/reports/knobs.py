# SPDX-License-Identifier: Apache-2.0
"""What a study says of its knobs: validation along each one, and over pairs of them.

Test has no place here: whoever reads a best rate off a curve has chosen by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dropout_jax.evaluation.sensitivity import sensitivity
from dropout_jax.evaluation.statistics import Interval, mean_interval
from dropout_jax.reports.axes import label
from dropout_jax.reports.numbers import value_text
from dropout_jax.reports.selection import Candidate, Selection


@dataclass(frozen=True)
class Curve:
    """One method along one knob, its other knobs as chosen.

    `moves` is how far the means lie apart over the range, in points, with its
    interval over the seeds that all settings share; None where they share none.
    """

    arm: str
    knob: str
    points: tuple[Candidate, ...]  # by value, those with a finished run
    chosen: Any  # the value of the knob
    moves: Interval | None


@dataclass(frozen=True)
class Grid:
    """One method over two knobs: mean validation accuracy in percent, [down, across].

    A cell without a finished run is NaN; `seeds` counts those that have one.
    """

    arm: str
    across: str
    down: str
    columns: tuple[Any, ...]
    lines: tuple[Any, ...]
    means: np.ndarray
    seeds: np.ndarray
    chosen: tuple[int, int]  # line and column


class Axis(NamedTuple):
    """Where the values of a knob stand: their own place, or evenly with labels."""

    places: dict[Any, float]
    labels: dict[float, str]  # empty where the numbers speak for themselves


def curves(selection: Selection) -> dict[str, list[Curve]]:
    """Every method along every knob that it was tried with several values of.

    Returns:
      By label of the axis, so that one axis never has two quantities.

    Example:
      >>> from dropout_jax.reports.study import Study
      >>> curves(Selection(Study("s", ()), (), {}))
      {}
    """
    found: dict[str, list[Curve]] = {}
    for arm, best in selection.chosen.items():
        for knob in selection.varied(arm):
            points = [
                candidate
                for candidate in selection.among(arm)
                if candidate.accuracies
                and all(
                    candidate.setting[other] == best.setting[other]
                    for other in selection.varied(arm)
                    if other != knob
                )
            ]
            points.sort(key=lambda candidate: _order(candidate.setting[knob]))
            if len(points) > 1:
                line = Curve(
                    arm, knob, tuple(points), best.setting[knob], _moves(points)
                )
                found.setdefault(label(knob, kind_of(selection, arm)), []).append(line)
    return found


def kind_of(selection: Selection, arm: str) -> str:
    """The kind of noise of a method's chosen setting.

    Example:
      >>> from dropout_jax.reports.study import Study
      >>> kind_of(Selection(Study("s", ()), (), {}), "none")
      ''
    """
    runs = selection.study.of(arm)
    return str(runs[0].config.get("noise.kind", "")) if runs else ""


def validation(selection: Selection, arm: str) -> Interval | None:
    """Mean validation accuracy of a method in its one setting, in percent.

    Example:
      >>> from dropout_jax.reports.study import Study
      >>> validation(Selection(Study("s", ()), (), {}), "none") is None
      True
    """
    values = [
        100 * trial.validation["accuracy"]
        for trial in selection.study.done(arm).values()
        if "accuracy" in trial.validation
    ]
    return mean_interval(values) if values else None


def grids(selection: Selection) -> list[Grid]:
    """Every method over the first two of its knobs, others as chosen."""
    found = []
    for arm, best in selection.chosen.items():
        if len(selection.varied(arm)) < 2:
            continue
        across, down, *others = selection.varied(arm)
        cells = [
            candidate
            for candidate in selection.among(arm)
            if all(candidate.setting[k] == best.setting[k] for k in others)
        ]
        columns = sorted({c.setting[across] for c in cells}, key=_order)
        lines = sorted({c.setting[down] for c in cells}, key=_order)
        means = np.full((len(lines), len(columns)), np.nan)
        seeds = np.zeros(means.shape, int)
        for cell in cells:
            place = _place(cell, lines, down, columns, across)
            seeds[place] = len(cell.accuracies)
            if cell.mean is not None:
                means[place] = cell.mean.mean
        found.append(
            Grid(
                arm,
                across,
                down,
                tuple(columns),
                tuple(lines),
                means,
                seeds,
                _place(best, lines, down, columns, across),
            )
        )
    return found


def _place(
    cell: Candidate, lines: list[Any], down: str, columns: list[Any], across: str
) -> tuple[int, int]:
    return lines.index(cell.setting[down]), columns.index(cell.setting[across])


def _moves(points: Sequence[Candidate]) -> Interval | None:
    shared = sorted(set.intersection(*(set(p.accuracies) for p in points)))
    if not shared:
        return None
    return sensitivity([[p.accuracies[seed] for seed in shared] for p in points])


def number(value: Any) -> float | None:
    """The one number that a value is, if it is one: 0.2, (0.2,), (0.2, 0.2).

    Example:
      >>> number((0.2, 0.2)), number((0.2, 0.5)), number("exact")
      (0.2, None, None)
    """
    entries = value if isinstance(value, tuple) else (value,)
    if len(set(entries)) != 1 or isinstance(entries[0], bool | str):
        return None
    return float(entries[0])


def _order(value: Any) -> tuple[Any, ...]:
    """Sorts numbers by size, before what is none."""
    single = number(value)
    return (0, single, "") if single is not None else (1, 0.0, value_text(value))


def axis(values: Sequence[Any]) -> Axis:
    """Places for the values of a knob.

    Numbers stand where they belong, unless they span so much that most of them would
    lie on one spot; these, and what is no number, stand evenly in their order.

    Example:
      >>> axis([(0.1,), (0.5,)]).places[(0.5,)], axis([0.0, 1e-4, 1e-2]).places[1e-2]
      (0.5, 2.0)
    """
    ordered = sorted(set(values), key=_order)
    numbers = [n for value in ordered if (n := number(value)) is not None]
    positive = [n for n in numbers if n > 0]
    if len(numbers) == len(ordered) and (
        not positive or max(positive) <= 20 * min(positive)
    ):
        return Axis(dict(zip(ordered, numbers, strict=True)), {})
    places = {value: float(place) for place, value in enumerate(ordered)}
    return Axis(places, {place: value_text(v) for v, place in places.items()})
