# SPDX-License-Identifier: Apache-2.0
"""What the searches of a cell choose: a pure function of their results.

Each search chooses for each method twice, on validation alone: the setting of the
highest accuracy after the last epoch, for the answer "accuracy", and the setting of the
least NLL over the epochs, for the answer "nll". A setting's value is the mean over the
seeds of the search. A setting with a run that did not end well does not compete.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dropout_jax.config.errors import UserError
from dropout_jax.sweeps.protocol import (
    ACCURACY,
    ANSWERS,
    NLL,
    Protocol,
    Role,
    Setting,
)

Line = Mapping[str, Any]  # of a ledger
_NEGLIGIBLE = "lowest strength"  # the end that may be one of meaning
# Accuracies are float32: means that are equal by counts of images differ by less.
_DIGITS = 6


class Score(NamedTuple):
    """The values of a setting on validation, as means over seeds.

    Attributes:
      accuracy: fraction that is right after the last epoch.
      nll: least negative log-likelihood over the epochs, nats.
    """

    accuracy: float
    nll: float


@dataclasses.dataclass(frozen=True)
class Choice:
    """What one search has chosen for one method and answer.

    Attributes:
      setting: the point of the grid.
      score: its values.
      at_end: the ends of the grid that it lies on, such as "highest strength": there
        the grid may be too narrow.
    """

    setting: Setting
    score: Score
    at_end: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Choices:
    """All that follows from the searches of a cell.

    Attributes:
      by_role: the choice of each search, method and answer.
      pooled: by method and answer, the best over the seeds of all searches together;
        the gate judges it.
      curve: by answer, each strength of each method at its best learning rate for that
        answer, over the seeds of all searches. A strength that ended well at no
        learning rate is left out.
    """

    by_role: Mapping[Role, Choice]
    pooled: Mapping[tuple[str, str], Setting]
    curve: Mapping[str, tuple[Setting, ...]]

    def of_search(self, search: int) -> list[Setting]:
        """Returns what a search has chosen, each setting once."""
        chosen = (c.setting for r, c in self.by_role.items() if r.search == search)
        return list(dict.fromkeys(chosen))


def choose(
    protocol: Protocol, cell: str, line_of: Callable[[Setting, int], Line]
) -> Choices:
    """Returns what the searches of a cell choose.

    Of settings with equal values the one that is better for the other answer is
    chosen, then the earlier one of the grid.

    Args:
      protocol: the comparison.
      cell: name of the cell.
      line_of: (setting, seed) -> its line in the ledger of the search.

    Raises:
      UserError: no setting of a method ended well at all seeds.
    """

    def scores(method: str, seeds: Sequence[int]) -> dict[Setting, Score]:
        found = {}
        for setting in protocol.settings(cell, method):
            if (score := score_of([line_of(setting, s) for s in seeds])) is not None:
                found[setting] = score
        if not found:
            raise UserError(
                f"cell {cell!r}: no setting of method {method!r} ran to its end with "
                f"all of the seeds {', '.join(map(str, seeds))}: change its grid"
            )
        return found

    by_role = {}
    searches = protocol.cells[cell].searches
    for search, seeds in enumerate(searches):
        for method in protocol.methods:
            found = scores(method, seeds)
            for answer in ANSWERS:
                setting = best(found, answer)
                ends = at_end(protocol, cell, setting)
                choice = Choice(setting, found[setting], ends)
                by_role[Role(search, method, answer)] = choice
    pooled, curve = {}, {answer: [] for answer in ANSWERS}
    for method in protocol.methods:
        found = scores(method, [seed for seeds in searches for seed in seeds])
        pooled |= {(method, answer): best(found, answer) for answer in ANSWERS}
        for strength in protocol.strengths(cell, method):
            of_strength = {s: v for s, v in found.items() if s.strength == strength}
            if of_strength:
                for answer in ANSWERS:
                    curve[answer].append(best(of_strength, answer))
    return Choices(by_role, pooled, {a: tuple(found) for a, found in curve.items()})


def score_of(lines: Iterable[Line]) -> Score | None:
    """Returns the mean values of some runs; None if one of them did not end well."""
    lines = list(lines)
    if any(line["result"]["status"] != "done" for line in lines):
        return None
    each = [values(line) for line in lines]
    accuracy, nll = (sum(column) / len(each) for column in zip(*each, strict=True))
    return Score(round(accuracy, _DIGITS), nll)


def values(line: Line) -> Score:
    """Returns the values of one run that is done."""
    sets = line["sets"]
    return Score(
        sets["last"]["validation"]["accuracy"], sets["least_nll"]["validation"]["nll"]
    )


def best(scores: Mapping[Setting, Score], answer: str) -> Setting:
    """Returns the setting that is best for an answer; of equals see `choose`.

    Example:
      >>> weak, strong = Setting("a", 0.1, 1.0), Setting("a", 0.2, 1.0)
      >>> scores = {weak: Score(0.8, 0.5), strong: Score(0.8, 0.4)}
      >>> best(scores, "accuracy").strength
      0.2
    """

    def rank(setting: Setting) -> tuple[float, float]:
        accuracy, nll = scores[setting]
        return (accuracy, -nll) if answer == ACCURACY else (-nll, accuracy)

    return max(scores, key=rank)  # the first of equals


def at_end(protocol: Protocol, cell: str, setting: Setting) -> tuple[str, ...]:
    """Returns the ends of the grid that a setting lies on, in words.

    A grid of one value has no ends: nothing was chosen there.
    """
    grids = {
        "strength": (setting.strength, protocol.strengths(cell, setting.method)),
        "learning rate": (
            setting.learning_rate,
            protocol.learning_rates(cell, setting.method),
        ),
    }
    return tuple(
        f"{end} {name}"
        for name, (value, grid) in grids.items()
        for end, place in (("lowest", 0), ("highest", -1))
        if len(grid) > 1 and value == grid[place]
    )


def cut_off(protocol: Protocol, choices: Choices) -> list[str]:
    """Returns the choices that a wider grid might change, in words.

    These are the choices at an end of a grid, but for the lowest strength of a method
    whose lowest strength is `negligible`.

    Args:
      protocol: the comparison.
      choices: of one of its cells.
    """
    return [
        f"{role.method}, search {role.search + 1}, {role.answer}: {end}"
        for role, choice in choices.by_role.items()
        for end in choice.at_end
        if not (end == _NEGLIGIBLE and protocol.methods[role.method].negligible)
    ]


def widest(protocol: Protocol, cell: str) -> Choices:
    """Returns choices of which no later stage has more runs than of these.

    By them the work that is left is bounded before the searches have ended.
    """
    by_role, pooled, curve = {}, {}, {answer: [] for answer in ANSWERS}
    for method in protocol.methods:
        grid = protocol.settings(cell, method)
        for answer, setting in zip(ANSWERS, (grid[0], grid[-1]), strict=True):
            pooled[method, answer] = setting
            for search in range(len(protocol.cells[cell].searches)):
                role = Role(search, method, answer)
                by_role[role] = Choice(setting, Score(0.0, 0.0), ())
        for strength in protocol.strengths(cell, method):
            of_strength = [s for s in grid if s.strength == strength]
            curve[ACCURACY].append(of_strength[0])
            curve[NLL].append(of_strength[-1])
    return Choices(by_role, pooled, {a: tuple(found) for a, found in curve.items()})
