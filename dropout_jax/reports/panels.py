# SPDX-License-Identifier: Apache-2.0
"""Figures with a small panel per method: learning curves and reliability."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dropout_jax.reports.curves import Curve, curve, pooled_bins
from dropout_jax.reports.numbers import plain
from dropout_jax.reports.palette import PAGE, Style, styles, wrapped
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Row, Table

PER_LINE = 5
MOST = 20  # panels: more fill no page, and take minutes to draw
DIAGONAL = "#b0b0b0"
_LEGEND = 4.2  # inches that the legend below the panels takes


def with_panel(study: Study, table: Table) -> list[Row]:
    """The methods that get a panel, in the order of the table.

    All that have results; of more than MOST the baseline and those of the highest
    mean validation accuracy.
    """

    def reached(row: Row) -> float:
        if row.arm == table.baseline:
            return float("inf")
        runs = study.done(row.arm).values()
        return float(np.mean([run.validation.get("accuracy", 0.0) for run in runs]))

    drawn = [row for row in table.rows if study.done(row.arm)]
    kept = {row.arm for row in sorted(drawn, key=reached, reverse=True)[:MOST]}
    return [row for row in drawn if row.arm in kept]


def curves_figure(study: Study, table: Table) -> Figure | None:
    """Accuracy and loss over epochs, without noise: training against validation.

    The filled area between the two curves is the gap; thin bands span the seeds.
    """
    kinds = {"accuracy": "accuracy (%)", "loss": "loss (nats)"}
    found: dict[str, dict[str, tuple[Curve, Curve]]] = {}
    for row in with_panel(study, table):
        trials = list(study.done(row.arm).values())
        pairs = {}
        for kind in kinds:
            training = curve(trials, f"clean_train_{kind}")
            validation = curve(trials, f"validation_{kind}")
            if training and validation:
                pairs[kind] = (training, validation)
        if len(pairs) == len(kinds):
            found[row.arm] = pairs
    if not found:
        return None
    across = min(PER_LINE, len(found))
    lines = -(-len(found) // across)
    figure = Figure(figsize=(_width(across), 2.9 * lines), layout="constrained")
    grid = figure.subplots(2 * lines, across, sharex=True, squeeze=False)
    # One scale for all panels of a kind: gaps are compared across the figure.
    for axes in (*grid[0::2].flat, *grid[1::2].flat):
        first = grid[0, 0] if axes in grid[0::2] else grid[1, 0]
        if axes is not first:
            axes.sharey(first)
    looks = styles([row.arm for row in table.rows])
    for number, (arm, pairs) in enumerate(found.items()):
        line, column = divmod(number, across)
        for offset, kind in enumerate(kinds):
            axes = grid[2 * line + offset, column]
            scale = 100.0 if kind == "accuracy" else 1.0
            _gap(axes, *pairs[kind], scale, looks[arm])
            if column == 0:
                axes.set_ylabel(kinds[kind])
        grid[2 * line, column].set_title(wrapped(arm), weight="bold")
        grid[2 * line + 1, column].set_xlabel("epoch")
        grid[2 * line + 1, column].tick_params(labelbottom=True)
    for axes in grid.flat:
        axes.grid(color="#ececec", linewidth=0.5)
        axes.set_visible(axes.has_data())
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _width(across: int) -> float:
    """Inches for so many panels and the labels at their left, and for the legend."""
    return max(0.6 + (PAGE - 0.6) * across / PER_LINE, _LEGEND)


def _gap(
    axes: Axes, training: Curve, validation: Curve, scale: float, look: Style
) -> None:
    for series, style in ((training, (0, (4, 1.5))), (validation, "solid")):
        name = "training, no noise" if series is training else "validation"
        axes.plot(
            series.epoch,
            scale * series.mean,
            color=look.colour,
            linestyle=style,
            linewidth=1.1,
            label=name,
        )
        axes.fill_between(
            series.epoch,
            scale * series.low,
            scale * series.high,
            color=look.colour,
            alpha=0.35,
            linewidth=0,
        )
    shared, ours, theirs = np.intersect1d(
        training.epoch, validation.epoch, return_indices=True
    )
    axes.fill_between(
        shared,
        scale * training.mean[ours],
        scale * validation.mean[theirs],
        color=look.colour,
        alpha=0.13,
        linewidth=0,
        label="gap",
    )


def reliability_figure(study: Study, table: Table) -> Figure | None:
    """Accuracy against confidence per method, and where the predictions lie."""
    found = {
        row.arm: (bins, row)
        for row in with_panel(study, table)
        if (bins := pooled_bins(study.done(row.arm).values(), table.reliability_set))
    }
    if not found:
        return None
    across = min(PER_LINE, len(found))
    lines = -(-len(found) // across)
    figure = Figure(figsize=(_width(across), 2.3 * lines), layout="constrained")
    grid = figure.subplots(
        2 * lines,
        across,
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=[3, 1] * lines,
    )
    looks = styles([row.arm for row in table.rows])
    for number, (arm, (bins, row)) in enumerate(found.items()):
        line, column = divmod(number, across)
        top, bottom = grid[2 * line, column], grid[2 * line + 1, column]
        top.plot([0, 1], [0, 1], color=DIAGONAL, linewidth=0.8, zorder=1)
        top.vlines(
            bins.confidence,
            bins.confidence,
            bins.accuracy,
            color=looks[arm].colour,
            alpha=0.4,
            linewidth=2.5,
        )
        top.plot(
            bins.confidence,
            bins.accuracy,
            looks[arm].mark,
            color=looks[arm].colour,
            linestyle="solid",
            linewidth=0.8,
            markersize=3,
        )
        top.set_title(wrapped(arm), weight="bold")
        if row.ece:  # below the diagram, where no mark can lie on it
            share = f"ECE {plain(row.ece.mean, 4)}"
            bottom.set_title(share, fontsize=6.5, weight="normal", pad=2)
        top.set(xlim=(0, 1), ylim=(0, 1))
        top.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        bottom.bar(bins.confidence, 100 * bins.share, 0.055, color=looks[arm].colour)
        bottom.set_xlabel("confidence")
        bottom.tick_params(labelbottom=True)
        bottom.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        if column == 0:
            top.set_ylabel("accuracy")
            bottom.set_ylabel("share (%)")
    for axes in grid.flat:
        axes.set_visible(axes.has_data())
    return figure
