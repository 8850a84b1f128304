# SPDX-License-Identifier: Apache-2.0
"""What stands below a figure: what is drawn, over how many seeds, which interval."""

from collections.abc import Iterable
from typing import NamedTuple

from dropout_jax.reports import fonts
from dropout_jax.reports.curves import FEW
from dropout_jax.reports.knobs import Curve, curves, grids
from dropout_jax.reports.numbers import bracketed, counted
from dropout_jax.reports.panels import MOST
from dropout_jax.reports.phrases import NOUNS, up
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.table import Table


class Drawing(NamedTuple):
    """A chart or figure by its name, with heading and caption in plain text."""

    name: str
    heading: str
    caption: str


def figure_captions(selection: Selection, table: Table) -> tuple[Drawing, ...]:
    """The figures for a paper, whether the study has the data for them or not."""
    seeds = span(len(row.seeds) for row in table.rows if row.seeds)
    tested = f"{seeds} per method; bars: 95 % t interval over the seeds."
    moves = [
        f"{line.arm}, {name}: moves validation by {bracketed(line.moves)} points"
        for name, lines in curves(selection).items()
        for line in lines
        if line.moves
    ]
    all_ = sum(bool(row.seeds) for row in table.rows)
    some = (
        f" Drawn are {MOST} of {all_} methods with results: the baseline, if it has "
        "any, and those of the highest validation accuracy."
        if all_ > MOST
        else ""
    )
    reliability = ("reliability", "Reliability on the test set")
    measures = " and ".join(NOUNS[m.name] for m in table.measures)
    return (
        Drawing("accuracy", "Test accuracy", f"Circles are seeds. {up(tested)}"),
        Drawing(
            "differences",
            f"{up(measures)} minus that of {table.baseline}, paired by seed",
            _differences(table),
        ),
        Drawing(
            "curves",
            "Learning curves",
            f"Training without noise and validation, mean of {seeds}; thin bands span "
            "all seeds. The filled area is the gap between training and validation."
            + some,
        ),
        Drawing(*reliability, f"{_binned(table)}{some}"),
        Drawing(
            "knobs",
            "Validation accuracy along each knob",
            f"{span(_tried(selection))} per setting; band: 95 % t interval over the "
            "seeds. A ring marks what was chosen, other knobs as chosen. "
            + "; ".join(moves)
            + (" (95 % Tukey interval from two shared seeds on)." if moves else ""),
        ),
        Drawing(
            "grid",
            "Validation accuracy over two knobs",
            f"Mean over {span(int(n) for g in grids(selection) for n in g.seeds.flat)} "
            "per cell; no interval is drawn. A frame marks what was chosen; "
            "cross-hatched: no run finished.",
        ),
        Drawing(
            "time",
            "Test accuracy against wall time",
            f"{up(tested)} Across: median time of a run, bars from the first to the "
            "third quartile.",
        ),
    )


def printed_captions(selection: Selection, table: Table) -> tuple[Drawing, ...]:
    """Captions of the figures as this machine draws them: with letters that lack."""
    lack = fonts.told(row.arm for row in table.rows)
    return tuple(
        drawing._replace(caption=f"{drawing.caption} {lack}".rstrip())
        for drawing in figure_captions(selection, table)
    )


def chart_captions(selection: Selection, table: Table) -> tuple[Drawing, ...]:
    """The interactive charts, whether the study has the data for them or not."""
    still = {drawing.name: drawing for drawing in figure_captions(selection, table)}
    seeds = span(len(row.seeds) for row in table.rows if row.seeds)
    line = f"Validation (line; band: all of {seeds}) and training without noise"
    knobs = [
        Drawing(
            f"knob_{place}",
            f"Validation accuracy over {name}",
            f"{span(_counts(lines))} per setting; bars: 95 % t interval over the "
            "seeds. A ring marks what was chosen.",
        )
        for place, (name, lines) in enumerate(curves(selection).items())
    ]
    heat = [
        Drawing(f"grid_{place}", f"{grid.arm} over two knobs", still["grid"].caption)
        for place, grid in enumerate(grids(selection))
    ]
    return (
        still["accuracy"],
        Drawing(
            "differences",
            "Paired differences of test accuracy",
            still["differences"].caption,
        ),
        Drawing("nll_differences", "Paired differences of NLL", _differences(table)),
        *knobs,
        *heat,
        Drawing(
            "curves_accuracy",
            "Accuracy while training",
            f"{line} (dashes). The distance between the two is the gap.",
        ),
        Drawing("curves_loss", "Loss while training", f"{line} (dashes)."),
        still["reliability"]._replace(caption=_binned(table)),
        still["time"],
    )


def _differences(table: Table) -> str:
    return (
        f"{span(_pairs(table), 'paired seed')} per method. Thick bars: 95 % t interval "
        "of the mean difference, each for its own row; thin bars: the same corrected "
        f"for {counted(table.family, 'comparison')}. Circles are seeds."
    )


def _binned(table: Table) -> str:
    seeds = span(len(row.seeds) for row in table.rows if row.seeds)
    return (
        f"Below the diagonal a method is surer than it is right. {seeds} per method, "
        f"their examples together; no interval. Bins of under {FEW} examples are left "
        f"out. Parameters {table.probability_set}."
    )


def span(counts: Iterable[int], noun: str = "seed") -> str:
    """How many of something, where not all have the same number.

    Example:
      >>> span([10, 10]), span([3, 5], "paired seed"), span([])
      ('10 seeds', '3 to 5 paired seeds', 'no seeds')
    """
    numbers = set(counts)
    if not numbers:
        return f"no {noun}s"
    if len(numbers) == 1:
        return counted(numbers.pop(), noun)
    return f"{min(numbers)} to {max(numbers)} {noun}s"


def _pairs(table: Table) -> list[int]:
    return [len(c.seeds) for row in table.rows for c in row.comparisons.values()]


def _counts(lines: Iterable[Curve]) -> list[int]:
    return [len(point.accuracies) for line in lines for point in line.points]


def _tried(selection: Selection) -> list[int]:
    return [n for lines in curves(selection).values() for n in _counts(lines)]
