# SPDX-License-Identifier: Apache-2.0
"""Whether each method of a cell is trained to convergence, by validation alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from dropout_jax.evaluation.statistics import Interval, paired_difference
from dropout_jax.sweeps.choices import Choices, Line, values
from dropout_jax.sweeps.protocol import ACCURACY, NLL, Protocol
from dropout_jax.sweeps.stages import LONGER, Run


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the gate says of one method.

    Attributes:
      points: change of the accuracy after the last epoch with more epochs, at the
        setting for "accuracy", percentage points; None if a run did not end well.
      nll: the same of the least NLL, at the setting for "nll", nats.
      start: largest distance between starts of a learned noise parameter's mean after
        the last epoch; None for a method without starts.
      failures: why the method does not count as converged, in words.
      depends: how the learned noise depends on its start, in words; "" where it does
        not. It does not decide whether the method has passed.
    """

    points: Interval | None
    nll: Interval | None
    start: float | None
    failures: tuple[str, ...]
    depends: str = ""

    @property
    def passed(self) -> bool:
        """Whether the method counts as converged: more epochs change little."""
        return not self.failures


def verdicts(
    protocol: Protocol, choices: Choices, line_of: Callable[[Run], Line]
) -> dict[str, Verdict]:
    """Returns the verdict on each method of a cell.

    A mean change must be smaller than its tolerance in size, whatever its sign: an
    accuracy that falls when training goes on has not converged either. Intervals are
    t intervals over the paired seeds.

    Args:
      protocol: the comparison.
      choices: of the cell.
      line_of: run -> its line in the ledger of the gate.
    """
    return {
        method: _verdict(protocol, choices, method, line_of)
        for method in protocol.methods
    }


def _verdict(protocol, choices, method, line_of) -> Verdict:
    gate, failures = protocol.gate, []
    changes: dict[str, Interval | None] = {}
    for answer in (ACCURACY, NLL):
        setting = choices.pooled[method, answer]
        same, longer = (
            [line_of(Run(setting, seed, variant)) for seed in gate.seeds]
            for variant in ("", LONGER)
        )
        changes[answer] = None
        if lost := sum(line["result"]["status"] != "done" for line in same + longer):
            failures.append(f"{lost} of {2 * len(same)} runs for {answer} diverged")
            continue
        scale = 100 if answer == ACCURACY else 1
        now, then = (
            [scale * getattr(values(line), answer) for line in lines]
            for lines in (longer, same)
        )
        changes[answer] = paired_difference(now, then)
    times = f"with {gate.factor} times the epochs"
    if (change := changes[ACCURACY]) and not abs(change.mean) < gate.points:
        failures.append(
            f"accuracy changes by {change.mean:+.2f} points {times}, allowed is less "
            f"than {gate.points:g}"
        )
    if (change := changes[NLL]) and not abs(change.mean) < gate.nll:
        failures.append(
            f"NLL changes by {change.mean:+.4f} {times}, allowed is less than "
            f"{gate.nll:g}"
        )
    start, depends = None, ""
    if starts := protocol.methods[method].starts:
        setting = choices.pooled[method, ACCURACY]
        ends = {
            name: [line_of(Run(setting, seed, name)) for seed in gate.seeds]
            for name in starts
        }
        start = _distance(ends)
        if start is None:
            depends = "a start diverged, or learns no noise"
        elif not start < gate.start:
            depends = (
                f"learned noise ends {start:.2f} apart from the starts "
                f"{', '.join(starts)}, allowed is less than {gate.start:g}"
            )
    return Verdict(changes[ACCURACY], changes[NLL], start, tuple(failures), depends)


def _distance(ends: Mapping[str, list[Line]]) -> float | None:
    """Returns how far apart learned noise ends, or None if there is nothing to say."""
    lines = [line for found in ends.values() for line in found]
    paths = lines[0]["noise"].keys()
    if not paths or any(line["result"]["status"] != "done" for line in lines):
        return None

    def spread(path: str) -> float:
        of_start = ([line["noise"][path] for line in found] for found in ends.values())
        means = [sum(numbers) / len(numbers) for numbers in of_start]
        return max(means) - min(means)

    return max(map(spread, paths))
