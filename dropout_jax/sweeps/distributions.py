# SPDX-License-Identifier: Apache-2.0
"""What a searched field may be: the words of a config file's `space()`.

They are plain data of our own, so that a config file, its check and a search on the
disk need no library that samples.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from dropout_jax.config.errors import UserError
from dropout_jax.config.field import show

DIGITS = 3  # significant ones of a suggested number


@dataclasses.dataclass(frozen=True)
class Range:
    """A number between two ends; `uniform` and `log_uniform` make it.

    Attributes:
      low: least value.
      high: largest value.
      log: whether the logarithm is uniform, instead of the number.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self):
        least = 0.0 if self.log else -math.inf
        numbers = all(
            isinstance(end, int | float) and not isinstance(end, bool)
            for end in (self.low, self.high)
        )
        if not numbers or not least < self.low < self.high < math.inf:
            ends = f"({show(self.low)}, {show(self.high)})"
            above = "above 0, " if self.log else ""
            raise UserError(
                f"{self.word}{ends}: the ends must be numbers {above}the first the "
                "smaller one"
            )

    @property
    def word(self) -> str:
        """How it is written."""
        return "log_uniform" if self.log else "uniform"

    def probes(self) -> tuple[float, ...]:
        """Returns the values that are validated before anything runs: the ends."""
        return float(self.low), float(self.high)

    def from_parameter(self, parameter: float) -> float:
        """Returns the value that a sampler's number stands for, in few digits.

        Few, so that settings can be read and typed again, and so that the last bits
        of another machine's logarithm do not make another trial.

        Example:
          >>> log_uniform(1e-4, 1e-2).from_parameter(0.00123456)
          0.00123
        """
        rounded = float(f"{parameter:.{DIGITS}g}")
        return min(max(rounded, float(self.low)), float(self.high))

    def to_parameter(self, value: Any) -> float:
        """Returns the sampler's number for a value of the field."""
        return float(value)


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several values, in no order; `choice` makes it.

    Attributes:
      options: the values.
    """

    options: tuple[Any, ...]

    def __post_init__(self):
        listed = [_listed(option) for option in self.options]
        if len(listed) < 2 or any(o in listed[:i] for i, o in enumerate(listed)):
            raise UserError(
                f"choice{show(self.options)}: must be two values or more, all different"
            )

    def probes(self) -> tuple[Any, ...]:
        """Returns the values that are validated before anything runs: all."""
        return self.options

    def from_parameter(self, parameter: int) -> Any:
        """Returns the option of that number."""
        return self.options[parameter]

    def to_parameter(self, value: Any) -> int:
        """Returns the number of an option, given as the field has it."""
        return [_listed(option) for option in self.options].index(_listed(value))


Distribution = Range | Choice


def uniform(low: float, high: float) -> Range:
    """Returns the numbers from `low` to `high`, all alike.

    Example:
      >>> uniform(0.05, 0.8)
      Range(low=0.05, high=0.8, log=False)
    """
    return Range(low, high)


def log_uniform(low: float, high: float) -> Range:
    """Returns the numbers from `low` to `high`, every power of ten alike.

    Example:
      >>> log_uniform(1e-4, 1e-2).log
      True
    """
    return Range(low, high, log=True)


def choice(*options: Any) -> Choice:
    """Returns one of the options; whole numbers, names and tuples are given so.

    Example:
      >>> choice((256, 256), (512, 512)).options[1]
      (512, 512)
    """
    return Choice(options)


def to_json(value: Any) -> Any:
    """Returns a field of a space as JSON knows it; `from_json` goes back.

    Example:
      >>> to_json((uniform(0, 0.5), 0.1))
      [{'uniform': [0, 0.5]}, 0.1]
    """
    if isinstance(value, Range):
        return {value.word: [value.low, value.high]}
    if isinstance(value, Choice):
        return {"choice": [_listed(option) for option in value.options]}
    if isinstance(value, tuple | list):
        return [to_json(entry) for entry in value]
    return value


def from_json(found: Any) -> Any:
    """Returns the field of a space that `to_json` wrote.

    Example:
      >>> from_json({"log_uniform": [0.1, 1]})
      Range(low=0.1, high=1, log=True)
    """
    if isinstance(found, Mapping):
        ((word, values),) = found.items()
        if word == "choice":
            return Choice(tuple(_tupled(option) for option in values))
        return Range(*values, log=word == "log_uniform")
    return (
        tuple(from_json(entry) for entry in found) if isinstance(found, list) else found
    )


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
