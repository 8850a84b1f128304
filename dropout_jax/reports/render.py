# SPDX-License-Identifier: Apache-2.0
"""A table of results as a terminal table, as Markdown and as JSON."""

import functools
import html
import json
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from dropout_jax.config.errors import one_line
from dropout_jax.evaluation.comparison import Comparison, Measure, Outcome
from dropout_jax.reports.noise import noise_text
from dropout_jax.reports.numbers import (
    NOTHING,
    bracketed,
    counted,
    difference,
    duration,
    ends,
    p_text,
    plus_minus,
    setting_text,
)
from dropout_jax.reports.phrases import NOUNS
from dropout_jax.reports.table import Row, Table
from dropout_jax.reports.verdict import sentences, verdict
from dropout_jax.terminal import Grid

VERDICTS = {
    Outcome.HIGHER: "higher",
    Outcome.LOWER: "lower",
    Outcome.EQUIVALENT: "equivalent",
    Outcome.UNDECIDED: "no significant difference",
    Outcome.DISAGREE: "the searches disagree",
    Outcome.DESCRIPTIVE: "descriptive",
}
_MEANS = {"accuracy": "test accuracy, %", "nll": "NLL, nats"}


class Part(NamedTuple):
    """A part of the table as text: what every rendering shows.

    Attributes:
      caption: what is in it.
      headings: of its columns, the method first.
      rows: cells, one list per method.
    """

    caption: str
    headings: list[str]
    rows: list[list[str]]


def parts(table: Table) -> list[Part]:
    """The comparisons by each measure, then what stands beside them."""
    return [*(_compared(table, m) for m in table.measures), _beside(table)]


def _compared(table: Table, measure: Measure) -> Part:
    unit, name = measure.unit, measure.name
    found = table.comparisons(measure)
    tested = any(c.p_value is not None for c in found)
    headings = ["method", _MEANS[name]]
    if found:
        headings += [
            f"difference to {table.baseline}, {unit}",
            f"interval corrected for {counted(table.family, 'comparison')}",
            "seeds in which it is higher",
        ]
    if tested:
        headings += [f"minimum detectable effect, {unit}", "p, corrected", "verdict"]
    rows = []
    for row in table.rows:
        mean = bracketed(row.accuracy) if name == "accuracy" else plus_minus(row.nll, 3)
        cells = _cells(row.comparisons.get(name))
        if row.arm == table.baseline:
            cells[0] = "baseline"
        rows.append([row.arm, mean, *cells][: len(headings)])
    caption = f"{NOUNS[name].capitalize() if name == 'accuracy' else NOUNS[name]}"
    kind = table.accuracy_set if name == "accuracy" else table.probability_set
    return Part(f"{caption}, parameters {kind}", headings, rows)


def _cells(found: Comparison | None) -> list[str]:
    """A comparison as cells."""
    if found is None:
        return [NOTHING] * 6
    write = functools.partial(difference, measure=found.measure)
    detectable = found.detectable
    return [
        bracketed(found.interval, write),
        ends(found.corrected, write),
        f"{found.seeds_higher} of {len(found.seeds)}",
        _effect(detectable, write),
        p_text(found.p_value),
        _judged(found),
    ]


def _effect(value: float | None, write: Callable[[float], str]) -> str:
    if value is None or math.isinf(value):
        return NOTHING
    return write(value).removeprefix("+")


def _judged(found: Comparison) -> str:
    significant = found.outcome in (Outcome.HIGHER, Outcome.LOWER)
    within = ", within the margin" if significant and found.within_margin else ""
    return VERDICTS[found.outcome] + within


def _beside(table: Table) -> Part:
    """Calibration, noise, and what the runs took."""
    compared = {measure.name for measure in table.measures}
    columns: dict[str, Callable[[Row], str]] = {"method": lambda row: row.arm}
    if "accuracy" not in compared:  # nothing was tested
        columns["test accuracy, %"] = lambda row: bracketed(row.accuracy)
    if "nll" not in compared:
        columns["NLL, not compared"] = lambda row: plus_minus(row.nll, 3)
    columns["ECE"] = lambda row: plus_minus(row.ece, 4)
    columns["Brier score"] = lambda row: plus_minus(row.brier, 4)
    columns["noise at the end"] = lambda row: noise_text(row.noise) or NOTHING
    columns["seeds"] = _seeds
    if any(row.setting for row in table.rows):
        columns["setting, by validation"] = lambda row: (
            setting_text(row.setting) or NOTHING
        )
    if any(row.search_budget is not None for row in table.rows):
        columns["search trials"] = lambda row: (
            NOTHING if row.search_budget is None else str(row.search_budget)
        )
    if any(row.published for row in table.rows):
        columns["published, %"] = lambda row: row.published or NOTHING
    columns["median time"] = lambda row: duration(row.seconds)
    rows = [[write(row) for write in columns.values()] for row in table.rows]
    caption = (
        f"Calibration of the parameters {table.probability_set}; noise and cost of "
        "the whole run"
    )
    if not table.probability_set:
        caption = "Calibration, noise and cost"
    return Part(caption, list(columns), rows)


def _seeds(row: Row) -> str:
    unfinished = ", ".join(f"{n} {status}" for status, n in row.unfinished.items())
    count = str(len(row.seeds))
    return f"{count} ({unfinished})" if unfinished else count


@dataclass(frozen=True)
class TerminalTable:
    """The verdict, the table and its notes, for `rich.console.Console.print`.

    What a terminal has no room for beside the rest stands below. Names of methods are
    never read as markup.
    """

    table: Table

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield _text(verdict(self.table), style="bold")
        for part in parts(self.table):
            yield _text(f"\n{part.caption}")
            yield self._grid(part)
        for note in self.table.notes:
            yield _text(note, style="dim")

    def _grid(self, part: Part) -> Grid:
        grid = Grid(
            *("\n".join(textwrap.wrap(heading, 14)) for heading in part.headings),
            justify="right",
            box=box.SIMPLE_HEAD,
            collapse_padding=True,
            pad_edge=False,
        )
        for row in part.rows:
            cells = [_stacked(h, c) for h, c in zip(part.headings, row, strict=True)]
            grid.add_row(*cells, style="dim" if row[0] == self.table.baseline else "")
        return grid


def _stacked(heading: str, cell: str) -> str:
    """A cell in short lines, so that most terminals hold the table."""
    if heading == "method":
        return cell
    if heading.startswith("noise"):  # a line for each site
        return re.sub(r"(?<=[:,;]) ", "\n", cell)
    if heading == "verdict":
        return re.sub(r"(?<=significant) |(?<=,) ", "\n", cell)
    # An interval goes below its mean.
    return re.sub(r" (?=[\[(±])", "\n", cell)


def _text(lines: str, style: str = "") -> Text:
    """Returns lines from outside as text: markup and control characters say nothing."""
    return Text("\n".join(map(one_line, lines.split("\n"))), style=style)


def markdown(table: Table) -> str:
    """The verdict, the parts of the table and its notes as GitHub-flavored Markdown."""
    grids = [
        f"{escaped(part.caption)}:\n\n{grid(part.headings, part.rows)}"
        for part in parts(table)
    ]
    first, *more = (escaped(sentence) for sentence in sentences(table))
    notes = "\n".join(f"- {escaped(note)}" for note in table.notes)
    said = " ".join([f"**{first}**", *more])
    return "\n".join([f"{said}\n", *grids, f"{notes}\n"])


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


_NUMBERS = re.compile(r"[-+−–±0-9.e, \[\]]+")


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
    record = {"verdict": verdict(table), "family": table.family, **asdict(table)}
    for row, of in zip(table.rows, record["rows"], strict=True):
        for name, found in row.comparisons.items():
            of["comparisons"][name]["outcome"] = found.outcome.value
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
