# SPDX-License-Identifier: Apache-2.0
"""What the seeds of a study can show, in words, and how many more it would take."""

from dataclasses import dataclass

from dropout_jax.evaluation.power import (
    TELLING_FROM,
    deviation,
    seeds_needed,
    visible_difference,
)
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.numbers import bracketed, counted, plain, signed
from dropout_jax.reports.table import Difference, Table

# Points of accuracy for which the page says how many seeds they take.
ASKED = (0.5, 0.2, 0.1)


@dataclass(frozen=True)
class Certainty:
    """What the paired seeds of one method against the baseline can show.

    `deviation` is that of the paired differences, in points, and None for one pair,
    as are `visible`, the smallest true difference that so many pairs show 4 times out
    of 5, and `needed`, the seeds for each difference of ASKED.
    """

    arm: str
    difference: Difference
    deviation: Interval | None = None
    visible: float | None = None
    needed: tuple[int, ...] = ()

    @property
    def pairs(self) -> int:
        """Number of paired seeds."""
        return len(self.difference.seeds)


def certainties(table: Table) -> tuple[Certainty, ...]:
    """What each difference of a table rests on, in its order.

    A power of 80 %, a two-sided paired t test at 5 %.
    """
    found = []
    for row in table.rows:
        if row.difference is None:
            continue
        values = row.difference.values
        if len(values) < 2:
            found.append(Certainty(row.arm, row.difference))
            continue
        spread = deviation(values)
        found.append(
            Certainty(
                row.arm,
                row.difference,
                spread,
                visible_difference(spread.mean, len(values)),
                tuple(seeds_needed(asked, spread.mean) for asked in ASKED),
            )
        )
    return tuple(found)


def certainty_notes(table: Table) -> tuple[str, ...]:
    """Says of each difference what its number of seeds allows to say.

    Returns:
      One sentence for each method that is compared: too few seeds to say anything,
      not told apart and what it would take, or told apart.

    Example:
      >>> certainty_notes(Table("s", "none", (), ()))
      ()
    """
    return tuple(f"{found.arm}: {_said(found)}" for found in certainties(table))


def _said(found: Certainty) -> str:
    pairs = counted(found.pairs, "paired seed")
    if found.pairs < TELLING_FROM or found.visible is None:
        verb = "is" if found.pairs == 1 else "are"
        return (
            f"{pairs} {verb} too few to say anything about chance; run at least "
            f"{TELLING_FROM}."
        )
    mean = found.difference.interval.mean
    shown = (
        f"{pairs} see a true difference of {plain(found.visible)} points 4 times out "
        "of 5"
    )
    if found.difference.established:
        return f"told apart ({signed(mean)} points). {shown}."
    if found.difference.interval.low > 0 or found.difference.interval.high < 0:
        return (
            f"told apart by itself ({signed(mean)} points), no longer after allowing "
            f"for all comparisons. {shown}."
        )
    if mean == 0 or found.deviation is None:
        return f"not told apart: the means are equal. {shown}."
    return (
        f"not told apart, which does not make them equal: {shown}. If the true "
        f"difference is the one found, {signed(mean)}, it takes about "
        f"{seeds_needed(mean, found.deviation.mean):,} seeds to see."
    )


HEADINGS = (
    "method",
    "paired seeds",
    "deviation of the difference, points",
    "smallest difference seen, points",
    *(f"seeds to see {asked:g}" for asked in ASKED),
)


def certainty_cells(found: Certainty) -> list[str]:
    """One method as the cells below HEADINGS."""
    if found.deviation is None or found.visible is None:
        return [found.arm, str(found.pairs), *["–"] * (len(HEADINGS) - 2)]
    return [
        found.arm,
        str(found.pairs),
        bracketed(found.deviation),
        plain(found.visible),
        *(f"{seeds:,}" for seeds in found.needed),
    ]
