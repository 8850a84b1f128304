# SPDX-License-Identifier: Apache-2.0
"""What runs show beside a claim: a description, of which nothing is concluded."""

from __future__ import annotations

import functools
from typing import NamedTuple

from dropout_jax.evaluation.statistics import Interval, mean_interval, percent_right
from dropout_jax.reports.numbers import bracketed, signed
from dropout_jax.sweeps import Ledger
from experiments import evidence
from experiments.claims import BEARING


class Beside(NamedTuple):
    """The difference in test accuracy of two arms over paired seeds, arm less other.

    Attributes:
      gain: mean in points with its 95 % interval.
      higher: seeds in which the arm is higher.
      lower: seeds in which it is lower.
      seeds: paired seeds.
    """

    gain: Interval
    higher: int
    lower: int
    seeds: int

    def __str__(self) -> str:
        counts = f"higher in {self.higher} of {self.seeds} seeds"
        if self.higher + self.lower < self.seeds:
            counts += f", lower in {self.lower}"
        return f"{bracketed(self.gain, signed)} points, {counts}"


def seen(entry: str) -> tuple[str, str]:
    """Returns the study of an entry of `Claim.seen`, and what it shows.

    Args:
      entry: "E19: one arm over another", of an experiment or a study in results/; or
        "E11: name of a check", one that describes or estimates.

    Raises:
      ValueError: there is no such study, arm or check, or the arms share no seed.

    Example:
      >>> seen("E19: dropout 5000 over none 5000")[1]
      'dropout 5000 over none 5000: +0.99 [+0.79, +1.19] points, higher in 5 of 5 seeds'
    """
    name, _, what = entry.partition(": ")
    for check in (evidence.found(name) or {"checks": []})["checks"]:
        if check["name"] == what:
            if check["kind"] in BEARING:
                raise ValueError(f"{entry} can bear a verdict: give it in `shown`")
            words = (what, check["says"], f"{check['found']}; {check['verdict']}")
            return name, ": ".join(words)
    arm, _, other = what.partition(" over ")
    return name, f"{what}: {beside(name, arm, other)}"


def beside(name: str, arm: str, other: str) -> Beside:
    """Returns the difference of two arms of a study over the seeds that both have.

    Raises:
      ValueError: there is no such study or arm, or the arms share no seed.
    """
    known = accuracies(name)
    for one in (arm, other):
        if one not in known:
            raise ValueError(f"{name} has no arm {one!r}, but {', '.join(known)}")
    seeds = sorted(known[arm].keys() & known[other].keys())
    if not seeds:
        raise ValueError(f"{name}: {arm!r} and {other!r} share no seed")
    gains = [known[arm][seed] - known[other][seed] for seed in seeds]
    higher, lower = (sum(sign * gain > 0 for gain in gains) for sign in (1, -1))
    return Beside(mean_interval(gains), higher, lower, len(gains))


@functools.cache
def accuracies(name: str) -> dict[str, dict[int, float]]:
    """Returns the test accuracy in percent by arm and seed.

    Runs without a test result, such as those that diverged, and withdrawn ones are
    left out.

    Raises:
      ValueError: there is no such study.
    """
    if name in evidence.experiments():
        lines = evidence.ledger_lines(name, quick=False)
    else:
        path = evidence.ROOT / "results" / f"{name}.jsonl"
        lines = [*Ledger(path).by_trial().values()]
    if not lines:
        raise ValueError(f"there is no study {name!r} with any run in results/")
    found: dict[str, dict[int, float]] = {}
    for line in lines:
        test = line["result"].get("test")
        if test and "withdrawn" not in line:
            arm = found.setdefault(line["arm"], {})
            count = line["result"].get("test_count")
            arm[line["seed"]] = percent_right(test["accuracy"], count)
    return found
