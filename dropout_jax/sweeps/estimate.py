# SPDX-License-Identifier: Apache-2.0
"""How long the rest of a study takes, by the trials that are finished: one estimate."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dropout_jax.sweeps.trials import Trial

UNKNOWN = "no estimate yet"


def work(values: Mapping[str, Any]) -> int:
    """Returns what a configuration asks for, in images: epochs times training images.

    Example:
      >>> work({"train": {"epochs": 2}, "data": {"train_size": 1000}})
      2000
    """
    return values["train"]["epochs"] * values["data"]["train_size"]


@dataclasses.dataclass(frozen=True)
class Pace:
    """How fast trials went.

    Attributes:
      seconds: per image of all trials together, a trial's share of its group; None
        while none is finished.
      by_arm: the same for each arm that has finished trials.
    """

    seconds: float | None
    by_arm: Mapping[str, float]

    def of(self, trial: Trial) -> float:
        """Returns the seconds that a trial takes, by its arm or else by all."""
        assert self.seconds is not None
        return work(trial.values) * self.by_arm.get(trial.arm, self.seconds)


def pace(trials: Iterable[Trial], lines: Mapping[str, Mapping[str, Any]]) -> Pace:
    """Returns how fast the trials went that have a line, however they ended.

    Args:
      trials: of a study, or of several that compute alike.
      lines: of their ledgers, by trial.
    """
    spent: dict[str, tuple[float, int]] = {}
    for trial in trials:
        if trial.id in lines:
            seconds, images = spent.get(trial.arm, (0.0, 0))
            seconds += lines[trial.id]["result"]["seconds"]
            spent[trial.arm] = seconds, images + work(trial.values)
    total = [sum(column) for column in zip(*spent.values(), strict=True)]
    return Pace(
        total[0] / total[1] if total else None,
        {arm: seconds / images for arm, (seconds, images) in spent.items()},
    )


def seconds_left(
    found: Pace,
    left: Sequence[Trial],
    *,
    workers: int,
    lanes: int = 1,
    begun: Mapping[str, float] | None = None,
) -> float | None:
    """Returns the seconds until some trials are finished; None while nothing is known.

    The seconds in a ledger are a trial's share of its group's, so that lanes are
    counted already: what is left is divided among the processes that have work.

    Args:
      found: how fast the trials before went.
      left: those that are not finished.
      workers: number of processes at work.
      lanes: how many trials train in step at most, in one process.
      begun: by trial, the share of it that is done.

    Example:
      >>> seconds_left(Pace(None, {}), [], workers=2)
      0.0
    """
    if not left:
        return 0.0
    if found.seconds is None:
        return None
    each = [found.of(trial) * (1 - (begun or {}).get(trial.id, 0.0)) for trial in left]
    groups = -(-len(left) // lanes)
    # The last one to end is no faster for the others' being done.
    return max(sum(each) / max(1, min(workers, groups)), max(each))


def told(seconds: float | None) -> str:
    """Returns how long something takes, in words.

    Example:
      >>> told(None), told(42), told(600), told(9000)
      ('no estimate yet', 'about 42 s', 'about 10 min', 'about 2.5 h')
    """
    if seconds is None:
        return UNKNOWN
    if seconds < 100:
        return f"about {seconds:.0f} s"
    if seconds < 6000:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def left_in_words(seconds: float | None) -> str:
    """Returns how long something still takes, in words.

    Example:
      >>> left_in_words(None), left_in_words(600)
      ('no estimate yet', 'about 10 min left')
    """
    return UNKNOWN if seconds is None else f"{told(seconds)} left"
