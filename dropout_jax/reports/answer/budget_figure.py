# SPDX-License-Identifier: Apache-2.0
"""The expected best validation result of each method against the number of trials."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from dropout_jax.evaluation.comparison import Measure
from dropout_jax.evaluation.expected_best import expected_best
from dropout_jax.reports.answer.cell import Cell, validation_of
from dropout_jax.reports.palette import INK, PAGE, Style, short, styles

_FIRST, _OTHERS = "solid", (0, (4, 1.5))  # dashes of the searches
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_LABELS = {"accuracy": "validation accuracy (%)", "nll": "validation NLL (nats)"}


def trial_values(cell: Cell, measure: Measure) -> dict[tuple[str, int], np.ndarray]:
    """The validation result of each trial of each search, by method and search.

    A trial is one setting: the mean over the seeds that its search ran it with. A trial
    that diverged counts as bad as the worst that ended in the same search of any
    method. A search that has not ended is left out.

    Args:
      cell: the cell.
      measure: accuracy in percent, or NLL in nats.
    """
    worst = min if measure.rising else max
    found = {}
    for search in cell.searches:
        tried = [one for one in cell.tried if one.search == search]
        ended = [(one, validation_of(one.trial, measure)) for one in tried]
        finite = [value for _, value in ended if np.isfinite(value)]
        if not finite or any(one.trial is None for one in tried):
            continue
        for method in cell.methods:
            settings: dict[tuple[float | None, float], list[float]] = {}
            for one, value in ended:
                if one.method == method:
                    value = value if np.isfinite(value) else worst(finite)
                    place = (one.strength, one.learning_rate)
                    settings.setdefault(place, []).append(value)
            if settings:
                values = [float(np.mean(of)) for of in settings.values()]
                found[method, search] = np.array(values)
    return found


def budget_figure(cell: Cell) -> Figure | None:
    """Draws a panel for each measure, a line for each search of each method."""
    found = {measure: trial_values(cell, measure) for measure in cell.measures}
    if not any(found.values()):
        return None
    figure = Figure(figsize=(PAGE, 2.9), layout="constrained")
    grid = list(figure.subplots(1, len(found), squeeze=False)[0])
    looks = styles(cell.methods)
    for axes, (measure, values) in zip(grid, found.items(), strict=True):
        _panel(axes, measure, values, looks)
        axes.set_xlabel("trials of a search")
        axes.set_ylabel(f"expected best {_LABELS[measure.name]}")
    handles, _ = grid[0].get_legend_handles_labels()
    searches = sorted({search for of in found.values() for _, search in of})
    handles += [
        Line2D([], [], color=INK, linewidth=1.1, linestyle=dash, label=label)
        for dash, label in _searches(searches)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _searches(searches: Sequence[int]) -> list[tuple[Any, str]]:
    """The dash of each search in the legend; none for a single search."""
    if len(searches) < 2:
        return []
    first, *others = searches
    rest = ", ".join(map(str, others))
    return [(_FIRST, f"search {first}"), (_OTHERS, f"search {rest}")]


def _panel(
    axes: Axes,
    measure: Measure,
    values: Mapping[tuple[str, int], np.ndarray],
    looks: Mapping[str, Style],
) -> None:
    curves = {
        name: expected_best(of, rising=measure.rising) for name, of in values.items()
    }
    for (method, search), curve in curves.items():
        first = search == min(s for m, s in curves if m == method)
        axes.plot(
            np.arange(1, curve.size + 1),
            curve,
            color=looks[method].colour,
            linewidth=1.1,
            linestyle=_FIRST if first else _OTHERS,
            marker=looks[method].mark,
            markevery=[curve.size - 1],
            markersize=3.5,
            label=short(method) if first else None,
        )
    axes.set_xscale("log")
    longest = max((curve.size for curve in curves.values()), default=1)
    ticks = [n for n in _TICKS if n <= longest]
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(color="#ececec", linewidth=0.5)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    _cut(axes, list(curves.values()), rising=measure.rising)


def _cut(axes: Axes, curves: list[np.ndarray], *, rising: bool) -> None:
    """Begins with what two trials reach: a single one may be at chance."""
    if not curves:
        return
    best = max(c[-1] for c in curves) if rising else min(c[-1] for c in curves)
    early = [c[min(1, c.size - 1)] for c in curves]
    far = min(early) if rising else max(early)
    room = 0.06 * abs(best - far) or 0.01
    low, high = sorted((far, best))
    axes.set_ylim(low - room, high + room)
