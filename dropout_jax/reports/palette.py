# SPDX-License-Identifier: Apache-2.0
"""Colours, marks and labels that tell methods apart, by any eye and in print.

Okabe and Ito's palette, its black replaced by a grey for the baseline that shows on
white and on black. The mark changes with the colour, so that no figure rests on
colour alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

BASELINE_COLOUR = "#767676"
# Okabe and Ito 2008; the light ones last.
COLOURS = (
    "#D55E00",  # vermilion
    "#0072B2",  # blue
    "#009E73",  # bluish green
    "#CC79A7",  # reddish purple
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
)
# The same marks in Matplotlib's and in Plotly's words.
MARKS = (
    ("o", "circle"),
    ("s", "square"),
    ("D", "diamond"),
    ("^", "triangle-up"),
    ("v", "triangle-down"),
    ("P", "cross"),
    ("X", "x"),
    ("p", "pentagon"),
    ("*", "star"),
    ("<", "triangle-left"),
    (">", "triangle-right"),
)


class Style(NamedTuple):
    """How a method looks in every figure."""

    colour: str
    mark: str
    plotly_mark: str


def short(arm: str, width: int = 20) -> str:
    """A name that fits beside an axis: head and tail of a longer one.

    Example:
      >>> short("variational_dropout"), short("dropout_rate_0.2_hidden_0.5")
      ('variational_dropout', 'dropout_rat…dden_0.5')
    """
    if len(arm) <= width:
        return arm
    tail = width * 2 // 5
    return f"{arm[: width - tail - 1]}…{arm[-tail:]}"


def styles(arms: Sequence[str]) -> dict[str, Style]:
    """Gives each method its look; the first one is the baseline.

    Colours repeat after 6 methods and marks after 11: 66 looks without a twin.

    Example:
      >>> styles(["none", "dropout"])["dropout"].colour
      '#D55E00'
    """
    looks = {}
    for number, arm in enumerate(arms):
        colour = COLOURS[(number - 1) % len(COLOURS)] if number else BASELINE_COLOUR
        looks[arm] = Style(colour, *MARKS[number % len(MARKS)])
    return looks
