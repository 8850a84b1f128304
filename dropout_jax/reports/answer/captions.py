# SPDX-License-Identifier: Apache-2.0
"""What stands below the figures of an answer."""

from dropout_jax.evaluation.comparison import ACCURACY
from dropout_jax.reports.answer.budget_figure import trial_values
from dropout_jax.reports.answer.cell import Cell
from dropout_jax.reports.answer.judging import Answer
from dropout_jax.reports.captions import span
from dropout_jax.reports.numbers import counted, unit_margin
from dropout_jax.reports.phrases import listed


def differences_caption(answer: Answer) -> str:
    """Of the differences to the baseline over all cells."""
    pairs = span(
        (len(row.comparison.seeds) for row in answer.rows if row.comparison),
        "paired replicate",
    )
    margins = dict.fromkeys(
        unit_margin(measure) for cell in answer.cells for measure in cell.measures
    )
    return (
        f"Test accuracy of the last epoch, and test NLL of the epoch of the least "
        f"validation NLL, minus those of the baseline, {pairs}. Thick bars: 95 % t "
        "interval of the mean difference over the replicates of all searches, each for "
        "its own row; thin bars: the same corrected for "
        f"{counted(answer.family, 'comparison')}. Digits: the mean difference of each "
        "search. A filled mark is a gain or a loss: significant after correction, with "
        "the same sign in each search. Gray: the margin of equivalence "
        f"({listed(list(margins))}). A method is marked as not converged if it or the "
        "baseline failed the convergence gate, and as depending on its start if its "
        "learned noise does."
    )


def strength_caption(cell: Cell) -> str:
    """Of the strength curves of a cell."""
    seeds = span(
        len({one.seed for one in runs if one.method == method and one.trial})
        for runs in cell.curve.values()
        for method in cell.methods
    )
    return (
        f"{cell.name}: validation accuracy of the last epoch and least validation NLL "
        "against the strength of each method, each at its best learning rate for "
        "the measure of the panel, "
        f"{seeds}: those of the searches, which chose the learning rate, and fresh "
        "ones; none is one of a final run. Circles: replicates; line: "
        f"their mean; gray: {cell.baseline} with the range of its replicates. Digits "
        "above a panel: the strength that each search chose."
    )


def budget_caption(cell: Cell) -> str:
    """Of the expected best validation result of a cell."""
    found = trial_values(cell, ACCURACY)
    shown = sorted({search for _, search in found})
    searches = listed([str(search) for search in shown]) if shown else "none"
    return (
        f"{cell.name}: how the best validation result grows with k trials drawn at "
        "random from the grid of a search, in expectation, without replacement, by the "
        "exact formula. It is a property of this grid: a wider grid with bad ends "
        "looks worse at small k. It does not show what chance alone gains. A line "
        f"for each search that has ended ({searches}): solid the first, dashed the "
        "others; the mark is at all trials. A trial that diverged counts as the worst "
        "of its search."
    )
