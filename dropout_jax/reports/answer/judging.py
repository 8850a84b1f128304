# SPDX-License-Identifier: Apache-2.0
"""The final runs of all cells, compared as one family."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from dropout_jax.evaluation.comparison import Comparison, Measure, Paired, compare
from dropout_jax.evaluation.statistics import Interval, mean_interval
from dropout_jax.evaluation.superiority import (
    probability_of_superiority,
    probability_of_superiority_unpaired,
)
from dropout_jax.reports.answer.cell import SET_OF, Cell, Choice, Final
from dropout_jax.reports.noise import Site, trained_noise
from dropout_jax.reports.trial import Trial


@dataclass(frozen=True)
class Row:
    """One method in one cell by one measure.

    Attributes:
      cell: name of the cell.
      method: name of the method.
      measure: what is compared, with the margin of the cell.
      values: test results by (search, seed): percent or nats. A run that diverged
        has the worst result of the cell.
      mean: of them, with its 95 % t interval.
      by_search: the same for each search.
      comparison: with the baseline; None for the baseline and where nothing is paired.
      superiority: probability that a run is better than the baseline's on the same
        replicate, by Wilson.
      superiority_unpaired: the same on two different replicates, by bootstrap; None
        for fewer than two pairs.
      choices: the setting of each search that has ended.
      noise: what each site had at the epoch of the tested parameters, by search.
      seconds: median wall time of a run.
      cost: the same over the baseline's.
      gain_per_minute: improvement over the baseline for a minute of training of a run,
        in the unit of the measure; below 0 for a loss.
      trials: runs that each search made for the choice.
      search_seconds: what all searches took together.
      planned: number of final runs.
      diverged: final runs that diverged, by (search, seed).
      unfinished: number of other final runs without a result, by status.
    """

    cell: str
    method: str
    measure: Measure
    values: Mapping[tuple[int, int], float]
    mean: Interval | None
    by_search: Mapping[int, Interval]
    comparison: Comparison | None
    superiority: Interval | None
    superiority_unpaired: Interval | None
    choices: Mapping[int, Choice]
    noise: Mapping[int, tuple[Site, ...]]
    seconds: float | None
    cost: float | None
    gain_per_minute: float | None
    trials: Mapping[int, int]
    search_seconds: float
    planned: int
    diverged: tuple[tuple[int, int], ...]
    unfinished: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """All that a protocol's final runs allow to be said.

    Attributes:
      cells: in the order of the protocol.
      rows: by cell, measure and method, in that order, the baseline first.
      family: number of comparisons that each p-value is corrected for: those of every
        cell that was not declared descriptive, also of cells still to come.
    """

    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    family: int

    def of(self, cell: Cell, measure: Measure) -> tuple[Row, ...]:
        """The rows of one cell by one measure, the baseline first."""
        return tuple(
            row
            for row in self.rows
            if (row.cell, row.measure.name) == (cell.name, measure.name)
        )


def judge(cells: Sequence[Cell]) -> Answer:
    """Compares every method with the baseline of its cell, all as one family.

    A run of a method is paired with the run of the baseline on the same replicate, each
    with what the same search chose. The replicates of all searches are tested together;
    a verdict needs the same sign in each search. A run that diverged counts with the
    worst result of any final run of its cell by that measure: left out, a method that
    diverges on hard replicates would be judged on the easy ones. Nothing is tested in
    a cell before all of its final runs have ended, nor in one that was declared
    descriptive.

    Args:
      cells: all that the protocol plans, also those without a run.

    Returns:
      An `Answer`.
    """
    measured = [(cell, measure) for cell in cells for measure in cell.measures]
    values = {
        (cell.name, measure.name): _values(cell, measure) for cell, measure in measured
    }
    pairs = [
        paired
        for cell, measure in measured
        for paired in _pairs(cell, measure, values[cell.name, measure.name])
    ]
    planned = sum(len(cell.methods) - 1 for cell, _ in measured if not cell.descriptive)
    compared = {
        (one.cell, one.measure.name, one.method): one
        for one in compare(pairs, planned=planned)
    }
    rows = []
    for cell, measure in measured:
        of_cell = values[cell.name, measure.name]
        found = [
            _row(
                cell,
                measure,
                method,
                of_cell,
                compared.get((cell.name, measure.name, method)),
            )
            for method in cell.methods
        ]
        rows += [_beside(row, found[0]) for row in found]
    return Answer(tuple(cells), tuple(rows), planned)


Values = dict[str, dict[tuple[int, int], float]]


def _values(cell: Cell, measure: Measure) -> Values:
    """Test results by method and (search, seed), the worst for what diverged."""
    finals = _finals(cell, measure)
    results = [final.value for final in finals if final.value is not None]
    # Without any result there is none to count with.
    worst = (min if measure.rising else max)(results, default=None)
    found: Values = {method: {} for method in cell.methods}
    for final in finals:
        value = worst if final.diverged else final.value
        if value is not None:
            found[final.method][final.search, final.seed] = value
    return found


def _finals(cell: Cell, measure: Measure) -> list[Final]:
    return [final for final in cell.finals if final.measure == measure.name]


def _pairs(cell: Cell, measure: Measure, values: Values) -> Iterable[Paired]:
    reference = values[cell.baseline]
    for method in cell.methods[1:]:
        shared = sorted(values[method].keys() & reference.keys())
        if not shared:
            continue
        yield Paired(
            method,
            measure,
            tuple(seed for _, seed in shared),
            # Rounded as in other tables, so that ties are ties.
            tuple(round(values[method][r] - reference[r], 9) for r in shared),
            cell=cell.name,
            searches=tuple(search for search, _ in shared),
            described=cell.descriptive or not cell.finished,
        )


def _row(
    cell: Cell,
    measure: Measure,
    method: str,
    values: Values,
    comparison: Comparison | None,
) -> Row:
    of_method, reference = values[method], values[cell.baseline]
    finals = [f for f in _finals(cell, measure) if f.method == method]
    shared = sorted(of_method.keys() & reference.keys())
    better = 1 if measure.rising else -1
    tried = [one for one in cell.tried if one.method == method]
    ran = [one.trial for one in finals if one.trial is not None and one.trial.done]
    seconds = [trial.seconds for trial in ran if trial.seconds is not None]
    return Row(
        cell.name,
        method,
        measure,
        of_method,
        mean_interval(list(of_method.values())) if of_method else None,
        {
            search: mean_interval(found)
            for search in cell.searches
            if (found := [v for (s, _), v in of_method.items() if s == search])
        },
        comparison,
        probability_of_superiority([better * v for v in comparison.values])
        if comparison
        else None,
        probability_of_superiority_unpaired(
            [better * of_method[r] for r in shared],
            [better * reference[r] for r in shared],
        )
        if len(shared) > 1
        else None,
        {
            search: choice
            for search in cell.searches
            if (choice := cell.choices.get((method, search, measure.name)))
        },
        {
            search: sites
            for search in cell.searches
            if (sites := _noise([f for f in finals if f.search == search]))
        },
        median(seconds) if seconds else None,
        None,
        None,
        dict(Counter(one.search for one in tried if one.trial is not None)),
        sum(one.trial.seconds or 0.0 for one in tried if one.trial is not None),
        len(cell.searches) * cell.replicates,
        tuple((one.search, one.seed) for one in finals if one.diverged),
        _unfinished(cell, finals),
    )


def _unfinished(cell: Cell, finals: Sequence[Final]) -> dict[str, int]:
    found = Counter(final.status for final in finals if not final.over)
    # Without its choice a run is not even known by its setting.
    unknown = len(cell.searches) * cell.replicates - len(finals)
    return dict(found + Counter({"missing": max(0, unknown)}))


def _beside(row: Row, baseline: Row) -> Row:
    """The row with what training costs, beside the baseline."""
    if not row.seconds or not baseline.seconds:
        return row
    cost = row.seconds / baseline.seconds
    if row.comparison is None:
        return replace(row, cost=cost)
    gain = row.comparison.interval.mean * (1 if row.measure.rising else -1)
    return replace(row, cost=cost, gain_per_minute=60 * gain / row.seconds)


def _noise(finals: Sequence[Final]) -> tuple[Site, ...]:
    """The noise of one search's choice, at the epoch of the tested parameters."""
    return trained_noise([_at_tested_epoch(f) for f in finals if f.value is not None])


def _at_tested_epoch(final: Final) -> Trial:
    assert final.trial is not None
    noise = final.trial.sets[SET_OF[final.measure]].noise
    return replace(final.trial, noise=noise) if noise else final.trial
