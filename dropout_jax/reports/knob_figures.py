# SPDX-License-Identifier: Apache-2.0
"""Figures of a study's knobs: rate curves with bands, heat maps of two knobs."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.axes import label
from dropout_jax.reports.knobs import (
    Axis,
    Curve,
    Grid,
    axis,
    curves,
    grids,
    kind_of,
    validation,
)
from dropout_jax.reports.numbers import value_text
from dropout_jax.reports.palette import INK, Style, short, styles
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.table import Table

PANEL = 3.4  # inches
PER_LINE = 2
HEAT = "cividis"  # its lightness rises evenly: legible in greyscale
_DASHES = ("solid", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1, 1.5, 1)))


def knobs_figure(selection: Selection, table: Table) -> Figure | None:
    """Mean validation accuracy along each knob, with 95 % t intervals as bands.

    One panel per knob. A ring marks the setting that was chosen; the grey line is the
    baseline where it has no such knob.
    """
    found = curves(selection)
    if not found:
        return None
    across = min(PER_LINE, len(found))
    lines = -(-len(found) // across)
    looks = styles([row.arm for row in table.rows])
    dashes = {arm: _DASHES[n % len(_DASHES)] for n, arm in enumerate(looks)}
    figure = Figure(figsize=(PANEL * across, 2.7 * lines), layout="constrained")
    panels = figure.subplots(lines, across, squeeze=False, sharey=True).ravel()
    for axes, (name, of_knob) in zip(panels, found.items(), strict=False):
        knob = of_knob[0].knob
        values = [c.setting[knob] for line in of_knob for c in line.points]
        places = axis(values)
        for line in of_knob:
            _curve(axes, line, places, looks[line.arm], dashes[line.arm])
        if table.baseline not in {line.arm for line in of_knob}:
            _reference(axes, validation(selection, table.baseline), table.baseline)
        axes.set_xlabel(name)
        _ticks(axes, places)
        axes.grid(color="#ececec", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    for axes in panels[::across]:
        axes.set_ylabel("validation accuracy (%)")
    handles = {}
    for axes in panels:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=2 * across,
        frameon=False,
    )
    return figure


def _curve(axes: Axes, line: Curve, places: Axis, look: Style, dash) -> None:
    x = np.array([places.places[c.setting[line.knob]] for c in line.points])
    means = [c.mean for c in line.points if c.mean is not None]
    y = np.array([mean.mean for mean in means])
    axes.plot(
        x,
        y,
        look.mark,
        color=look.colour,
        linestyle=dash,
        linewidth=1.2,
        markersize=4,
        label=short(line.arm),
        zorder=3,
    )
    axes.fill_between(
        x,
        [mean.low for mean in means],
        [mean.high for mean in means],
        color=look.colour,
        alpha=0.18,
        linewidth=0,
    )
    at = [c.setting[line.knob] for c in line.points].index(line.chosen)
    axes.plot(
        x[at],
        y[at],
        "o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor=INK,
        markeredgewidth=0.9,
        zorder=4,
    )


def _reference(axes: Axes, level: Interval | None, name: str) -> None:
    if level is None:
        return
    axes.axhline(
        level.mean, color="#767676", linewidth=1.0, label=f"{short(name)}, no such knob"
    )
    if np.isfinite(level.low):
        axes.axhspan(level.low, level.high, color="#767676", alpha=0.15, linewidth=0)


def _ticks(axes: Axes, places: Axis) -> None:
    if places.labels:
        axes.set_xticks(list(places.labels), list(places.labels.values()))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))


def grid_figure(selection: Selection, table: Table) -> Figure | None:
    """Mean validation accuracy over two knobs, a heat map per method.

    The number stands in its cell; a frame marks the setting that was chosen, a
    cross-hatch one without a finished run.
    """
    found = grids(selection)
    if not found:
        return None
    across = min(PER_LINE, len(found))
    lines = -(-len(found) // across)
    height = 1.0 + 0.32 * max(len(grid.lines) for grid in found)
    figure = Figure(figsize=(PANEL * across, height * lines), layout="constrained")
    panels = figure.subplots(lines, across, squeeze=False).ravel()
    low = min(np.nanmin(grid.means) for grid in found)
    high = max(np.nanmax(grid.means) for grid in found)
    image = None
    for axes, grid in zip(panels, found, strict=False):
        image = _heat(axes, grid, low, high, kind_of(selection, grid.arm))
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    assert image is not None
    figure.colorbar(
        image, ax=panels.tolist(), label="validation accuracy (%)", fraction=0.06
    )
    return figure


def _ink_on(colour: np.ndarray) -> str:
    """Black or white, whichever is read on an RGB colour by its lightness."""
    lightness = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]
    return "#000000" if lightness > 0.45 else "#ffffff"


def _heat(axes: Axes, grid: Grid, low: float, high: float, kind: str):
    image = axes.imshow(
        grid.means, cmap=HEAT, vmin=low, vmax=high, aspect="auto", origin="lower"
    )
    for (line, column), mean in np.ndenumerate(grid.means):
        if np.isnan(mean):
            box = Rectangle((column - 0.5, line - 0.5), 1, 1, hatch="xx", fill=False)
            axes.add_patch(box).set(linewidth=0, edgecolor="#999999")
            continue
        axes.text(
            column,
            line,
            f"{mean:.2f}",
            ha="center",
            va="center",
            fontsize=6,
            color=_ink_on(np.ravel(image.to_rgba(mean))),
        )
    line, column = grid.chosen
    frame = Rectangle((column - 0.5, line - 0.5), 1, 1, fill=False, clip_on=False)
    axes.add_patch(frame).set(linewidth=2.2, edgecolor=INK, zorder=5)
    inner = Rectangle((column - 0.42, line - 0.42), 0.84, 0.84, fill=False)
    axes.add_patch(inner).set(linewidth=1.0, edgecolor="white", zorder=5)
    axes.set_xticks(range(len(grid.columns)), [value_text(v) for v in grid.columns])
    axes.set_yticks(range(len(grid.lines)), [value_text(v) for v in grid.lines])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(short(grid.arm), weight="bold")
    axes.set_xlabel(label(grid.across, kind))
    axes.set_ylabel(label(grid.down, kind))
    return image
