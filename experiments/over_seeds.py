# SPDX-License-Identifier: Apache-2.0
"""Checks over paired seeds: a test or a description, by the number of pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dropout_jax.evaluation.comparison import ERROR, Comparison, Outcome
from dropout_jax.reports.numbers import bracketed, signed
from experiments.checks import DESCRIPTION, TEST, Check

HIGHER, LOWER, EQUIVALENT = "higher", "lower", "equivalent"
SHOWN_AT_ONCE = 3  # comparisons of a check; of more the weakest is shown


@dataclass(frozen=True)
class OverSeeds(Check):
    """Comparisons over paired seeds, all of which are to come out one way.

    A test from 10 pairs on, by p-values that are corrected over the experiment; else a
    description.

    Attributes:
      comparisons: of one experiment, from `judged`; all tested, or all descriptive.
      want: "higher", "lower", or "equivalent" (within the margin of the measure).
    """

    comparisons: tuple[Comparison, ...]
    want: str

    def __post_init__(self):
        if not self.comparisons or self.want not in (HIGHER, LOWER, EQUIVALENT):
            raise ValueError(
                f"{self.says!r}: {len(self.comparisons)} comparisons that shall be "
                f"{self.want!r}: give at least one, and higher, lower or equivalent"
            )
        if len({one.p_value is None for one in self.comparisons}) > 1:
            raise ValueError(
                f"{self.says!r} has comparisons that are tested and others that are "
                "not: make two checks of it"
            )

    @property
    def kind(self) -> str:
        """A test, or a description: by the number of pairs."""
        return DESCRIPTION if self.comparisons[0].p_value is None else TEST

    @property
    def rule(self) -> str:
        """The direction, and how it is decided."""
        every = "" if len(self.comparisons) == 1 else "each "
        if self.kind == DESCRIPTION and self.want == EQUIVALENT:
            return "so few seeds cannot show equivalence"
        if self.kind == DESCRIPTION:
            return f"{every}{self.want} in every seed"
        over = f"p ≤ {ERROR:g} after Holm over {self.comparisons[0].family}"
        if self.want == EQUIVALENT:
            margin = ", ".join(
                dict.fromkeys(
                    f"±{c.measure.margin:g} {c.measure.unit}" for c in self.comparisons
                )
            )
            return f"{every}within {margin}, {over}"
        return f"{every}{self.want}, {over}"

    @property
    def seen(self) -> tuple[int, int] | None:
        """Of a description: seeds in which every comparison has the direction."""
        if self.kind == TEST or self.want == EQUIVALENT:
            return None
        sign = 1.0 if self.want == HIGHER else -1.0
        so = [sign * np.asarray(one.values) > 0.0 for one in self.comparisons]
        return int(np.all(so, axis=0).sum()), len(so[0])

    @property
    def holds(self) -> bool | None:
        """Of a test: whether every comparison is shown; None of a description."""
        if self.kind == DESCRIPTION:
            return None
        return all(map(self._shown, self.comparisons))

    @property
    def verdict(self) -> str:
        """Shown, not shown, or that the opposite is; of a description the count."""
        if self.kind == DESCRIPTION:
            return super().verdict
        if self.holds:
            return "shown"
        against = {HIGHER: Outcome.LOWER, LOWER: Outcome.HIGHER}.get(self.want)
        if any(one.outcome is against for one in self.comparisons):
            return "the opposite is shown"
        return "not shown"

    @property
    def found(self) -> str:
        """Each difference with its interval, or the weakest of many."""
        if len(self.comparisons) == 1:
            return self._one(self.comparisons[0])
        if len(self.comparisons) <= SHOWN_AT_ONCE:
            return "; ".join(f"{c.method}: {self._one(c)}" for c in self.comparisons)
        weakest = min(self.comparisons, key=self._strength)
        return (
            f"the weakest of {len(self.comparisons)}, {weakest.method}: "
            f"{self._one(weakest)}"
        )

    def decided(self, *, quick: bool) -> bool:
        """Whether it is decided; in quick form there are too few seeds."""
        return not quick and self.holds is not None

    def numbers(self) -> dict[str, Any]:
        """Returns every comparison."""
        return {"comparisons": [record(one) for one in self.comparisons]}

    def _shown(self, one: Comparison) -> bool:
        if self.want == EQUIVALENT:
            return one.within_margin
        return one.outcome is (Outcome.HIGHER if self.want == HIGHER else Outcome.LOWER)

    def _strength(self, one: Comparison) -> tuple[float, float]:
        agreeing = one.seeds_lower if self.want == LOWER else one.seeds_higher
        mean = one.interval.mean * (-1.0 if self.want == LOWER else 1.0)
        return (agreeing, mean) if self.want != EQUIVALENT else (0, -abs(mean))

    def _one(self, one: Comparison) -> str:
        write = writer(one.measure.unit)
        text = f"{bracketed(one.interval, write)} {one.measure.unit}".rstrip()
        if self.kind == DESCRIPTION:
            agreeing, way = one.seeds_higher, HIGHER
            if self.want == LOWER:
                agreeing, way = one.seeds_lower, LOWER
            return f"{text}, {way} in {agreeing} of {len(one.values)}"
        p_value = one.equivalence if self.want == EQUIVALENT else one.p_value
        ends = bracketed(one.corrected, write).partition(" ")[2]
        text += f", corrected {ends}, p = {p_value:.2g}"
        if not self._shown(one):
            text += (
                "; minimum detectable effect at 80 % power "
                f"{write(one.detectable or math.nan).lstrip('+')}"
            )
        return text


def writer(unit: str):
    """Returns how differences of a unit are written."""
    if unit == "points":
        return signed
    return lambda value: f"{value:+.3g}".replace("-", "−")


def record(one: Comparison) -> dict[str, Any]:
    """Returns a comparison as JSON keeps it."""
    return {
        "method": one.method,
        "measure": one.measure.name,
        "unit": one.measure.unit,
        "values": [float(value) for value in one.values],
        "interval": list(one.interval),
        "corrected": list(one.corrected),
        "family": one.family,
        "p_value": one.p_value,
        "equivalence": one.equivalence,
        "detectable": one.detectable,
    }
