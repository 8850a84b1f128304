# SPDX-License-Identifier: Apache-2.0
"""Validation against the strength of each method: the optimum and its neighbors."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from dropout_jax.evaluation.comparison import Measure
from dropout_jax.reports.answer.cell import Cell, validation_of
from dropout_jax.reports.numbers import value_text
from dropout_jax.reports.palette import (
    BASELINE_COLOUR,
    INK,
    PAGE,
    short,
    styles,
    wrapped,
)

_LEGEND = 4.4  # inches that the legend below the panels takes
_LABELS = {"accuracy": "validation accuracy (%)", "nll": "validation NLL (nats)"}


def strength_figure(cell: Cell) -> Figure | None:
    """Draws the strength curves of one cell: a column per method, a line per measure.

    Circles are replicates, the line is their mean, the gray line and band the baseline
    with the range of its replicates. Digits stand where each search chose.
    """
    methods = [
        method
        for method in cell.methods[1:]
        if any(_points(cell, method, measure) for measure in cell.measures)
    ]
    if not methods:
        return None
    width = max(0.7 + (PAGE - 0.7) * len(methods) / 4, _LEGEND)
    figure = Figure(figsize=(width, 3.4), layout="constrained")
    grid = figure.subplots(
        len(cell.measures), len(methods), sharex="col", sharey="row", squeeze=False
    )
    looks = styles(cell.methods)
    for line, measure in enumerate(cell.measures):
        reference = [v for _, v in _points(cell, cell.baseline, measure)]
        for column, method in enumerate(methods):
            axes = grid[line, column]
            _reference(axes, reference)
            _curve(axes, cell, method, measure, looks[method].colour)
            axes.grid(color="#ececec", linewidth=0.5)
            axes.set_axisbelow(True)
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        grid[line, 0].set_ylabel(_LABELS[measure.name])
    for column, method in enumerate(methods):
        grid[0, column].set_title(wrapped(method, 22), weight="bold", pad=11)
        grid[-1, column].set_xlabel(cell.strengths.get(method, "strength"))
    figure.legend(
        handles=_legend(cell), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def _legend(cell: Cell) -> list[Line2D]:
    open_circle = {"marker": "o", "markersize": 2.6, "markerfacecolor": "none"}
    return [
        Line2D([], [], color=INK, linewidth=1.2, label="mean"),
        Line2D([], [], color=INK, linestyle="", label="replicate", **open_circle),
        Line2D(
            [],
            [],
            color=BASELINE_COLOUR,
            linewidth=1.0,
            label=f"{short(cell.baseline)}, mean; band: its replicates",
        ),
    ]


def _points(cell: Cell, method: str, measure: Measure) -> list[tuple[float, float]]:
    """Strength and finite validation result of each replicate; NaN: no strength."""
    points = [
        (np.nan if one.strength is None else one.strength, value)
        for one in cell.curve.get(measure.name, ())
        if one.method == method
        and np.isfinite(value := validation_of(one.trial, measure))
    ]
    return sorted(points)


def means(points: Sequence[tuple[float, float]]) -> dict[float, float]:
    """The mean over the replicates at each strength, in order.

    Example:
      >>> means([(0.1, 80.0), (0.1, 82.0), (1.0, 85.0)])
      {0.1: 81.0, 1.0: 85.0}
    """
    strengths = sorted({strength for strength, _ in points})
    return {x: float(np.mean([v for s, v in points if s == x])) for x in strengths}


def _reference(axes: Axes, values: Sequence[float]) -> None:
    if not values:
        return
    axes.axhline(
        float(np.mean(values)),
        color=BASELINE_COLOUR,
        linewidth=1.0,
    )
    axes.axhspan(
        min(values), max(values), color=BASELINE_COLOUR, alpha=0.15, linewidth=0
    )


def _curve(axes: Axes, cell: Cell, method: str, measure: Measure, colour: str) -> None:
    points = _points(cell, method, measure)
    if not points:  # runs of the other measure have ended first
        return
    middle = means(points)
    axes.set_xscale("log" if min(middle) > 0 else "linear")
    axes.set_xticks(list(middle), list(map(value_text, middle)), rotation=45)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.plot(
        [strength for strength, _ in points],
        [value for _, value in points],
        "o",
        markersize=2.6,
        markerfacecolor="none",
        markeredgecolor=colour,
        markeredgewidth=0.6,
        zorder=2,
    )
    axes.plot(
        list(middle),
        list(middle.values()),
        color=colour,
        linewidth=1.2,
        zorder=3,
    )
    chosen: dict[float, list[str]] = {}
    for search in cell.searches:
        choice = cell.choices.get((method, search, measure.name))
        strength = choice.strength if choice else None
        if strength is not None and strength in middle:
            chosen.setdefault(strength, []).append(str(search))
    for strength, searches in chosen.items():
        axes.annotate(
            ", ".join(searches),
            (strength, 1.01),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=6,
        )
