# SPDX-License-Identifier: Apache-2.0
"""Writes docs/evidence/budget.md: how long this machine took for the experiments.

python -m experiments.budget

The seconds of trainings are in the ledgers, where other work ran beside many of them.
A quiet machine would have taken as long for each as for the fastest of its arm that
ran to its end, from which it differs by its seed alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dropout_jax.config.guard import guarded
from dropout_jax.files import write_atomically
from dropout_jax.reports.numbers import plain
from experiments import evidence
from experiments.claims.page import table

PATH = evidence.pictures(quick=False) / "budget.md"
AT_A_TIME = 2  # trainings, one on each core
HOUR = 3600.0
HEADINGS = ("experiment", "trials", "hours", "hours if quiet")


def hours(trained: Iterable[dict[str, Any]]) -> tuple[float, float]:
    """Returns the machine's hours for some trainings: taken, and if quiet.

    Args:
      trained: lines of ledgers. One that diverged counts as it was.
    """
    taken = quiet = 0.0
    ended: dict[str, list[float]] = {}
    for line in trained:
        seconds = line["result"]["seconds"]
        taken += seconds
        if line["result"]["status"] == "done":
            ended.setdefault(line["arm"], []).append(seconds)
        else:
            quiet += seconds
    quiet += sum(len(of_arm) * min(of_arm) for of_arm in ended.values())
    return taken / AT_A_TIME / HOUR, quiet / AT_A_TIME / HOUR


def line(name: str) -> tuple[int, float, float]:
    """Returns an experiment's trials, hours and hours if quiet.

    One without a ledger has what it took in all, on both cores.
    """
    if trained := evidence.ledger_lines(name, quick=False):
        return len(trained), *hours(trained)
    found = evidence.found(name)
    alone = 0.0 if found is None else found["seconds"] / HOUR
    return 0, alone, alone


def page(names: Sequence[str]) -> str:
    """Returns the page."""
    found = {name: line(name) for name in names}
    rows = [
        [f"[{name}]({name}.md)", str(count), plain(taken), plain(quiet)]
        for name, (count, taken, quiet) in found.items()
    ]
    count, taken, quiet = (sum(column) for column in zip(*found.values(), strict=True))
    rows.append(["all", f"{count:,}", plain(taken), plain(quiet)])
    return "\n".join(
        [
            "# What the experiments took\n",
            f"Hours of a machine with {AT_A_TIME} cores, {AT_A_TIME} trainings at a "
            "time: half of the seconds in the ledgers. Other work ran beside many "
            "trainings; the last column is what all would have taken had each been as "
            "fast as the fastest of its arm that ran to its end, from which it "
            "differs by its seed alone; one that diverged counts as it was. An "
            "experiment without trials, which may train within itself, counts in both "
            "columns as it was run, with whatever ran beside it; what others compute "
            "beside their trials does not count.\n",
            table(list(HEADINGS), rows),
            "`python -m experiments.budget` writes this page.",
            "",
        ]
    )


def main(path: Path = PATH) -> None:
    """Writes the page."""
    write_atomically(path, page(list(evidence.experiments())))


if __name__ == "__main__":
    sys.exit(guarded(main))
