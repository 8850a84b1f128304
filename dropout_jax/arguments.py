# SPDX-License-Identifier: Apache-2.0
"""Arguments that are no data: axes, counts, sizes and flags, each checked before use.

A float for an axis, a string for a flag or a boolean for a count passes many a
comparison and truth test, and then means something that nobody asked for. Each check
raises one line: what was wrong, the value, what is allowed. No JAX is imported here.
"""

import operator
import reprlib
from typing import Any

import numpy as np


def whole(
    name: str, value: Any, low: int | None = None, high: int | None = None
) -> int:
    """Returns a whole number as a Python integer.

    Args:
      name: what the user calls the value.
      value: Python or NumPy integer, or an array of one integer without axes; no
        boolean, no float, no traced value.
      low: smallest value allowed, if there is one.
      high: largest value allowed, if there is one.

    Raises:
      TypeError: anything else than an integer.
      ValueError: an integer out of range.

    Example:
      >>> whole("bins", np.int64(3), 1)
      3
      >>> whole("bins", 1.5, 1)
      Traceback (most recent call last):
      TypeError: bins is 1.5; it must be a whole number
      >>> whole("bins", 0, 1)
      Traceback (most recent call last):
      ValueError: bins is 0; it must be at least 1
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or _is_boolean(value):
        raise TypeError(f"{name} is {shown(value)}; it must be a whole number")
    if high is not None and not (low or 0) <= number <= high:
        raise ValueError(f"{name} is {number}; it must be in [{low or 0}, {high}]")
    if low is not None and number < low:
        raise ValueError(f"{name} is {number}; it must be at least {low}")
    return number


def whole_numbers(name: str, values: Any, low: int | None = None) -> tuple[int, ...]:
    """Returns whole numbers as a tuple of Python integers.

    Args:
      name: what the user calls them.
      values: several, in a sequence, or one alone, as NumPy and Flax take an axis.
      low: smallest value allowed, if there is one.

    Raises:
      TypeError: as `whole`, for the first that is none.
      ValueError: as `whole`.

    Example:
      >>> whole_numbers("shared_axes", [1, np.int64(2)]), whole_numbers("axes", -1)
      ((1, 2), (-1,))
    """
    if isinstance(values, str | bytes):
        return (whole(name, values, low),)
    try:
        each = tuple(values)
    except TypeError:  # one alone, or nothing that is a number
        each = (values,)
    return tuple(whole(name, value, low) for value in each)


def flag(name: str, value: Any) -> bool:
    """Returns a flag as a Python bool.

    Args:
      name: what the user calls it.
      value: Python or NumPy boolean. Numbers, strings and None are refused: "False"
        is true, and 0 may be meant as an axis or a rate.

    Raises:
      TypeError: anything else.

    Example:
      >>> flag("train", np.False_)
      False
      >>> flag("train", "False")
      Traceback (most recent call last):
      TypeError: train is 'False'; it must be True or False
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    traced = type(value).__name__.endswith("Tracer")
    raise TypeError(
        f"{name} is {shown(value)}; it must be True or False"
        + (", and static: name it in static_argnames" if traced else "")
    )


def shown(value: Any) -> str:
    """Returns a value as a message has it: on one line, and short.

    Example:
      >>> shown("1"), shown(np.zeros((2, 3)))
      ("'1'", 'an array of shape (2, 3)')
    """
    if getattr(value, "ndim", 0):
        return f"an array of shape {value.shape}"
    return " ".join(reprlib.repr(value).split())


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool"
