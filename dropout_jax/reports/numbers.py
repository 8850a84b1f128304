# SPDX-License-Identifier: Apache-2.0
"""How numbers are written: with a true minus sign, a sign where it matters."""

import math
from collections.abc import Mapping
from typing import Any

from dropout_jax.evaluation.comparison import Measure
from dropout_jax.evaluation.statistics import Interval

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


def plain(value: float, digits: int = 2) -> str:
    """A number with a fixed number of decimals; what rounds to zero has no sign.

    Example:
      >>> plain(-0.5), plain(-0.001)
      ('−0.50', '0.00')
    """
    text = f"{value:.{digits}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", MINUS)


def signed(value: float, digits: int = 2) -> str:
    """A number that always shows its sign, except where it rounds to zero.

    Example:
      >>> signed(0.423), signed(-0.423), signed(-0.001)
      ('+0.42', '−0.42', '0.00')
    """
    text = plain(value, digits)
    return f"+{text}" if value > 0 and float(text) else text


# Decimals of a difference, by the unit of its measure.
_DIGITS = {"points": 2, "nats": 4}


def difference(value: float, measure: Measure) -> str:
    """A difference by some measure, without its unit.

    Example:
      >>> from dropout_jax.evaluation.comparison import ACCURACY, NLL
      >>> difference(0.5, ACCURACY), difference(-0.5, NLL)
      ('+0.50', '−0.5000')
    """
    return signed(value, _DIGITS[measure.unit])


def unit_margin(measure: Measure) -> str:
    """The margin of an equivalence test with its unit.

    Example:
      >>> from dropout_jax.evaluation.comparison import ACCURACY
      >>> unit_margin(ACCURACY)
      '0.3 points'
    """
    return f"{measure.margin:g} {measure.unit}"


def p_text(value: float | None) -> str:
    """A p-value, or a dash.

    Example:
      >>> p_text(0.01953125), p_text(None)
      ('0.02', '–')
    """
    if value is None:
        return NOTHING
    # Near the level two digits would say the same of both sides.
    return f"{value:.3g}" if 0.045 < value < 0.055 else f"{value:.2g}"


def bracketed(interval: Interval | None, write=plain) -> str:
    """A mean with the ends of its interval.

    Example:
      >>> bracketed(Interval(90.5, 90.25, 90.75))
      '90.50 [90.25, 90.75]'
    """
    if interval is None:
        return NOTHING
    if math.isnan(interval.low):
        return write(interval.mean)
    return f"{write(interval.mean)} {ends(interval, write)}"


def ends(interval: Interval | None, write=plain) -> str:
    """The ends of an interval, or a dash where it has none.

    Example:
      >>> ends(Interval(90.5, 90.25, 90.75))
      '[90.25, 90.75]'
    """
    if interval is None or math.isnan(interval.low):
        return NOTHING
    return f"[{write(interval.low)}, {write(interval.high)}]"


def plus_minus(interval: Interval | None, digits: int) -> str:
    """A mean with half the width of its symmetric interval.

    Example:
      >>> plus_minus(Interval(0.25, 0.24, 0.26), 3)
      '0.250 ± 0.010'
    """
    if interval is None:
        return NOTHING
    if math.isnan(interval.low):
        return plain(interval.mean, digits)
    half = (interval.high - interval.low) / 2
    return f"{plain(interval.mean, digits)} ± {plain(half, digits)}"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    Example:
      >>> counted(1, "run"), counted(2, "run")
      ('1 run', '2 runs')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float | None) -> str:
    """A wall time in two units at most.

    Example:
      >>> duration(7.25), duration(83.0), duration(7260.0)
      ('7.2 s', '1 min 23 s', '2 h 1 min')
    """
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def setting_text(setting: Mapping[str, Any]) -> str:
    """Fields with their values, a list of one entry as that entry.

    Example:
      >>> setting_text({"noise.rates": (0.2,), "regularizer.weight_decay": 0.0})
      'noise.rates = 0.2, regularizer.weight_decay = 0'
    """
    return ", ".join(f"{name} = {value_text(value)}" for name, value in setting.items())


def value_text(value: Any) -> str:
    """The value of a field as an axis or a cell shows it.

    Example:
      >>> value_text((0.2, 0.5)), value_text(()), value_text(1e-4), value_text("exact")
      ('0.2, 0.5', '–', '0.0001', 'exact')
    """
    if isinstance(value, tuple | list):
        return ", ".join(map(value_text, value)) or NOTHING
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
