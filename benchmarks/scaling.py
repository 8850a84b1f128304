# SPDX-License-Identifier: Apache-2.0
"""How the time of a training step grows: batch, width, depth, trials, devices.

python -m benchmarks.scaling

The MLP with dropout, one thing varied at a time.
"""

from __future__ import annotations

import json
import statistics
import sys
from typing import Any, NamedTuple

import matplotlib

from benchmarks import machine, measure, processes
from benchmarks.on_devices import FIELDS, trials_side
from benchmarks.ours import ours
from benchmarks.step_cost import side
from dropout_jax import data
from dropout_jax.config.guard import guarded

NAME = "scaling"
STEPS = 40 if machine.on_cpu() else 200
COLOURS = ("#1f5a99", "#c2571a")


class Panel(NamedTuple):
    """What one number does to the time of a step.

    Attributes:
      x: what was varied.
      curves: medians over the rounds in ms, by the name of a curve.
      label: of the x axis.
      unit: of the y axis.
    """

    x: tuple[int, ...]
    curves: dict[str, list[float]]
    label: str
    unit: str = "ms per step"


def vary(
    label: str, variants: dict[int, dict[str, Any]], dataset: data.Dataset, rounds: int
) -> Panel:
    """Returns the time of a step of each variant, all of them alternating.

    Args:
      label: what is varied.
      variants: our configuration, by the varied number.
      dataset: what is trained on.
      rounds: rounds that count.
    """
    sides = {
        str(x): side(ours({**FIELDS, **fields}, dataset), STEPS)
        for x, fields in variants.items()
    }
    costs = measure.alternate(sides, rounds, label=f"{label}:")
    times = [1e3 * statistics.median(costs[str(x)]) for x in variants]
    return Panel(tuple(variants), {"one run": times}, label)


def batch_size(dataset: data.Dataset, rounds: int) -> Panel:
    """Returns the curve over batch sizes."""
    sizes = (32, 64, 128, 256, 512, 1024)
    variants = {n: {"train.batch_size": n} for n in sizes}
    return vary("batch size", variants, dataset, rounds)


def width(dataset: data.Dataset, rounds: int) -> Panel:
    """Returns the curve over widths of both hidden layers."""
    variants = {n: {"model.widths": (n, n)} for n in (64, 128, 256, 512, 1024)}
    return vary("units per layer", variants, dataset, rounds)


def depth(dataset: data.Dataset, rounds: int) -> Panel:
    """Returns the curve over numbers of hidden layers."""
    variants = {n: {"model.widths": (256,) * n} for n in (1, 2, 4, 8)}
    return vary("hidden layers", variants, dataset, rounds)


def trials(dataset: data.Dataset, rounds: int) -> Panel:
    """Returns the curves over trials in lanes of one program, either way."""
    counts, curves = (1, 2, 4, 8) if machine.on_cpu() else (1, 4, 16, 64), {}
    for name, together in (("one after another", False), ("together (vmap)", True)):
        sides = {
            str(n): trials_side(dataset, n, STEPS, together=together) for n in counts
        }
        costs = measure.alternate(sides, rounds, label=f"trials, {name}:")
        curves[name] = [1e3 * statistics.median(costs[str(n)]) for n in counts]
    return Panel(counts, curves, "trials", "ms per step and trial")


def devices(dataset: data.Dataset, rounds: int) -> Panel:
    """Returns the curves over the devices that XLA makes of a CPU, which share it."""
    del dataset  # a fresh process for each: XLA makes its devices at the start
    counts, found = (1, 2, 4), []
    for n in counts:
        arguments = ["-m", "benchmarks.on_devices", f"--rounds={rounds}"]
        arguments += [f"--devices={n}", f"--steps={STEPS}"]
        found.append(json.loads(processes.run(arguments, devices=n)[1]))
    curves = {name: [1e3 * point[name] for point in found] for name in found[0]}
    return Panel(counts, curves, "host devices", "ms per step (and trial)")


# Each takes (dataset, rounds); a further panel is a further function here.
PANELS = (batch_size, width, depth, trials, *([devices] if machine.on_cpu() else []))


def draw(panels: list[Panel]) -> str:
    """Draws one panel per curve; returns the name of the picture."""
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, NullLocator

    columns = (len(panels) + 1) // 2
    size = (4.2 * columns, 7.6)
    figure, axes = pyplot.subplots(2, columns, figsize=size, layout="constrained")
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, panel in zip(axes.flat, panels, strict=False):
        tops = [max(ys) for ys in zip(*panel.curves.values(), strict=True)]
        for (name, y), colour in zip(panel.curves.items(), COLOURS, strict=False):
            axis.plot(panel.x, y, marker="o", color=colour, label=name)
            for *point, top in zip(panel.x, y, tops, strict=True):
                # Above the upper curve and below the lower: no number on another.
                beside = (-4, 5 if point[1] == top else -13)
                place = {"xytext": beside, "textcoords": "offset points", "size": 8.5}
                axis.annotate(measure.digits(point[1]), point, ha="right", **place)
        everything = [y for ys in panel.curves.values() for y in ys]
        # Straight where time grows as a power; from 0 where it hardly grows.
        power = max(everything) > 3 * min(everything)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_locator(FixedLocator(panel.x))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlabel(panel.label)
        axis.margins(0.2, 0.2)
        if power:
            axis.set_yscale("log")
        else:
            axis.set_ylim(0, 1.3 * max(everything))
        axis.yaxis.set_major_locator(NullLocator())
        axis.yaxis.set_minor_locator(NullLocator())
        axis.set_ylabel(panel.unit + (" (log scale)" if power else " (from 0)"))
        if len(panel.curves) > 1:
            axis.legend(frameon=False, loc="lower left")
        axis.spines[["top", "right"]].set_visible(False)
    path = measure.result_path(f"{NAME}.png")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return path.name


def main() -> None:
    """Measures all curves, draws them and writes the table."""
    flags = measure.arguments(__doc__, 5)
    dataset = data.load()
    panels = [panel(dataset, flags.rounds) for panel in PANELS]
    picture = draw(panels)
    rows = [
        [panel.label, name, str(x), panel.unit, measure.digits(y), f"{y / ys[0]:.2f}"]
        for panel in panels
        for name, ys in panel.curves.items()
        for x, y in zip(panel.x, ys, strict=True)
    ]
    measure.write(
        NAME,
        "How training scales",
        measure.command(NAME),
        "MLP 784-256-256-10 with dropout .5 after each hidden layer, batch 256, one "
        f"thing varied at a time; median of {flags.rounds} rounds of {STEPS} steps "
        "that alternate over the points of a curve.\n\n"
        f"![time per step]({picture})",
        ["varied", "of", "value", "unit", "time", "relative to the first"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
