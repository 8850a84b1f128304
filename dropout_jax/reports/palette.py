# SPDX-License-Identifier: Apache-2.0
"""Colours, marks and labels that tell methods apart, by any eye and in print.

Okabe and Ito's palette, its black replaced by a grey for the baseline that shows on
white and on black. The mark changes with the colour, so that no figure rests on
colour alone.
"""

import itertools
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

PAGE = 7.0  # inches, the width of a figure
INK = "#222222"
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


# Looks of the methods that this project compares, so that a method looks the same in
# every study; other names take what is left, in their order.
FIXED = {
    "weight decay": (0, 1),
    "l2": (4, 2),
    "dropout": (1, 3),
    "gaussian dropout": (2, 4),
    "variational dropout": (3, 5),
    "sparse variational dropout": (5, 6),
    "logit-normal dropout": (0, 7),
    "concrete dropout": (1, 8),
    "spatial dropout": (2, 9),
    "dropblock": (4, 10),
    "tied dropout": (2, 10),
    "zoneout": (4, 9),
}


def short(arm: str, width: int = 27) -> str:
    """A name that fits beside an axis: head and tail of a longer one.

    Example:
      >>> short("sparse variational dropout"), short("dropout_rate_0.2_hidden_rate_0.5")
      ('sparse variational dropout', 'dropout_rate_0.2…n_rate_0.5')
    """
    if len(arm) <= width:
        return arm
    tail = width * 2 // 5
    return f"{arm[: width - tail - 1]}…{arm[-tail:]}"


def wrapped(arm: str, width: int = 16) -> str:
    r"""A name over a narrow panel, broken between words.

    Example:
      >>> wrapped("sparse variational dropout")
      'sparse\nvariational\ndropout'
    """
    return "\n".join(textwrap.wrap(short(arm, 2 * width), width))


def styles(arms: Sequence[str]) -> dict[str, Style]:
    """Gives each method its look; the first one is the baseline.

    Colors repeat after 6 methods and marks after 11: 66 looks without a twin.

    Example:
      >>> styles(["none", "dropout"])["dropout"].colour
      '#0072B2'
    """
    looks = {arm: FIXED[arm] for arm in arms[1:] if arm in FIXED}
    taken = set(looks.values())
    count = len(COLOURS) * len(MARKS)
    every = [(n % len(COLOURS), (n + 1) % len(MARKS)) for n in range(count)]
    free = itertools.cycle(
        sorted(
            (look for look in every if look not in taken),
            # Colors that no method of this study has come first.
            key=lambda look: (
                look[0] in {color for color, _ in taken},
                every.index(look),
            ),
        )
    )
    for arm in arms[1:]:
        if arm not in looks:
            looks[arm] = next(free)
    found = {arm: Style(COLOURS[c], *MARKS[m]) for arm, (c, m) in looks.items()}
    baseline = {arm: Style(BASELINE_COLOUR, *MARKS[0]) for arm in arms[:1]}
    return baseline | {arm: found[arm] for arm in arms[1:]}
