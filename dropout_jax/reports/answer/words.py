# SPDX-License-Identifier: Apache-2.0
"""The answer in sentences: each cell by each measure, and what all of it rests on."""

import math
from collections.abc import Callable, Sequence

from dropout_jax.evaluation.comparison import (
    ERROR,
    Comparison,
    Measure,
    Outcome,
    least_p_value,
)
from dropout_jax.reports.answer.cell import Cell
from dropout_jax.reports.answer.judging import Answer, Row
from dropout_jax.reports.numbers import (
    counted,
    difference,
    p_text,
    plain,
    unit_margin,
)
from dropout_jax.reports.phrases import (
    NOUNS,
    amount,
    listed,
    quoted,
    up,
    with_detectable,
    with_equivalence,
    with_p,
)

# What a replicate has of its own.
_OWN_DATA = "training images, validation images, "
_OWN = "first weights and order of the batches"
BASELINE, GAIN, LOSS, UNFINISHED = "baseline", "gain", "loss", "unfinished"
# Shares of the test images on which one of two classifiers is right and one is wrong.
_DIFFER = (0.04, 0.08, 0.12)


def outcome(cell: Cell, row: Row) -> str:
    """The verdict of a row in a few words, with what the gate says against it.

    A gain or a loss is significant after correction, with the same sign in each search.
    """
    return _verdict(cell, row) + caveats(cell, row.method)


def caveats(cell: Cell, method: str) -> str:
    """What the gate says against the outcome of a method; begins with a space.

    An outcome is a difference: if the baseline failed the gate, so did it.
    """
    found = [cell.gate[name] for name in (method, cell.baseline) if name in cell.gate]
    marks = {
        "not converged": any(not one.passed for one in found),
        "depends on its start": any(one.depends for one in found),
    }
    return "".join(f" ({mark})" for mark, holds in marks.items() if holds)


def _verdict(cell: Cell, row: Row) -> str:
    found = row.comparison
    if row.method == cell.baseline:
        return BASELINE
    if not cell.finals or not (cell.descriptive or cell.finished):
        return UNFINISHED
    if found is None:
        return "no pairs"
    if found.better is not None:
        within = ", within the margin" if found.within_margin else ""
        return (GAIN if found.better else LOSS) + within
    return {
        Outcome.EQUIVALENT: f"equivalent within {unit_margin(row.measure)}",
        Outcome.UNDECIDED: "no significant difference",
        Outcome.DISAGREE: "the searches disagree",
        Outcome.DESCRIPTIVE: "descriptive",
    }[found.outcome]


def state(cell: Cell) -> list[str]:
    """How far a cell is, in sentences; none of one that is finished and converged."""
    said = [
        f"{quoted(method)} failed the convergence gate: {'; '.join(found.failures)}."
        for method, found in cell.gate.items()
        if not found.passed
    ] + [
        f"{quoted(method)} depends on its start: {found.depends}."
        for method, found in cell.gate.items()
        if found.depends
    ]
    ended = sum(final.over for final in cell.finals)
    if ended and not cell.gate:
        said.append(
            "The convergence gate has not ended: whether the methods have converged "
            "is not known."
        )
    if cell.finished:
        return said
    if cell.finals:
        how_far = (
            f"{ended} of {cell.planned} final runs have ended, so no verdict is given"
        )
    else:
        how_far = cell.held or "the searches have not ended, so no final run is known"
    return [f"Unfinished: {how_far}.", *said]


def sentences(answer: Answer, cell: Cell, measure: Measure) -> list[str]:
    """What may be said of one cell by one measure, the verdicts first."""
    diverged = _diverged(answer.of(cell, measure))
    rows = [row for row in answer.of(cell, measure) if row.comparison]
    if not rows:
        return diverged
    noun = up(NOUNS[measure.name])
    against = f"with the settings that {_chosen(cell)} chose, against"
    tested = [row for row in rows if _found(row).p_value is not None]
    said = []
    groups: tuple[tuple[Callable[[Comparison], bool], str, Callable], ...] = (
        (lambda c: c.better is True, "gain with", with_p),
        (lambda c: c.better is False, "loss with", with_p),
        (_is(Outcome.DISAGREE), "the searches disagree on", _by_search),
        (
            _is(Outcome.EQUIVALENT),
            f"equivalent within {unit_margin(measure)} with",
            with_equivalence,
        ),
        (_is(Outcome.UNDECIDED), "no significant difference with", with_detectable),
    )
    parts = []
    for belongs, words, write in groups:
        of_group = [
            write(_found(row)) + caveats(cell, row.method)
            for row in tested
            if belongs(_found(row))
        ]
        if of_group:
            parts.append(f"{words} {listed(of_group)}")
    if parts:
        baseline = quoted(cell.baseline)
        said.append(f"{noun}, {against} {baseline}: {'; '.join(parts)}.")
    said += [
        _loss(row, answer.of(cell, measure)[0])
        for row in tested
        if _found(row).better is False
    ]
    described = [row for row in rows if _found(row).p_value is None]
    if described:
        pairs = listed(
            [_replicates(_found(row)) + caveats(cell, row.method) for row in described]
        )
        said.append(
            f"{noun}, described, not tested, {against} {quoted(cell.baseline)}: "
            f"{pairs}."
        )
    return said + diverged + _limits(answer, tested)


def conditions(answer: Answer) -> list[str]:
    """What every statement rests on, in sentences of plain text."""
    counts = {
        final.trial.test_count
        for cell in answer.cells
        for final in cell.finals
        if final.value is not None and final.trial and final.trial.test_count
    }
    images = f" of {min(counts):,} images" if len(counts) == 1 else ""
    searches = max((len(cell.searches) for cell in answer.cells), default=0)
    splits = _splits(answer)
    drawn = splits == {"drawn"}
    own = f"Replicates differ in {_OWN_DATA if drawn else ''}{_OWN}. " if splits else ""
    declared = [cell.name for cell in answer.cells if cell.descriptive]
    said = [
        f"All statements hold for one test set{images} and for "
        f"{searches} {'search' if searches == 1 else 'searches'} of each method: "
        "no interval and no p-value covers another test set or another search."
        + (_sampling_error(min(counts)) if len(counts) == 1 else ""),
        f"{own}A method and the baseline are paired on the same replicate, each with "
        "what the same search chose.",
        f"Significance is at {100 * ERROR:g} % after Holm's correction for "
        f"{counted(answer.family, 'comparison')}: every method, both measures, all "
        "cells that were not declared descriptive, also those that are unfinished. A "
        "gain or a loss also needs the same sign in each search. The tests of "
        "differences and those of equivalence are two families, each at "
        f"{100 * ERROR:g} %.",
        "Methods are tested against the baseline, not against one another. Differences "
        "between cells, such as sizes, are described and never tested.",
        "The p-values assume that a method without effect gives differences that are "
        "symmetric around 0.",
        "NLL is that of the epoch of the least validation NLL. It includes this early "
        "stopping for every method, the baseline too.",
    ]
    if drawn:
        said.append(
            "Training sets of two replicates may share images, at the largest sizes "
            "most of them: intervals cover what differs between the replicates, not "
            "training images from elsewhere."
        )
    if declared:
        said.append(
            f"Declared descriptive before their test results were read, and not "
            f"counted: {listed(declared)}."
        )
    return said


def _sampling_error(images: int) -> str:
    """What another test set of this size would change in a difference of accuracies."""
    errors = [plain(100 * math.sqrt(share / images)) for share in _DIFFER]
    return (
        " The sampling error of the test set comes on top: a difference of two "
        f"accuracies has a standard error of {listed(errors)} points if one of the two "
        "classifiers is right and one is wrong on "
        f"{listed([f'{100 * share:g}' for share in _DIFFER])} % of the images."
    )


def _splits(answer: Answer) -> set[str | None]:
    """How the final runs come by their images."""
    return {
        final.trial.config.get("data.split")
        for cell in answer.cells
        for final in cell.finals
        if final.trial
    }


def _found(row: Row) -> Comparison:
    assert row.comparison is not None
    return row.comparison


def _is(outcome: Outcome) -> Callable[[Comparison], bool]:
    return lambda found: found.outcome is outcome


def _by_search(found: Comparison) -> str:
    each = listed(
        [
            f"{difference(of.mean, found.measure)} in search {search}"
            for search, of in found.by_search.items()
        ]
    )
    return f"{quoted(found.method)} ({amount(found)}: {each})"


def _chosen(cell: Cell) -> str:
    few = {1: "the search", 2: "the two searches"}
    return few.get(len(cell.searches), f"the {len(cell.searches)} searches")


def _diverged(rows: Sequence[Row]) -> list[str]:
    """Which final runs diverged, and with what they count."""
    lost = [row for row in rows if row.diverged]
    if not lost:
        return []
    noun = up(NOUNS[lost[0].measure.name])
    if not any(row.values for row in rows):
        return [f"{noun}: every final run that has ended diverged."]
    each = listed(
        [
            f"{len(row.diverged)} of {row.planned} runs of {quoted(row.method)} "
            f"({', '.join(f'seed {n} of search {s}' for s, n in row.diverged)})"
            for row in lost
        ]
    )
    return [
        f"{noun}: {each} diverged. A run that diverged counts with the worst result of "
        "the cell."
    ]


def _loss(row: Row, baseline: Row) -> str:
    """A loss is one of what the searches found, not of every setting of the method."""
    return (
        f"The loss with {quoted(row.method)} is that of the best setting that "
        f"{_trials(row)} found, against the best of {_trials(baseline)} for "
        f"{quoted(baseline.method)}; another setting may lose less."
    )


def _trials(row: Row) -> str:
    counts = sorted(set(row.trials.values()))
    if not counts:
        return "its searches"
    many = " to ".join(str(n) for n in dict.fromkeys([counts[0], counts[-1]]))
    return f"{many} trials of each search"


def _replicates(found: Comparison) -> str:
    better = found.seeds_higher if found.measure.rising else found.seeds_lower
    return (
        f"{quoted(found.method)} better in {better} of {len(found.seeds)} replicates "
        f"({amount(found)})"
    )


def _limits(answer: Answer, tested: Sequence[Row]) -> list[str]:
    """What so few pairs cannot show in so large a family."""
    pairs = {len(_found(row).seeds) for row in tested}
    if not pairs or least_p_value(min(pairs), answer.family) <= ERROR:
        return []
    least = least_p_value(min(pairs), 1)
    return [
        f"With {min(pairs)} replicates no p-value is under {p_text(least)} before "
        "correction. In Holm's order it can be significant only if at most "
        f"{math.floor(ERROR / least)} of the {answer.family} comparisons remain."
    ]
