# SPDX-License-Identifier: Apache-2.0
"""What an experiment may say of a statement, by the data that it has for it.

| kind | its data | verdict |
|---|---|---|
| identity | computed exactly, up to rounding; nothing is drawn | holds, does not hold |
| measurement | Monte Carlo, with a stated standard error | the same |
| test | 10 paired seeds or more; Holm over the experiment | shown, not shown |
| description | fewer seeds | seen in k of n seeds: nothing about other seeds |
| estimate | a number with its interval | none |

Whether a comparison over seeds is a test or a description is not chosen: it follows
from the number of pairs, by the rule of `dropout_jax.evaluation.comparison`.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.numbers import bracketed, plain

IDENTITY, MEASUREMENT, TEST = "identity", "measurement", "test"
DESCRIPTION, ESTIMATE = "description", "estimate"
STANDARD_ERRORS = 1.96  # within which a measurement has to meet its bound


def number(value: str | float | None) -> str:
    """Returns a number with four significant digits; text as it is."""
    if value is None:
        return "not finite"
    return value if isinstance(value, str) else f"{value:.4g}"


def bounds(low: float, high: float) -> str:
    """Returns an interval as text; an infinite end is left out."""
    if low == -math.inf:
        return "any" if high == math.inf else f"up to {number(high)}"
    return f"from {number(low)}" + ("" if high == math.inf else f" to {number(high)}")


@dataclass(frozen=True)
class Check(abc.ABC):
    """A statement, and what the data say of it.

    Attributes:
      says: the statement.
    """

    says: str

    @property
    @abc.abstractmethod
    def kind(self) -> str:
        """One of the kinds above."""

    @property
    @abc.abstractmethod
    def found(self) -> str:
        """What came out, as it is shown."""

    @property
    @abc.abstractmethod
    def rule(self) -> str:
        """What decides, as it is shown."""

    @property
    def holds(self) -> bool | None:
        """Whether it holds or is shown; None where the kind decides nothing."""
        return None

    @property
    def seen(self) -> tuple[int, int] | None:
        """Of a description: in how many seeds it is so, and of how many."""
        return None

    @property
    def verdict(self) -> str:
        """The verdict in words that the kind allows."""
        if self.seen is not None:
            count, of = self.seen
            return (
                f"seen in {count} of {of} seeds" if count else f"not seen in {of} seeds"
            )
        return "no verdict"

    def decided(self, *, quick: bool) -> bool:
        """Whether the (quick) form decides it."""
        return self.holds is not None

    def numbers(self) -> dict[str, Any]:
        """Returns what else the JSON file keeps, unrounded."""
        return {}


@dataclass(frozen=True)
class _Bounded(Check):
    value: float
    low: float = -math.inf
    high: float = math.inf
    full: bool = False

    @property
    def found(self) -> str:
        """The value."""
        return number(self.value if math.isfinite(self.value) else None)

    @property
    def rule(self) -> str:
        """The bounds."""
        return bounds(self.low, self.high)

    @property
    def holds(self) -> bool | None:
        """Whether the value lies in the bounds; NaN does not."""
        return bool(self.low <= self.value <= self.high)

    @property
    def verdict(self) -> str:
        """Holds, or does not."""
        return "holds" if self.holds else "does not hold"

    def decided(self, *, quick: bool) -> bool:
        """Whether it is decided; some need the draws of the full form."""
        return not (quick and self.full)

    def numbers(self) -> dict[str, Any]:
        """Returns the value and the bounds."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Identity(_Bounded):
    """A statement that a computation without draws decides, by bounds set beforehand.

    Attributes:
      value: what was computed.
      low: the least value with which it holds.
      high: the largest.
      full: whether the full form alone decides it.
    """

    @property
    def kind(self) -> str:
        """An identity."""
        return IDENTITY


@dataclass(frozen=True)
class Measurement(_Bounded):
    """A statement that draws decide, with their error, by bounds set beforehand.

    Attributes:
      value: what was measured.
      low: the least value with which it holds.
      high: the largest.
      full: whether the full form alone decides it, for want of draws in the quick one.
      error: standard error of the value; 0 where the value counts standard errors, or
        is the end of an interval already.
    """

    error: float = 0.0

    @property
    def kind(self) -> str:
        """A measurement."""
        return MEASUREMENT

    @property
    def found(self) -> str:
        """The value, with its standard error where it has one of its own."""
        return super().found + (f" ± {self.error:.2g}" if self.error else "")

    @property
    def holds(self) -> bool | None:
        """Whether the value lies in the bounds and its error does not lead out."""
        far = STANDARD_ERRORS * self.error
        return bool(self.low <= self.value - far and self.value + far <= self.high)

    def numbers(self) -> dict[str, Any]:
        """Returns value, error and bounds."""
        return super().numbers() | {"error": self.error}


@dataclass(frozen=True)
class Estimate(Check):
    """A number with its interval, of which no verdict is made.

    Attributes:
      interval: what was found, with its 95 % interval; NaN ends where there is none.
      unit: of the number.
      digits: decimals that are shown.
    """

    interval: Interval
    unit: str = ""
    digits: int = 2

    @property
    def kind(self) -> str:
        """An estimate."""
        return ESTIMATE

    @property
    def found(self) -> str:
        """The number with its interval."""
        text = bracketed(self.interval, lambda v: plain(v, self.digits))
        bare = math.isnan(self.interval.low)
        return f"{text} {self.unit}".rstrip() + (
            ", without an interval" if bare else ""
        )

    @property
    def rule(self) -> str:
        """None."""
        return "an estimate"

    def numbers(self) -> dict[str, Any]:
        """Returns the interval."""
        return dict(zip(("value", "low", "high"), self.interval, strict=True))


@dataclass(frozen=True)
class InEach(Check):
    """A description: what each seed's run has, against a bound.

    Attributes:
      values: one for each seed.
      low: the least with which a seed counts.
      high: the largest.
      unit: of the values.
    """

    values: Sequence[float] | np.ndarray
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""

    @property
    def kind(self) -> str:
        """A description."""
        return DESCRIPTION

    @property
    def found(self) -> str:
        """The range over the seeds."""
        ends = sorted(map(float, self.values))
        return f"{number(ends[0])} to {number(ends[-1])} {self.unit}".rstrip()

    @property
    def rule(self) -> str:
        """The bounds."""
        return f"each seed: {bounds(self.low, self.high)}"

    @property
    def seen(self) -> tuple[int, int]:
        """In how many seeds the value lies in the bounds."""
        inside = [bool(self.low <= value <= self.high) for value in self.values]
        return sum(inside), len(inside)

    def numbers(self) -> dict[str, Any]:
        """Returns the values and the bounds."""
        values = [float(value) for value in self.values]
        return {"values": values, "low": self.low, "high": self.high}
