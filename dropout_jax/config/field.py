# SPDX-License-Identifier: Apache-2.0
"""One configuration field: its type, range and meaning, and the check of a value."""

import dataclasses
import itertools
import sys
from typing import Any, NoReturn

from dropout_jax.config.alike import hint
from dropout_jax.config.errors import UserError

Values = dict[str, Any]  # of every field, by dotted path

MOST_ENTRIES = 100  # of a tuple
_NOUNS = {int: "whole number", float: "number", bool: "true or false", str: "text"}


@dataclasses.dataclass(frozen=True)
class Field:
    """One row of the table of fields.

    Attributes:
      path: dotted name, e.g. "noise.rates".
      default: the value a run has when nobody sets it; its type is the field's. A
        tuple makes this a field of many entries.
      meaning: one sentence for --help and docs/config.md, units included.
      within: interval of allowed numbers as mathematics writes it, "[0, 1)".
      besides: a further bound, in words, that depends on other fields.
      choices: the allowed names, for a field that names one of several things.
      extensible: a plugin may register further names than `choices`.
      others: (name, choice): names that others use for a choice.
      only_with: (path, values): the field acts only while that other field has
        one of these values; changed elsewhere, it is refused rather than ignored.
      example: entries of a tuple field whose default is empty, for its type and its
        message.
      identity: part of the id of a trial. False for what belongs to the machine:
        where and how often a run reads and writes, on how many devices it runs.
    """

    path: str
    default: Any
    meaning: str
    within: str = ""
    besides: str = ""
    choices: tuple[str, ...] = ()
    extensible: bool = False
    others: tuple[tuple[str, str], ...] = ()
    only_with: tuple[str, tuple[str, ...]] | None = None
    example: tuple = ()
    identity: bool = True

    @property
    def is_tuple(self) -> bool:
        """Whether the value is a tuple of entries."""
        return isinstance(self.default, tuple)

    @property
    def of(self) -> type:
        """Type of the value, or of each entry of a tuple."""
        return type(
            (self.example or self.default)[0] if self.is_tuple else self.default
        )

    @property
    def allowed(self) -> str:
        """What a value may be, in words.

        Example:
          >>> Field("noise.input_rate", 0.0, "", "[0, 1]").allowed
          'a number in [0, 1]'
        """
        if self.choices:
            names = "one of " + ", ".join(self.choices)
            return names + (" (or a name config.plugin adds)" * self.extensible)
        if self.of in (bool, str):
            return _NOUNS[self.of]
        if self.is_tuple:
            entries = show(self.example or self.default)
            noun = f"tuple of {_NOUNS[self.of]}s"
            return f"a {noun} in {self.within}, e.g. {entries}{self.besides}"
        return f"a {_NOUNS[self.of]} in {self.within}{self.besides}"

    def check(self, value: Any) -> Any:
        """Returns `value` in its canonical form.

        Whole numbers become floats where floats are meant, lists become tuples
        and -0.0 becomes 0.0, so that equal settings are equal values.

        Args:
          value: anything.

        Returns:
          The value as type `of`, or a tuple of them.

        Raises:
          UserError: not of the type, not finite, outside the range or the choices, or
            a tuple of more than `MOST_ENTRIES`.
        """
        if not self.is_tuple:
            return self._check_entry(value, value)
        if not isinstance(value, tuple | list):
            raise self.error(value)
        if len(value) > MOST_ENTRIES:
            raise UserError(
                f"config.{self.path} has {len(value):,} entries; give at most "
                f"{MOST_ENTRIES}"
            )
        return tuple(self._check_entry(entry, value) for entry in value)

    def error(self, value: Any) -> UserError:
        """The complaint about `value`: field, value, and what is allowed."""
        near = ""
        if isinstance(value, str):
            meant = dict(self.others).get(value.lower())
            near = f"; did you mean {meant}?" if meant else hint(value, self.choices)
        return UserError(
            f"config.{self.path}={show(value)}: must be {self.allowed}{near}"
        )

    def _check_entry(self, entry: Any, value: Any) -> Any:
        if self.of in (bool, str):
            right = isinstance(entry, self.of)
        else:
            # bool is a subclass of int: True would count as 1.
            right = isinstance(entry, self.of | int) and not isinstance(entry, bool)
        if not _is_text(entry):
            raise UserError(
                f"config.{self.path}={show(entry)}: must be text, and has bytes that "
                "are no UTF-8; rename the file"
            )
        if not right or (self.within and not _inside(entry, self.within)):
            raise self.error(value)
        if self.choices and not self.extensible and entry not in self.choices:
            raise self.error(value)
        # Adding zero turns -0.0 into 0.0.
        return float(entry) + 0.0 if self.of is float else entry


def _is_text(value: Any) -> bool:
    """Whether text can be written and read back: a name of a file need not be."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _inside(number: float, interval: str) -> bool:
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = number > low if interval[0] == "(" else number >= low
    below = number < high if interval[-1] == ")" else number <= high
    # NaN fails both. The largest float, because a Python int can be larger.
    return above and below and number <= sys.float_info.max


def increasing(numbers: tuple[float, ...], low: float, high: float) -> bool:
    """Whether there are numbers, each above the one before, all inside (low, high).

    Example:
      >>> increasing((2.0, 5.0), 0, 10), increasing((5.0, 5.0), 0, 10)
      (True, False)
    """
    bounded = (low, *numbers, high)
    return bool(numbers) and all(a < b for a, b in itertools.pairwise(bounded))


def show(value: Any) -> str:
    """`value` as one would write it, on one line and at most 60 characters."""
    text = "".join(c if c.isprintable() else " " for c in repr(value))
    return text if len(text) <= 60 else text[:57] + "..."


class WithoutEffect(UserError):
    """The complaint about a changed field that has no effect.

    Attributes:
      path: of the field.
      why: the complaint, without field and value.
    """

    def __init__(self, values: Values, path: str, why: str):
        super().__init__(f"config.{path}={show(values[path])}: {why}")
        self.path, self.why = path, why


def refuse(values: Values, path: str, why: str) -> NoReturn:
    """Raises the complaint that the value at `path` does not go with the others."""
    raise UserError(f"config.{path}={show(values[path])}: {why}")
