# SPDX-License-Identifier: Apache-2.0
"""Figures for a paper: vector and pixel, the same bytes for the same study.

Sizes are in inches for a two-column page: 3.4 for a column, 7 for the page, type of
7 to 8 points at that size.
"""

import functools
import io
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports import fonts
from dropout_jax.reports.knob_figures import grid_figure, knobs_figure
from dropout_jax.reports.numbers import bracketed, difference
from dropout_jax.reports.palette import INK, Style, short, styles
from dropout_jax.reports.panels import curves_figure, reliability_figure
from dropout_jax.reports.phrases import NOUNS
from dropout_jax.reports.selection import choose
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table
from dropout_jax.reports.time_figure import time_figure

COLUMN = 3.4
FIGURES = {
    f"{name}.{kind}"
    for name in (
        "accuracy",
        "differences",
        "curves",
        "reliability",
        "knobs",
        "grid",
        "time",
    )
    for kind in ("png", "svg")
}
_STYLE: dict[Any, Any] = {
    "font.family": [fonts.FAMILY],
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,  # a "$" in a method's name is a dollar
    "axes.unicode_minus": True,
    "svg.hashsalt": "dropout_jax",  # identifiers in the SVG from the drawing alone
    "svg.fonttype": "path",
}


@contextmanager
def style(names: Iterable[str] = ()) -> Iterator[None]:
    """House style from Matplotlib's defaults, whatever the user's own settings.

    Args:
      names: of methods that are drawn, in any script; fonts that have their letters are
        taken, as far as there are any (`fonts.told`).
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=fonts.WARNING)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "font.family": fonts.families(names)})
        yield


def figures(study: Study, table: Table) -> dict[str, bytes]:
    """Draws every figure that the study has the data for.

    Args:
      study: the runs; of a method that was tried with several settings the one chosen
        on validation is drawn, but for the figures of the knobs themselves.
      table: their table; it gives order, baseline and intervals.

    Returns:
      File contents by name: `accuracy`, `differences`, `curves`, `reliability`,
      `knobs`, `grid` and `time`, each as `.png` (300 dots an inch) and `.svg`. Equal
      input gives equal bytes.
    """
    selection = choose(study)
    final = selection.study
    with style(row.arm for row in table.rows):
        drawn = {
            "accuracy": accuracy_figure(table),
            "differences": differences_figure(table),
            "curves": curves_figure(final, table),
            "reliability": reliability_figure(final, table),
            "knobs": knobs_figure(selection, table),
            "grid": grid_figure(selection, table),
            "time": time_figure(final, table),
        }
        return as_files(drawn)


def as_files(drawn: Mapping[str, Figure | None]) -> dict[str, bytes]:
    """Returns figures as the contents of files, by name; to be called within `style`.

    Args:
      drawn: figures by name without an ending; None is passed over.

    Example:
      >>> as_files({"accuracy": None})
      {}
    """
    files = {}
    for name, figure in drawn.items():
        if figure is not None:
            files[f"{name}.png"] = _bytes(figure, "png", {"Software": None})
            figure.set_layout_engine("none")  # it stays as it was found
            files[f"{name}.svg"] = _bytes(figure, "svg", {"Date": None})
    return files


def _bytes(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=300, metadata=metadata)
    return buffer.getvalue()


def accuracy_figure(table: Table) -> Figure | None:
    """Test accuracy: a point per seed, the mean and its 95 % interval."""
    rows = [row for row in table.rows if row.accuracy]
    if not rows:
        return None
    figure, (axes,) = _lines_of_methods([row.arm for row in rows])
    looks = styles([row.arm for row in table.rows])
    for height, row in enumerate(rows):
        assert row.accuracy is not None
        _points_and_interval(axes, height, row.accuracies, row.accuracy, looks[row.arm])
        _value_at_the_right(axes, height, bracketed(row.accuracy))
    axes.set_xlabel("test accuracy (%)")
    return figure


def differences_figure(table: Table) -> Figure | None:
    """Paired differences to the baseline by each measure (a forest plot).

    Thick bars are 95 % intervals, thin ones those at the corrected level.
    """
    panels = [(m, found) for m in table.measures if (found := table.comparisons(m))]
    if not panels:
        return None
    arms = [row.arm for row in table.rows if row.comparisons]
    looks = styles([row.arm for row in table.rows])
    figure, grid = _lines_of_methods(arms, len(panels))
    for axes, (measure, found) in zip(grid, panels, strict=True):
        axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
        write = functools.partial(difference, measure=measure)
        for one in found:
            height = arms.index(one.method)
            _points_and_interval(
                axes, height, one.values, one.interval, looks[one.method], one.corrected
            )
            _value_at_the_right(axes, height, bracketed(one.interval, write))
        axes.set_xlabel(
            f"{NOUNS[measure.name]} minus that of {short(table.baseline)} "
            f"({measure.unit})"
        )
    return figure


def _lines_of_methods(arms: list[str], panels: int = 1) -> tuple[Figure, list[Axes]]:
    """One horizontal line per method, the first on top."""
    size = (COLUMN + 2.9 * (panels - 1), 0.55 + 0.3 * len(arms))
    figure = Figure(figsize=size, layout="constrained")
    grid = list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])
    grid[0].set_yticks(range(len(arms)), [short(arm) for arm in arms])
    grid[0].set_ylim(len(arms) - 0.5, -0.5)
    for axes in grid:
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.margins(x=0.06)
    return figure, grid


def _points_and_interval(
    axes: Axes,
    height: int,
    values,
    interval: Interval,
    look: Style,
    corrected: Interval | None = None,
) -> None:
    # The interval runs above the line, the seeds lie below it, spread in their order:
    # nothing hides anything.
    spread = np.linspace(0.08, 0.3, len(values)) if len(values) > 1 else 0.15
    axes.scatter(
        values,
        height + spread,
        s=6,
        facecolors="none",
        edgecolors=look.colour,
        linewidths=0.6,
        zorder=2,
    )
    level = height - 0.12
    for drawn, width in ((corrected, 0.7), (interval, 1.8)):
        if drawn is not None and np.isfinite(drawn.low):
            axes.plot(
                [drawn.low, drawn.high],
                [level, level],
                color=look.colour,
                linewidth=width,
                solid_capstyle="butt",
                zorder=3,
            )
    axes.plot(
        interval.mean,
        level,
        look.mark,
        color=look.colour,
        markersize=5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        zorder=4,
    )


def _value_at_the_right(axes: Axes, height: int, text: str) -> None:
    axes.annotate(
        text,
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=6.5,
        annotation_clip=False,
    )
