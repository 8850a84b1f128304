# SPDX-License-Identifier: Apache-2.0
"""The numbers of a study: one row per method, differences paired by seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dropout_jax.evaluation.power import TELLING_FROM
from dropout_jax.evaluation.statistics import Interval

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Test accuracy of one method minus another's, in points, paired by seed.

    `interval` has 95 % coverage for this one difference; `joint` is wider, so that
    all differences of the table to the baseline hold together with 95 %
    (Bonferroni). `p_value` is adjusted for the same family (Holm) and None under 10
    pairs. `values` are the differences of the single `seeds`.
    """

    interval: Interval
    joint: Interval
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    p_value: float | None = None

    @property
    def established(self) -> bool:
        """Whether the sign stands after allowing for all comparisons made.

        Never under 3 pairs: an interval of 2 rests on a law that 2 cannot show.
        """
        if len(self.seeds) < TELLING_FROM:
            return False
        if self.p_value is not None and self.p_value >= 1 - CONFIDENCE:
            return False
        bounds = self.interval if self.p_value is not None else self.joint
        return bounds.low > 0 or bounds.high < 0


@dataclass(frozen=True)
class Row:
    """One method. Accuracies are percentages; a metric is None without results."""

    arm: str
    seeds: tuple[int, ...]
    lost: Mapping[str, int]  # runs without results, by status
    accuracies: tuple[float, ...] = ()
    accuracy: Interval | None = None
    nll: Interval | None = None
    ece: Interval | None = None
    brier: Interval | None = None
    difference: Difference | None = None
    seconds: float | None = None  # median over the seeds
    search_budget: int | None = None
    published: str = ""  # what others have printed for this method
    setting: Mapping[str, Any] = field(default_factory=dict)  # what was chosen


@dataclass(frozen=True)
class Table:
    """The rows of a study, baseline first, and what must be said about them.

    `lead` is the difference of the highest method to the runner-up, where both are
    compared with the baseline.
    """

    study: str
    baseline: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    lead: Difference | None = None

    def row(self, arm: str) -> Row | None:
        """The row of a method, if there is one."""
        return next((row for row in self.rows if row.arm == arm), None)
