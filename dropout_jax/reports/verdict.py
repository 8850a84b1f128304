# SPDX-License-Identifier: Apache-2.0
"""The result of a table in sentences: what its comparisons allow to be said."""

import functools
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
from dropout_jax.reports.phrases import (
    NOUNS,
    listed,
    quoted,
    up,
    with_detectable,
    with_equivalence,
    with_p,
)
from dropout_jax.reports.table import Table


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
    rise, fall = ("", "") if measure.rising else (f", {worse},", f", {better},")
    groups = (
        (Outcome.HIGHER, f"significantly higher{rise} with", with_p),
        (Outcome.LOWER, f"significantly lower{fall} with", with_p),
        (
            Outcome.EQUIVALENT,
            f"equivalent within {unit_margin(measure)} with",
            with_equivalence,
        ),
        (Outcome.UNDECIDED, "no significant difference with", with_detectable),
    )
    parts = []
    for outcome, words, write in groups:
        of_group = [write(c) for c in found if c.outcome is outcome]
        if of_group:
            parts.append(f"{words} {listed(of_group)}")
    if not parts:
        return []
    noun = NOUNS[measure.name]
    return [f"{up(noun)}, against {quoted(table.baseline)}: {'; '.join(parts)}."]


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
    baseline = quoted(table.baseline)
    return [
        f"Described, not tested: {NOUNS[measure.name]} against {baseline} is "
        f"{listed([_seed_by_seed(c) for c in found])}."
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
    return f"{side} seeds with {quoted(found.method)} ({mean})"


def _nothing_paired(table: Table) -> str:
    means = {row.arm: row.accuracy.mean for row in table.rows if row.accuracy}
    if not means:
        if any("not tested" in row.unfinished for row in table.rows):
            return "No run was tested, so there is nothing to compare."
        return "No run has finished, so there is nothing to compare."
    if len(means) == 1:
        (arm, mean), *_ = means.items()
        return f"Only {quoted(arm)} has results (test accuracy {mean:.2f} %)."
    return (
        f"No method has a finished seed that can be paired with one of "
        f"{quoted(table.baseline)}, so nothing is compared."
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
