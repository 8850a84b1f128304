# SPDX-License-Identifier: Apache-2.0
"""Runs experiments and says what they found.

python -m experiments.run list
python -m experiments.run E05 E06
python -m experiments.run all --quick

The results go to results/evidence and docs/evidence; with --quick, which takes less of
everything, to build/evidence; some statements are not decided then. The exit code is 1
if an identity or a measurement does not hold, or a test does not show what it asks;
descriptions and estimates decide nothing. `today` stands for a few experiments, others
every day, all of them within a week.
"""

import datetime
import sys
import time
from collections.abc import Sequence
from typing import Any

from dropout_jax.config.arguments import Parser
from dropout_jax.config.guard import guarded
from dropout_jax.reports.figures import style
from dropout_jax.terminal import Console
from experiments import evidence

DAYS = 7  # within which `today` has been all experiments


def chosen(names: list[str]) -> list[str]:
    """Returns the ids that are meant."""
    known = list(evidence.experiments())
    if names == ["all"]:
        return known
    if names == ["today"]:
        return known[datetime.date.today().toordinal() % DAYS :: DAYS]
    return names


def undecided(check: dict[str, Any]) -> str:
    """Returns the word for what is not decided: in quick form, or by its kind."""
    return "not decided" if check["holds"] is not None else check["verdict"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = Parser(
        "python -m experiments.run", "Runs experiments and says what they found."
    )
    parser.add_argument("names", nargs="+", metavar="E05|all|today|list")
    parser.add_argument(
        "--quick", action="store_true", help="less of everything, into build/evidence"
    )
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    if options.names == ["list"]:
        for name in evidence.experiments():
            console.print(f"{name}  {evidence.load(name).question}")
        return 0
    names, held = chosen(options.names), True
    for experiment in [evidence.load(name) for name in names]:
        console.print(f"{experiment.id}  {experiment.question}")
        begun = time.monotonic()
        with style():
            findings = experiment.run(options.quick)
            record = evidence.store(
                experiment, findings, time.monotonic() - begun, quick=options.quick
            )
        for check in record["checks"]:
            word = check["verdict"] if check["decided"] else undecided(check)
            console.print(f"  {word}: {check['name']}", markup=False)
            said = f"{check['kind']}: {check['found']} ({check['rule']})"
            console.print(f"    {said}", markup=False)
            held &= check["holds"] is not False or not check["decided"]
        place = evidence.pictures(quick=options.quick) / f"{experiment.id}.md"
        console.print(f"  {record['seconds']:g} s; {place}", markup=False)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(guarded(main))
