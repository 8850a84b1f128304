# SPDX-License-Identifier: Apache-2.0
"""The numbers of a study: one row per method, differences paired by seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dropout_jax.evaluation.comparison import NLL, Comparison, Measure
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.noise import Site


@dataclass(frozen=True)
class Row:
    """One method. Accuracies are percentages; a metric is None without results.

    Attributes:
      arm: name of the method.
      seeds: of the runs that have results.
      unfinished: number of runs without results, by status.
      accuracies: test accuracy by seed, percent.
      accuracy: mean with its 95 % t interval over the seeds, percent.
      nll: the same, nats.
      ece: the same, a fraction.
      brier: the same.
      comparisons: with the baseline, by the name of the measure; a measure without a
        common seed, or of which no statement is made, is left out.
      noise: what each site ended with.
      seconds: median wall time of a run.
      search_budget: trials that the choice of its setting took.
      published: what others have printed for this method.
      setting: what was chosen, by field.
    """

    arm: str
    seeds: tuple[int, ...]
    unfinished: Mapping[str, int]
    accuracies: tuple[float, ...] = ()
    accuracy: Interval | None = None
    nll: Interval | None = None
    ece: Interval | None = None
    brier: Interval | None = None
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    noise: tuple[Site, ...] = ()
    seconds: float | None = None
    search_budget: int | None = None
    published: str = ""
    setting: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """The rows of a study, baseline first, and what must be said about them.

    Attributes:
      study: its name.
      baseline: what the others are compared with.
      rows: one per method.
      notes: sentences of plain text.
      measures: those that statements are made on: accuracy, and NLL where every run was
        tested with its parameters of the least validation NLL.
      accuracy_set: the parameters that accuracy is of, in words.
      probability_set: the parameters that NLL, ECE and Brier score are of, in words.
    """

    study: str
    baseline: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    measures: tuple[Measure, ...] = ()
    accuracy_set: str = ""
    probability_set: str = ""

    def row(self, arm: str) -> Row | None:
        """The row of a method, if there is one."""
        return next((row for row in self.rows if row.arm == arm), None)

    def comparisons(self, measure: Measure) -> tuple[Comparison, ...]:
        """The comparisons by one measure, in the order of the rows."""
        found = (row.comparisons.get(measure.name) for row in self.rows)
        return tuple(comparison for comparison in found if comparison)

    @property
    def reliability_set(self) -> str:
        """The set of parameters whose reliability is drawn; empty: the kept one."""
        return "least_nll" if NLL in self.measures else ""

    @property
    def family(self) -> int:
        """Number of comparisons that each p-value is corrected for."""
        return sum(len(row.comparisons) for row in self.rows)
