# SPDX-License-Identifier: Apache-2.0
"""What a user sees of a protocol's course: choices, the gate, and what is left."""

from __future__ import annotations

from rich.console import Console

from dropout_jax.evaluation.statistics import Interval
from dropout_jax.sweeps import estimate
from dropout_jax.sweeps.choices import Choice
from dropout_jax.sweeps.course import Course
from dropout_jax.sweeps.gate import Verdict
from dropout_jax.sweeps.protocol import STAGES
from dropout_jax.terminal import Grid, say


def show_choices(course: Course, cell: str, console: Console) -> None:
    """Prints what each search of a cell has chosen; nothing before its end.

    Values at an end of the method's grid say so.
    """
    choices = course.choices(cell)
    if choices is None:
        return
    headings = ("strength", "learning rate", "validation accuracy", "NLL")
    first = ("method", "answer", "search")
    table = Grid(*first, *headings, title=f"choices of {cell}")
    for role, choice in sorted(
        choices.by_role.items(),
        key=lambda item: (list(course.protocol.methods).index(item[0].method), item[0]),
    ):
        table.add_row(
            role.method,
            role.answer,
            str(role.search + 1),
            _placed("strength", choice.setting.strength, choice),
            _placed("learning rate", choice.setting.learning_rate, choice),
            f"{100 * choice.score.accuracy:.2f} %",
            f"{choice.score.nll:.4f}",
        )
    console.print(table)


def _placed(name: str, value: float | None, choice: Choice) -> str:
    ends = [end.partition(" ")[0] for end in choice.at_end if end.endswith(f" {name}")]
    return " ".join([*([] if value is None else [f"{value:g}"]), *ends])


def show_gate(course: Course, cell: str, console: Console) -> None:
    """Prints the verdict of the gate on each method; nothing before its end."""
    verdicts = course.verdicts(cell)
    if verdicts is None:
        return
    factor = course.protocol.gate.factor
    headings = ("method", "accuracy, points", "NLL", "starts apart", "converged")
    table = Grid(*headings, title=f"gate of {cell}: {factor} times the epochs")
    for method, verdict in verdicts.items():
        table.add_row(
            method,
            _shown(verdict.points, 2),
            _shown(verdict.nll, 4),
            _starts(verdict),
            "yes" if verdict.passed else "no: " + "; ".join(verdict.failures),
        )
    console.print(table)


def _starts(verdict: Verdict) -> str:
    if verdict.depends or verdict.start is None:
        return verdict.depends
    return f"{verdict.start:.2f}"


def _shown(change: Interval | None, digits: int) -> str:
    if change is None:
        return "diverged"
    mean, low, high = (f"{number:+.{digits}f}" for number in change)
    return f"{mean} [{low}, {high}]"


def show_left(course: Course, workers: int, console: Console) -> None:
    """Prints for each stage of each cell what is done, and how long the rest takes.

    The time is that of the cell's finished runs, image for image. A stage whose runs
    follow from choices that are not made yet has at most (<=) so many.

    Args:
      course: the protocol and its files.
      workers: number of processes among which the time is divided.
      console: where to.
    """
    table = Grid("cell", *STAGES, "minutes left", title="done of all trials")
    total, unknown = 0.0, []
    for cell in course.protocol.cells:
        stages = [course.left(cell, stage) for stage in STAGES]
        seconds = [stage.seconds for stage in stages]
        known = sum(each or 0.0 for each in seconds) / workers
        total += known
        if None in seconds:
            unknown.append(cell)
        table.add_row(
            cell,
            *(
                f"{s.trials - s.left} of {'' if s.known else '<= '}{s.trials}"
                for s in stages
            ),
            "?" if cell in unknown else f"{known / 60:.1f}",
        )
    console.print(table)
    rest = f"; {estimate.UNKNOWN} of {', '.join(unknown)}" if unknown else ""
    if not total and not unknown:
        say(console, "nothing is left")
    elif len(unknown) == len(course.protocol.cells):
        say(console, estimate.UNKNOWN)
    else:
        processes = "1 process" if workers == 1 else f"{workers} processes"
        say(console, f"{estimate.told(total)} left with {processes}{rest}")
