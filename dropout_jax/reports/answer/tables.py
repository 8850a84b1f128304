# SPDX-License-Identifier: Apache-2.0
"""The tables of a cell as cells of text: what was found, and what it took."""

import functools
import math
from collections.abc import Callable, Mapping

from dropout_jax.evaluation.comparison import Measure
from dropout_jax.reports.answer.cell import Cell, Choice
from dropout_jax.reports.answer.judging import Answer, Row
from dropout_jax.reports.answer.words import outcome
from dropout_jax.reports.noise import noise_text
from dropout_jax.reports.numbers import (
    NOTHING,
    bracketed,
    counted,
    difference,
    duration,
    ends,
    p_text,
    plain,
    signed,
    value_text,
)
from dropout_jax.reports.render import Part
from dropout_jax.sweeps.gate import Verdict

_SETS = {
    "accuracy": "Test accuracy, parameters of the last epoch",
    "nll": "NLL, parameters of the epoch of the least validation NLL",
}
_MEANS = {"accuracy": "test accuracy, %", "nll": "NLL, nats"}
_DIGITS = {"points": 2, "nats": 4}
_IN_FULL = {"accuracy": "accuracy", "nll": "NLL"}


def overview(answer: Answer) -> list[Part]:
    """The verdict on every method in every cell, a table for each measure."""
    methods = dict.fromkeys(m for cell in answer.cells for m in cell.methods[1:])
    found: dict[str, list[list[str]]] = {name: [] for name in _SETS}
    for cell in answer.cells:
        for measure in cell.measures:
            told = {row.method: _told(cell, row) for row in answer.of(cell, measure)}
            line = [cell.name, *(told.get(method, NOTHING) for method in methods)]
            found[measure.name].append(line)
    return [
        Part(f"{_SETS[name]}: verdicts", ["cell", *methods], rows)
        for name, rows in found.items()
    ]


def _told(cell: Cell, row: Row) -> str:
    said = outcome(cell, row)
    if row.comparison is None:
        return said
    mean = difference(row.comparison.interval.mean, row.measure)
    return f"{said}: {mean}"


def parts(answer: Answer, cell: Cell) -> list[Part]:
    """The comparisons by each measure, the settings with their cost, and the gate."""
    found = [_compared(answer, cell, measure) for measure in cell.measures]
    return [*found, _chosen(answer, cell), *([_gate(cell)] if cell.gate else [])]


def _compared(answer: Answer, cell: Cell, measure: Measure) -> Part:
    rows = answer.of(cell, measure)
    searches = [f"difference in search {search}" for search in cell.searches]
    first, *later = cell.searches
    searches += [f"search {search} minus search {first}" for search in later]
    headings = [
        "method",
        _MEANS[measure.name],
        "replicates",
        *searches,
        f"difference to {cell.baseline}, {measure.unit}",
        f"interval corrected for {counted(answer.family, 'comparison')}",
        "p, corrected",
        f"minimum detectable effect, {measure.unit}",
        "verdict",
        "P(better), same replicate",
        "P(better), two replicates",
    ]
    cells = [_cells(cell, row) for row in rows]
    return Part(_SETS[measure.name], headings, cells)


def _cells(cell: Cell, row: Row) -> list[str]:
    digits = _DIGITS[row.measure.unit]
    mean = bracketed(row.mean, functools.partial(plain, digits=digits))
    beside = [row.method, mean, replicates(row)]
    found = row.comparison
    first, *later = cell.searches
    if found is None:
        blank = [NOTHING] * (len(cell.searches) + len(later) + 4)
        return [*beside, *blank, outcome(cell, row), NOTHING, NOTHING]
    write = functools.partial(difference, measure=row.measure)
    return [
        *beside,
        *(bracketed(found.by_search.get(search), write) for search in cell.searches),
        *(bracketed(found.between_searches.get((s, first)), write) for s in later),
        bracketed(found.interval, write),
        ends(found.corrected, write),
        p_text(found.p_value),
        _effect(found.detectable, write),
        outcome(cell, row),
        bracketed(row.superiority),
        bracketed(row.superiority_unpaired),
    ]


def replicates(row: Row) -> str:
    """How many final runs count, of how many, what diverged and what is not there."""
    count = f"{len(row.values)} of {row.planned}"
    told = {"diverged": len(row.diverged), **row.unfinished}
    left = ", ".join(f"{n} {status}" for status, n in told.items() if n)
    return f"{count} ({left})" if left else count


def _effect(value: float | None, write: Callable[[float], str]) -> str:
    if value is None or math.isinf(value):
        return NOTHING
    return write(value).removeprefix("+")


def _chosen(answer: Answer, cell: Cell) -> Part:
    headings = [
        "method",
        "answer",
        *(f"setting of search {search}" for search in cell.searches),
        *(f"noise, search {search}" for search in cell.searches),
        "median time of a run",
        f"times {cell.baseline}",
        "gain per minute of training",
        "trials of a search",
        "time of the searches",
    ]
    rows = [
        [
            row.method,
            _IN_FULL[measure.name],
            *(choice_text(row.choices.get(search)) for search in cell.searches),
            *(
                noise_text(row.noise.get(search, ())) or NOTHING
                for search in cell.searches
            ),
            duration(row.seconds),
            _ratio(row.cost),
            _rate(row),
            trials_text(row.trials),
            duration(row.search_seconds) if row.trials else NOTHING,
        ]
        for method in cell.methods
        for measure in cell.measures
        for row in answer.of(cell, measure)
        if row.method == method
    ]
    return Part(
        "Settings, noise at the tested epoch, and cost (times are those of the "
        "machines of the ledgers under their load)",
        headings,
        rows,
    )


def _gate(cell: Cell) -> Part:
    """How much longer training would change, on validation."""
    headings = [
        "method",
        "change of accuracy, points",
        "change of least NLL, nats",
        "distance between starts",
        "converged",
        "depends on its start",
    ]
    rows = [
        [
            method,
            bracketed(found.points, signed),
            bracketed(found.nll, functools.partial(signed, digits=4)),
            NOTHING if found.start is None else plain(found.start),
            "yes" if found.passed else "no",
            _depends(found),
        ]
        for method, found in cell.gate.items()
    ]
    return Part("Convergence gate: more epochs, on validation", headings, rows)


def _depends(found: Verdict) -> str:
    if found.depends:
        return "yes"
    return NOTHING if found.start is None else "no"


def choice_text(choice: Choice | None) -> str:
    """The setting that a search chose, with what lies at an end of its grid.

    Example:
      >>> choice_text(Choice(0.3, 0.002, {}, "strength"))
      '0.3, learning rate 0.002 (at an end: strength)'
    """
    if choice is None:
        return NOTHING
    rate = f"learning rate {value_text(choice.learning_rate)}"
    start = "" if choice.strength is None else f"{value_text(choice.strength)}, "
    end = f" (at an end: {choice.at_end})" if choice.at_end else ""
    return f"{start}{rate}{end}"


def trials_text(trials: Mapping[int, int]) -> str:
    """The number of trials of each search; one number where all have the same.

    Example:
      >>> trials_text({1: 24, 2: 24}), trials_text({1: 24, 2: 6}), trials_text({})
      ('24', '24, 6', '–')
    """
    counts = list(trials.values())
    if len(set(counts)) <= 1:
        counts = counts[:1]
    return ", ".join(map(str, counts)) or NOTHING


def _ratio(cost: float | None) -> str:
    return NOTHING if cost is None else plain(cost)


def _rate(row: Row) -> str:
    if row.gain_per_minute is None:
        return NOTHING
    digits = _DIGITS[row.measure.unit]
    return f"{signed(row.gain_per_minute, digits)} {row.measure.unit}"
