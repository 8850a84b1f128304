# SPDX-License-Identifier: Apache-2.0
"""A table of results as a terminal table, as Markdown and as JSON."""

import html
import json
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from dropout_jax.config.errors import one_line
from dropout_jax.reports.numbers import (
    NOTHING,
    bracketed,
    duration,
    plus_minus,
    setting_text,
    signed,
)
from dropout_jax.reports.table import Row, Table
from dropout_jax.reports.verdict import verdict

RESULTS = 6  # columns that hold results; those that follow say how they came about


def columns(table: Table) -> list[str]:
    """Headings of the table, in the order of `cells`."""
    headings = [
        "method",
        "test accuracy, %",
        f"difference to {table.baseline}, points",
        "NLL",
        "ECE",
        "seeds",
    ]
    if _chosen(table):
        headings.append("setting, by validation")
    if _searched(table):
        headings.append("search trials")
    if _published(table):
        headings.append("published, %")
    return [*headings, "median time"]


def cells(table: Table, row: Row) -> list[str]:
    """One row as text: what every rendering shows."""
    shown = [
        row.arm,
        bracketed(row.accuracy),
        "baseline" if row.arm == table.baseline else _difference(row),
        plus_minus(row.nll, 3),
        plus_minus(row.ece, 4),
        _seeds(row),
    ]
    if _chosen(table):
        shown.append(setting_text(row.setting) or NOTHING)
    if _searched(table):
        budget = row.search_budget
        shown.append(NOTHING if budget is None else str(budget))
    if _published(table):
        shown.append(row.published or NOTHING)
    return [*shown, duration(row.seconds)]


def _chosen(table: Table) -> bool:
    return any(row.setting for row in table.rows)


def _searched(table: Table) -> bool:
    return any(row.search_budget is not None for row in table.rows)


def _published(table: Table) -> bool:
    return any(row.published for row in table.rows)


def _difference(row: Row) -> str:
    if row.difference is None:
        return NOTHING
    text = bracketed(row.difference.interval, signed)
    p_value = row.difference.p_value
    return text if p_value is None else f"{text} (p = {p_value:.2g})"


def _seeds(row: Row) -> str:
    lost = ", ".join(f"{count} {status}" for status, count in row.lost.items())
    return f"{len(row.seeds)} ({lost})" if lost else str(len(row.seeds))


@dataclass(frozen=True)
class TerminalTable:
    """The verdict, the table and its notes, for `rich.console.Console.print`.

    A terminal narrower than 116 columns is spared the columns after the seeds and
    the intervals of NLL and ECE. Names of methods are never read as markup.
    """

    table: Table

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        wide = options.max_width >= 116
        shown = len(columns(self.table)) if wide else RESULTS
        grid = RichTable(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
        for number, heading in enumerate(columns(self.table)[:shown]):
            grid.add_column(
                Text("\n".join(textwrap.wrap(heading, 14))),
                justify="left" if number == 0 else "right",
                no_wrap=heading != "seeds",
                min_width=5,
                overflow="fold",
            )
        for row in self.table.rows:
            name, *numbers = cells(self.table, row)[:shown]
            # An interval goes below its mean, so that most terminals hold the table.
            lines = [re.sub(r" (?=[\[(±])", "\n", number) for number in numbers]
            if not wide:
                lines = [line.partition("\n±")[0] for line in lines]
            style = "dim" if row.arm == self.table.baseline else ""
            grid.add_row(_text(name), *map(_text, lines), style=style)
        yield _text(verdict(self.table), style="bold")
        yield grid
        for note in self.table.notes:
            yield _text(note, style="dim")


def _text(lines: str, style: str = "") -> Text:
    """Returns lines from outside as text: markup and control characters say nothing."""
    return Text("\n".join(map(one_line, lines.split("\n"))), style=style)


def markdown(table: Table) -> str:
    """The verdict, the table and its notes as GitHub-flavoured Markdown."""
    results = grid(columns(table), [cells(table, row) for row in table.rows])
    notes = "\n".join(f"- {escaped(note)}" for note in table.notes)
    return f"**{escaped(verdict(table))}**\n\n{results}\n{notes}\n"


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A table of GitHub-flavoured Markdown that shows every cell as it is.

    Example:
      >>> print(grid(["method", "n"], [["a|b", "3"]]))
      | method | n |
      |---|---:|
      | a\|b | 3 |
      <BLANKLINE>
    """

    def line(values: Sequence[str]) -> str:
        return f"| {' | '.join(values)} |"

    rule = "|".join(["", "---", *["---:"] * (len(headings) - 1), ""])
    body = [line([_cell(value) for value in row]) for row in rows]
    return "\n".join([line([*map(escaped, headings)]), rule, *body]) + "\n"


def _cell(text: str) -> str:
    """A number with its interval is ours, and reads better with its brackets bare."""
    return text if _NUMBERS.fullmatch(text) else escaped(text)


_NUMBERS = re.compile(r"[-+−–±0-9., \[\]]+( \(p = [0-9.e-]+\))?")


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is: no cell break, no markup, no HTML.

    Example:
      >>> escaped("a|b")
      'a\\|b'
    """
    text = re.sub(r"[\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", text)
    return html.escape(text, quote=False)


def as_json(table: Table) -> str:
    """Every number of the table, unrounded, with the seeds behind it."""
    record = {"verdict": verdict(table), **asdict(table)}
    return json.dumps(_finite(record), indent=1, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    """NaN is not JSON: an interval that does not exist is null. Tuples by name."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if hasattr(value, "_asdict"):
        return _finite(value._asdict())
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
