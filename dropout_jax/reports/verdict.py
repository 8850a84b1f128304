# SPDX-License-Identifier: Apache-2.0
"""One sentence: which method wins, by how much, how sure."""

from typing import NamedTuple

from dropout_jax.evaluation.power import TELLING_FROM
from dropout_jax.reports.numbers import points, signed
from dropout_jax.reports.table import Difference, Table


class _Rival(NamedTuple):
    """A method, its name set apart from the prose ("none" is a method here)."""

    name: str
    difference: Difference

    @property
    def pairs(self) -> int:
        return len(self.difference.seeds)

    @property
    def mean(self) -> float:
        return self.difference.interval.mean

    @property
    def low(self) -> float:
        return self.difference.interval.low

    @property
    def high(self) -> float:
        return self.difference.interval.high


def verdict(table: Table) -> str:
    """The clauses of the result as one sentence of plain text."""
    return "; ".join(clauses(table)) + "."


def clauses(table: Table) -> list[str]:
    """States the result of a table, with its sign and its doubt.

    A method *wins* over the baseline when its difference stays above zero after
    allowing for all the comparisons made: by the Holm-adjusted p-value from 10 paired
    seeds, by the joint interval under 10; under 3 nothing is claimed.
    Where only its own interval excludes zero it *probably* beats the baseline. The
    baseline wins when every other method's interval lies below zero. Otherwise no
    winner is named.

    Args:
      table: what `tabulate` returned.

    Returns:
      Clauses of plain text: the answer first, then what qualifies it.
    """
    rivals = [
        _Rival(_quoted(row.arm), row.difference) for row in table.rows if row.difference
    ]
    rivals.sort(key=lambda rival: rival.mean, reverse=True)
    judged = [rival for rival in rivals if rival.pairs >= TELLING_FROM]
    few = [rival for rival in rivals if rival.pairs < TELLING_FROM]
    if judged:
        found = _judgement(table, judged)
        if few:
            found.append(f"not judged, with {_most(few)}: {_names(few)}")
    elif few:
        found = [_order_only(few, _quoted(table.baseline))]
    else:
        found = [_nothing_paired(table)]
    return found + _losses(table)


def _quoted(arm: str) -> str:
    return f"‘{arm}’"


def _names(rivals: list[_Rival]) -> str:
    return ", ".join(rival.name for rival in rivals)


def _judgement(table: Table, judged: list[_Rival]) -> list[str]:
    """What the intervals allow to be said."""
    best, baseline = judged[0], _quoted(table.baseline)
    if best.mean <= 0:
        return _baseline_on_top(judged, baseline)
    facts = f"{points(best.mean)} of test accuracy {_certainty(best)}"
    family = f"allowing for the {len(judged)} comparisons made"
    if best.difference.established:
        also = f", also after {family}" if len(judged) > 1 else ""
        claim = f"{best.name} wins over {baseline}: {facts}, above zero{also}"
        return [claim, *_lead(table, judged), *_below(judged, baseline)]
    if best.low > 0:
        claim = (
            f"{best.name} probably beats {baseline}: {facts}, "
            f"above zero by itself but no longer after {family}"
        )
    else:
        claim = (
            f"No method is shown to beat {baseline}: the highest, {best.name}, is at "
            f"{facts}, which does not exclude zero"
        )
    return [claim, *_below(judged, baseline)]


def _certainty(rival: _Rival) -> str:
    p_value = rival.difference.p_value
    p_text = "" if p_value is None else f", p = {p_value:.2g}"
    return (
        f"(95 % interval {signed(rival.low)} to {signed(rival.high)}, "
        f"{len(rival.difference.seeds)} paired seeds{p_text})"
    )


def _baseline_on_top(judged: list[_Rival], baseline: str) -> list[str]:
    best = judged[0]
    facts = f"{best.name}, at {points(best.mean)} of test accuracy {_certainty(best)}"
    undecided = [rival for rival in judged if rival.high >= 0]
    if not undecided:
        return [
            f"{baseline} wins: every other method is below it with an interval that "
            f"excludes zero, the nearest being {facts}"
        ]
    return [
        f"No method has a higher mean than {baseline}: the nearest is {facts}",
        f"not told apart from {baseline}: {_names(undecided)}",
        *_below(judged, baseline),
    ]


def _below(judged: list[_Rival], baseline: str) -> list[str]:
    below = ", ".join(f"{r.name} ({signed(r.mean)})" for r in judged if r.high < 0)
    if not below:
        return []
    return [f"below {baseline}, with intervals that exclude zero: {below}"]


def _lead(table: Table, judged: list[_Rival]) -> list[str]:
    """The winner against the runner-up, unless that is the baseline."""
    if table.lead is None or judged[1].mean <= 0:
        return []
    mean, low, high = table.lead.interval
    return [
        f"its lead over the runner-up, {judged[1].name}, is {points(mean)} "
        f"({signed(low)} to {signed(high)}), which "
        f"{'excludes' if low > 0 else 'does not exclude'} zero"
    ]


def _order_only(few: list[_Rival], baseline: str) -> str:
    """Too few paired seeds each: an order, and no claim."""
    best = few[0]
    if best.mean > 0:
        order = f"{best.name} came out highest, {points(best.mean)} against {baseline}"
    elif best.mean < 0:
        order = f"{baseline} came out highest, {best.name} next at {points(best.mean)}"
    else:
        order = f"{best.name} and {baseline} came out equal"
    most = _most(few)
    return f"{most[0].upper()}{most[1:]} cannot tell a difference from chance: {order}"


def _most(few: list[_Rival]) -> str:
    pairs = max(rival.pairs for rival in few)
    return "one paired seed" if pairs == 1 else f"{pairs} paired seeds"


def _nothing_paired(table: Table) -> str:
    means = {row.arm: row.accuracy.mean for row in table.rows if row.accuracy}
    if not means:
        return "No run has finished, so there is nothing to compare"
    top = max(means, key=lambda arm: means[arm])
    if len(means) == 1:
        return f"Only {_quoted(top)} has results ({means[top]:.2f} % of test accuracy)"
    return (
        f"No method shares a finished seed with {_quoted(table.baseline)}, so nothing "
        f"can be compared; the highest mean is {means[top]:.2f} %, of {_quoted(top)}"
    )


def _losses(table: Table) -> list[str]:
    lost: dict[str, int] = {}
    for row in table.rows:
        for status, count in row.lost.items():
            lost[status] = lost.get(status, 0) + count
    if not lost:
        return []
    total = sum(lost.values()) + sum(len(row.seeds) for row in table.rows)
    parts = " and ".join(f"{count} {status}" for status, count in lost.items())
    return [f"of {total} runs {parts}, not averaged"]
