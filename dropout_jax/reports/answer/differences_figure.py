# SPDX-License-Identifier: Apache-2.0
"""Every method minus the baseline in every cell, with each search beside the mean."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dropout_jax.evaluation.comparison import Comparison, Measure
from dropout_jax.reports.answer.cell import Cell
from dropout_jax.reports.answer.judging import Answer, Row
from dropout_jax.reports.answer.words import caveats
from dropout_jax.reports.palette import INK, PAGE, Style, short, styles
from dropout_jax.reports.phrases import NOUNS

_LINE = 0.24  # inches of a method
_BELOW = 0.28  # lines from a mean to the digit of a search, and on to the next
_MARKED = 5.2  # points, so that a name with its marks is no higher than its line
_GAP = 0.9  # lines between two cells, for the name of the second


def differences_figure(answer: Answer) -> Figure | None:
    """Draws a line for each method of each cell, a panel for each measure.

    Thick bars are 95 % t intervals over all replicates, thin ones those at the
    corrected level; the digits below them are the means of the searches. A filled mark
    is a gain or a loss, an open one is neither. The gray area is the margin of
    equivalence.
    """
    cells = [cell for cell in answer.cells if _lines(answer, cell)]
    if not cells:
        return None
    places, height = {}, 0.0
    for cell in cells:
        height += _GAP
        for method in _lines(answer, cell):
            places[cell.name, method] = height
            height += 1
    measures = cells[0].measures
    figure = Figure(figsize=(PAGE, 0.65 + _LINE * height), layout="constrained")
    grid = list(figure.subplots(1, len(measures), sharey=True, squeeze=False)[0])
    for axes, measure in zip(grid, measures, strict=True):
        axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
        for cell in cells:
            _cell(axes, answer, cell, measure, places)
            if axes is grid[0]:
                _heading(axes, cell, places)
        baseline = short(cells[0].baseline)
        axes.set_xlabel(
            f"{NOUNS[measure.name]} minus that of {baseline} ({measure.unit})"
        )
        axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    labels = [
        short(method) + caveats(cell, method).replace(" (", "\n(")
        for cell in cells
        for method in _lines(answer, cell)
    ]
    grid[0].set_yticks(list(places.values()), labels)
    for label in grid[0].get_yticklabels():
        if "\n" in label.get_text():
            label.set(fontsize=_MARKED, linespacing=0.95)
    grid[0].set_ylim(height - 0.4, -0.2)
    return figure


def _lines(answer: Answer, cell: Cell) -> list[str]:
    """The methods of a cell that are compared by some measure."""
    compared = {
        row.method
        for measure in cell.measures
        for row in answer.of(cell, measure)
        if row.comparison
    }
    return [method for method in cell.methods if method in compared]


def _cell(
    axes: Axes,
    answer: Answer,
    cell: Cell,
    measure: Measure,
    places: dict[tuple[str, str], float],
) -> None:
    looks = styles(cell.methods)
    rows = [row for row in answer.of(cell, measure) if row.comparison]
    for row in rows:
        assert row.comparison is not None
        _line(axes, row, row.comparison, places[cell.name, row.method], looks)
    (own,) = (own for own in cell.measures if own.name == measure.name)
    top, bottom = _ends(cell, places)
    axes.fill_betweenx(
        [top - 0.45, bottom + 0.45],
        -own.margin,
        own.margin,
        color="#000000",
        alpha=0.05,
        linewidth=0,
        zorder=0,
    )


def _ends(cell: Cell, places: dict[tuple[str, str], float]) -> tuple[float, float]:
    """Where the first and the last line of a cell stand."""
    of_cell = [place for (name, _), place in places.items() if name == cell.name]
    return min(of_cell), max(of_cell)


def _heading(axes: Axes, cell: Cell, places: dict[tuple[str, str], float]) -> None:
    state = "" if cell.finished else " (unfinished)"
    axes.annotate(
        cell.name + (" (descriptive)" if cell.descriptive else state),
        (0, _ends(cell, places)[0] - 0.66),
        xycoords=("axes fraction", "data"),
        va="center",
        weight="bold",
        fontsize=7,
    )


def _line(
    axes: Axes, row: Row, found: Comparison, place: float, looks: dict[str, Style]
) -> None:
    look = looks[row.method]
    level = place - 0.24
    for drawn, width in ((found.corrected, 0.7), (found.interval, 1.8)):
        if np.isfinite(drawn.low):
            axes.plot(
                [drawn.low, drawn.high],
                [level, level],
                color=look.colour,
                linewidth=width,
                solid_capstyle="butt",
                zorder=3,
            )
    axes.plot(
        found.interval.mean,
        level,
        look.mark,
        color=look.colour,
        markerfacecolor="white" if found.better is None else look.colour,
        markersize=4.5,
        markeredgewidth=0.9,
        zorder=4,
    )
    for search_place, (search, of) in enumerate(found.by_search.items(), start=1):
        axes.text(
            of.mean,
            level + _BELOW * search_place,
            str(search),
            color=look.colour,
            fontsize=5,
            ha="center",
            va="center",
            zorder=5,
        )
