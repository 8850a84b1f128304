# SPDX-License-Identifier: Apache-2.0
"""What accuracy costs: test accuracy against the wall time of a run."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.palette import short, styles
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table


class Cost(NamedTuple):
    """One method: quartiles of its runs' wall times in minutes, and its accuracy."""

    arm: str
    low: float
    median: float
    high: float
    accuracy: Interval


def costs(study: Study, table: Table) -> list[Cost]:
    """The methods whose runs say how long they took, in the order of the table."""
    found = []
    for row in table.rows:
        times = [t.seconds for t in study.done(row.arm).values() if t.seconds]
        if times and row.accuracy:
            low, median, high = np.quantile(np.array(times) / 60, [0.25, 0.5, 0.75])
            found.append(
                Cost(row.arm, float(low), float(median), float(high), row.accuracy)
            )
    return found


def time_figure(study: Study, table: Table) -> Figure | None:
    """Test accuracy with its 95 % interval against wall time; bars are quartiles.

    None unless at least two methods have both.
    """
    found = costs(study, table)
    if len(found) < 2:
        return None
    looks = styles([row.arm for row in table.rows])
    height = 2.3 + 0.17 * -(-len(found) // 2)
    figure = Figure(figsize=(3.4, height), layout="constrained")
    axes = figure.subplots()
    for cost in found:
        look = looks[cost.arm]
        mean, low, high = cost.accuracy
        axes.errorbar(
            cost.median,
            mean,
            xerr=[[cost.median - cost.low], [cost.high - cost.median]],
            yerr=[[mean - low], [high - mean]] if np.isfinite(low) else None,
            fmt=look.mark,
            color=look.colour,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            elinewidth=1.0,
            label=short(cost.arm),
        )
    medians = [cost.median for cost in found]
    if max(medians) > 20 * min(medians):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_xlabel("wall time of a run (minutes)")
    axes.set_ylabel("test accuracy (%)")
    axes.grid(color="#ececec", linewidth=0.5)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
