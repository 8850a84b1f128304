# SPDX-License-Identifier: Apache-2.0
"""The one rule by which methods are compared with a baseline.

Tables, sentences, figures, the terminal and the experiments all take their words from
`compare`; none of them looks at an interval or a p-value to decide for itself.

- The unit is the replicate: one seed. A method and the baseline are paired within it.
- A comparison is one method by one measure, in one cell where a study has several (a
  model and a training-set size). The family is all comparisons of a table: its cells
  times its methods times the measures that it judges.
- **Tested**: from 10 pairs on, and with no fewer pairs than any other comparison of its
  cell by the same measure. The p-value is that of the exact sign-flip test, corrected
  over the whole family by Holm; gains and losses are judged alike. The corrected
  interval has the coverage 1 - 5 % / m for m comparisons.
- **Searched twice**: where the settings come from several independent searches, each
  on replicates of its own, all replicates are tested together.
- **Descriptive**: under 10 pairs, or with fewer pairs than the rest. There is a
  difference, its interval and the number of seeds in which the method is higher; no
  p-value, and so no verdict. Such a comparison still counts in the family: whoever
  looked at it might have gone on with it. One that was declared descriptive before its
  data were seen does not count.
- **The verdict** of a tested comparison is the first of these that holds:
  1. significant, and the mean difference has the same sign in every search: higher or
     lower;
  2. significant, with other signs: the searches disagree;
  3. equivalent: both one-sided tests reject a difference as large as the margin, at
     p-values corrected over the same family, and the mean difference of every search
     is smaller than the margin;
  4. no significant difference; the minimum detectable effect says what could have been
     missed.

References:
  Fisher 1935, The Design of Experiments, section 21 (sign flips); Holm 1979,
  Scandinavian Journal of Statistics 6:65; Schuirmann 1987, Journal of Pharmacokinetics
  and Biopharmaceutics 15:657 (two one-sided tests).
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dropout_jax.evaluation.power import minimum_detectable_effect
from dropout_jax.evaluation.statistics import (
    P_VALUE_FROM,
    Interval,
    difference_of_means,
    holm,
    mean_interval,
    sign_flip_p_value,
)

ERROR = 0.05  # family-wise, of a table


class Measure(NamedTuple):
    """What methods are compared by.

    Attributes:
      name: as results have it.
      unit: of a difference.
      rising: whether more is better.
      margin: the largest difference that counts as none, in `unit`.
    """

    name: str
    unit: str
    rising: bool
    margin: float


ACCURACY = Measure("accuracy", "points", rising=True, margin=0.3)
NLL = Measure("nll", "nats", rising=False, margin=0.01)
PRIMARY = (ACCURACY, NLL)


class Outcome(enum.Enum):
    """What may be said of a comparison."""

    DESCRIPTIVE = "descriptive"
    HIGHER = "higher"  # significant after correction
    LOWER = "lower"  # significant after correction
    DISAGREE = "disagree"  # significant, but not of one sign in every search
    EQUIVALENT = "equivalent"  # within the margin, after correction
    UNDECIDED = "undecided"  # no significant difference


class Paired(NamedTuple):
    """One method minus the baseline by one measure, seed by seed.

    Attributes:
      method: its name.
      measure: what is compared.
      seeds: [n], those that both have.
      values: [n], differences in the unit of the measure.
      cell: where the methods are compared, in a study of several cells.
      searches: [n], the search whose settings each pair has; empty for one search.
      described: whether no test is wanted, because it was declared so beforehand or
        because replicates are still missing. It does not count in the family.
    """

    method: str
    measure: Measure
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    cell: str = ""
    searches: tuple[int, ...] = ()
    described: bool = False


@dataclass(frozen=True)
class Comparison:
    """One method compared with the baseline by one measure.

    Attributes:
      method: its name.
      measure: what is compared.
      seeds: the pairs.
      values: differences, method minus baseline, by seed.
      family: number of comparisons that were corrected for.
      interval: mean difference with its 95 % interval (t), uncorrected.
      corrected: the same with coverage 1 - 5 % / family; its ends are NaN for one pair.
      p_value: Holm-corrected, two-sided; None where the comparison is descriptive.
      equivalence: Holm-corrected p-value of a difference as large as the margin; None
        where the comparison is descriptive.
      detectable: minimum detectable effect at 80 % power at the corrected level,
        infinite where nothing can be significant; None where the comparison is
        descriptive.
      cell: as in `Paired`.
      searches: as in `Paired`.
    """

    method: str
    measure: Measure
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    family: int
    interval: Interval
    corrected: Interval
    p_value: float | None = None
    equivalence: float | None = None
    detectable: float | None = None
    cell: str = ""
    searches: tuple[int, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What may be said; a difference can be significant and within the margin."""
        if self.p_value is None:
            return Outcome.DESCRIPTIVE
        if self.p_value <= ERROR:
            if not self.searches_agree:
                return Outcome.DISAGREE
            return Outcome.HIGHER if self.interval.mean > 0 else Outcome.LOWER
        return Outcome.EQUIVALENT if self.within_margin else Outcome.UNDECIDED

    @property
    def within_margin(self) -> bool:
        """Whether the difference is smaller than the margin.

        A difference as large as the margin is rejected, after correction, and the mean
        of every search is smaller: opposite means of two searches cancel in their sum.
        """
        if self.equivalence is None or self.equivalence > ERROR:
            return False
        means = [abs(of.mean) for of in self.by_search.values()]
        return all(mean < self.measure.margin for mean in means)

    @property
    def by_search(self) -> dict[int, Interval]:
        """The mean difference of each search with its 95 % t interval, uncorrected."""
        values, searches = np.asarray(self.values), np.asarray(self.searches)
        return {
            search: mean_interval(values[searches == search], 1 - ERROR)
            for search in sorted(set(self.searches))
        }

    @property
    def between_searches(self) -> dict[tuple[int, int], Interval]:
        """The mean difference of each later search minus that of the first.

        By (later, first), with Welch's 95 % interval: searches have replicates of
        their own.
        """
        values, searches = np.asarray(self.values), np.asarray(self.searches)
        first, *later = sorted(set(self.searches)) or (0,)
        return {
            (search, first): difference_of_means(
                values[searches == search], values[searches == first], 1 - ERROR
            )
            for search in later
        }

    @property
    def searches_agree(self) -> bool:
        """Whether the mean difference has the same sign in every search."""
        signs = {np.sign(of.mean) for of in self.by_search.values()}
        return signs <= {np.sign(self.interval.mean)}

    @property
    def better(self) -> bool | None:
        """Whether the method is significantly better; None without significance."""
        if self.outcome not in (Outcome.HIGHER, Outcome.LOWER):
            return None
        return (self.outcome is Outcome.HIGHER) == self.measure.rising

    @property
    def seeds_higher(self) -> int:
        """Number of seeds in which the method's value is above the baseline's."""
        return sum(value > 0 for value in self.values)

    @property
    def seeds_lower(self) -> int:
        """Number of seeds in which the method's value is below the baseline's."""
        return sum(value < 0 for value in self.values)


def compare(pairs: Sequence[Paired], *, planned: int = 0) -> tuple[Comparison, ...]:
    """Compares methods with a baseline: the differences given are one family.

    Args:
      pairs: every comparison of a table, those without a common seed left out.
      planned: number of comparisons in the family where it is larger than what is
        given: a protocol counts those whose replicates are still to come. They enter
        with p = 1, so that a later one can only lower the corrected p-values.

    Returns:
      A `Comparison` for each, in the same order.

    Raises:
      ValueError: a comparison without values, with values that are not finite, with
        another number of values than seeds or searches, or given twice.

    Example:
      >>> gain = Paired("dropout", ACCURACY, tuple(range(10)), (0.5, 0.6) * 5)
      >>> (found,) = compare([gain])
      >>> found.outcome.value, round(found.p_value, 4), found.family
      ('higher', 0.002, 1)
      >>> (few,) = compare([gain._replace(seeds=(0, 1), values=(0.5, 0.6))])
      >>> few.outcome.value, few.p_value, few.seeds_higher
      ('descriptive', None, 2)
    """
    names = [(pair.cell, pair.method, pair.measure.name) for pair in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"a comparison is given twice: {names}")
    for pair in pairs:
        if len(pair.seeds) != len(pair.values) or not pair.values:
            raise ValueError(
                f"{pair.method!r} by {pair.measure.name}: {len(pair.values)} values, "
                f"{len(pair.seeds)} seeds: give one for each of at least one seed"
            )
        if pair.searches and len(pair.searches) != len(pair.values):
            raise ValueError(
                f"{pair.method!r} by {pair.measure.name}: {len(pair.values)} values, "
                f"{len(pair.searches)} searches: give the search of each value"
            )
    tables = [(pair.cell, pair.measure.name) for pair in pairs]
    most: dict[tuple[str, str], int] = {}
    for pair, table in zip(pairs, tables, strict=True):
        most[table] = max(most.get(table, 0), len(pair.seeds))
    tested = [
        i
        for i, (pair, table) in enumerate(zip(pairs, tables, strict=True))
        if not pair.described and len(pair.seeds) == most[table] >= P_VALUE_FROM
    ]
    family = max(planned, sum(not pair.described for pair in pairs), 1)
    # What is not tested counts with p = 1, so that it is corrected for.
    others = [1.0] * (family - len(tested))
    differ = holm([sign_flip_p_value(pairs[i].values) for i in tested] + others)
    equal = holm([_equivalence(pairs[i]) for i in tested] + others)
    corrected = {i: place for place, i in enumerate(tested)}
    return tuple(
        Comparison(
            pair.method,
            pair.measure,
            pair.seeds,
            pair.values,
            family=family,
            interval=mean_interval(pair.values, 1 - ERROR),
            corrected=mean_interval(pair.values, 1 - ERROR / family),
            p_value=differ[corrected[i]] if i in corrected else None,
            equivalence=equal[corrected[i]] if i in corrected else None,
            detectable=_detectable(pair, family) if i in corrected else None,
            cell=pair.cell,
            searches=pair.searches,
        )
        for i, pair in enumerate(pairs)
    )


def least_p_value(pairs: int, family: int) -> float:
    """Returns the least corrected p-value that so many pairs can give.

    Example:
      >>> least_p_value(10, 16) < ERROR < least_p_value(10, 60)
      True
    """
    return min(1.0, family * 2.0 ** (1 - pairs))


def _equivalence(pair: Paired) -> float:
    """P-value of the two one-sided tests together: the larger of theirs."""
    values, margin = np.asarray(pair.values), pair.measure.margin
    return max(
        sign_flip_p_value(margin + values, alternative="greater"),
        sign_flip_p_value(margin - values, alternative="greater"),
    )


def _detectable(pair: Paired, family: int) -> float:
    deviation = float(np.std(pair.values, ddof=1))
    return minimum_detectable_effect(deviation, len(pair.values), alpha=ERROR / family)
