# SPDX-License-Identifier: Apache-2.0
"""The result of a table in sentences: what its comparisons allow to be said."""

import functools
import math
from collections.abc import Sequence

from dropout_jax.evaluation.comparison import (
    ERROR,
    Comparison,
    Measure,
    Outcome,
    least_p_value,
)
from dropout_jax.evaluation.statistics import P_VALUE_FROM
from dropout_jax.reports.numbers import (
    bracketed,
    counted,
    difference,
    p_text,
    unit_margin,
)
from dropout_jax.reports.table import Table

NOUNS = {"accuracy": "test accuracy", "nll": "NLL"}


def verdict(table: Table) -> str:
    """The result of a table as plain text."""
    return " ".join(sentences(table))


def sentences(table: Table) -> list[str]:
    """States the result of a table by the rule of `evaluation.comparison`.

    Every method is in one group of each measure, gains and losses by the same rule:
    significantly higher or lower after correction, equivalent within the margin, no
    significant difference with its minimum detectable effect, or only described. No
    method is called the winner.

    Args:
      table: what `tabulate` returned.

    Returns:
      Sentences of plain text: the answer first, then what qualifies it.
    """
    found = [c for measure in table.measures for c in table.comparisons(measure)]
    if not found:
        return [_nothing_paired(table), *_unfinished(table)]
    tested = [c for c in found if c.p_value is not None]
    said = [s for measure in table.measures for s in _tested(table, measure)]
    if tested:
        # What cannot be significant at all is said first.
        possible = least_p_value(len(tested[0].seeds), table.family) <= ERROR
        said.insert(len(said) if possible else 0, _family(table, tested))
    else:
        said.append(
            f"No test was made, because the comparisons have under {P_VALUE_FROM} "
            "paired seeds; they are only described."
        )
    said += [s for measure in table.measures for s in _described(table, measure)]
    if len(table.measures) == 1:
        said.append("No statement is made on NLL.")
    return said + _unfinished(table)


def _tested(table: Table, measure: Measure) -> list[str]:
    """The sentence on what was tested by one measure."""
    found = [c for c in table.comparisons(measure) if c.p_value is not None]
    worse, better = "which is worse", "which is better"
    up, down = ("", "") if measure.rising else (f", {worse},", f", {better},")
    groups = (
        (Outcome.HIGHER, f"significantly higher{up} with", _with_p),
        (Outcome.LOWER, f"significantly lower{down} with", _with_p),
        (Outcome.EQUIVALENT, f"equivalent within {unit_margin(measure)} with", _bare),
        (Outcome.UNDECIDED, "no significant difference with", _with_detectable),
    )
    parts = []
    for outcome, words, write in groups:
        of_group = [write(c) for c in found if c.outcome is outcome]
        if of_group:
            parts.append(f"{words} {_listed(of_group)}")
    if not parts:
        return []
    noun = NOUNS[measure.name]
    return [f"{_up(noun)}, against {_quoted(table.baseline)}: {'; '.join(parts)}."]


def _family(table: Table, tested: Sequence[Comparison]) -> str:
    """What was corrected for, and whether anything could be significant at all."""
    pairs, family = len(tested[0].seeds), table.family
    many = counted(family, "comparison")
    least = least_p_value(pairs, family)
    if least > ERROR:
        return (
            f"Nothing can be significant here: with {pairs} paired seeds, {many} allow "
            f"no corrected p-value under {p_text(least)}."
        )
    measures = " and ".join(measure.name for measure in table.measures)
    each = "all" if len(tested) == family else f"{len(tested)} of them, those"
    return (
        f"Significance at {100 * ERROR:g} % after Holm's correction for {many} "
        f"({measures.replace('nll', 'NLL')}); {each} with {pairs} paired seeds are "
        "tested."
    )


def _described(table: Table, measure: Measure) -> list[str]:
    """The sentence on what has too few pairs to be tested, by one measure."""
    found = [c for c in table.comparisons(measure) if c.p_value is None]
    if not found:
        return []
    baseline = _quoted(table.baseline)
    return [
        f"Described, not tested: {NOUNS[measure.name]} against {baseline} is "
        f"{_listed([_seed_by_seed(c) for c in found])}."
    ]


def _seed_by_seed(found: Comparison) -> str:
    """How a method stands to the baseline in the seeds that both have."""
    pairs = len(found.seeds)
    write = functools.partial(difference, measure=found.measure)
    mean = f"{bracketed(found.interval, write)} {found.measure.unit}"
    if not found.seeds_lower and not found.seeds_higher:
        side = f"equal in {pairs} of {pairs}"
    elif found.seeds_lower > found.seeds_higher:
        side = f"lower in {found.seeds_lower} of {pairs}"
    else:
        side = f"higher in {found.seeds_higher} of {pairs}"
    return f"{side} seeds with {_quoted(found.method)} ({mean})"


def _quoted(arm: str) -> str:
    """A name set apart from the prose: "none" is a method here."""
    inside = arm.replace("‘", "'").replace("’", "'")
    return f"‘{inside}’"


def _listed(items: Sequence[str]) -> str:
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def _amount(found: Comparison) -> str:
    return f"{difference(found.interval.mean, found.measure)} {found.measure.unit}"


def _with_p(found: Comparison) -> str:
    within = ", within the margin" if found.within_margin else ""
    amount, p = _amount(found), p_text(found.p_value)
    return f"{_quoted(found.method)} ({amount}, p = {p}{within})"


def _bare(found: Comparison) -> str:
    amount, p = _amount(found), p_text(found.equivalence)
    return f"{_quoted(found.method)} ({amount}, p = {p})"


def _with_detectable(found: Comparison) -> str:
    assert found.detectable is not None
    if math.isinf(found.detectable):
        return f"{_quoted(found.method)} ({_amount(found)})"
    least = difference(found.detectable, found.measure).removeprefix("+")
    return (
        f"{_quoted(found.method)} ({_amount(found)}, minimum detectable effect "
        f"{least} {found.measure.unit})"
    )


def _nothing_paired(table: Table) -> str:
    means = {row.arm: row.accuracy.mean for row in table.rows if row.accuracy}
    if not means:
        if any("not tested" in row.unfinished for row in table.rows):
            return "No run was tested, so there is nothing to compare."
        return "No run has finished, so there is nothing to compare."
    if len(means) == 1:
        (arm, mean), *_ = means.items()
        return f"Only {_quoted(arm)} has results (test accuracy {mean:.2f} %)."
    return (
        f"No method has a finished seed that can be paired with one of "
        f"{_quoted(table.baseline)}, so nothing is compared."
    )


def _unfinished(table: Table) -> list[str]:
    counts: dict[str, int] = {}
    for row in table.rows:
        for status, count in row.unfinished.items():
            counts[status] = counts.get(status, 0) + count
    if not counts:
        return []
    total = sum(counts.values()) + sum(len(row.seeds) for row in table.rows)
    parts = " and ".join(f"{count} {status}" for status, count in counts.items())
    return [f"Of {total} runs of these settings {parts}; they are not averaged."]


def _up(text: str) -> str:
    return text[:1].upper() + text[1:]
