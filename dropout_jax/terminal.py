# SPDX-License-Identifier: Apache-2.0
"""What a terminal shows, of any width, and what a file or a pipe gets of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from dropout_jax.config.errors import one_line
from dropout_jax.config.streams import Forgiving

UNBOUNDED = 100_000  # columns of what is no terminal: nothing is cut there


class Console(rich.console.Console):
    """Rich's console, for commands and for runs that a script starts.

    What cannot be written ends nothing (`config.streams`); where there is no terminal,
    lines are as long as they are.
    """

    def __init__(self, **options: Any):
        """Takes the options of `rich.console.Console`."""
        self._forgiven: Forgiving | None = None
        super().__init__(**options)
        if not (options.get("width") or self.is_terminal or self.is_jupyter):
            self.width = UNBOUNDED

    @property
    def file(self) -> Any:
        """The stream that is written to, forgiving."""
        stream = rich.console.Console.file.fget(self)  # pyright: ignore
        if isinstance(stream, Forgiving):
            return stream
        if self._forgiven is None or self._forgiven.stream is not stream:
            self._forgiven = Forgiving(stream)
        return self._forgiven

    @file.setter
    def file(self, stream: Any) -> None:
        """Sets the stream that is written to."""
        rich.console.Console.file.fset(self, stream)  # pyright: ignore


def say(console: rich.console.Console, line: str) -> None:
    """Prints a line as it stands; what else than text is in it is escaped."""
    console.print(one_line(line), highlight=False, markup=False, soft_wrap=True)


class Grid:
    """A table that terminals of any width hold.

    Columns that find no room stand below, beside the first column once more. A cell is
    broken between words, and within a word only where that is longer than the terminal.
    So no number is cut.
    """

    def __init__(
        self, *headings: str, title: str = "", justify: Any = "left", **look: Any
    ):
        """Begins a table.

        Args:
          headings: of the columns; a heading may have several lines.
          title: above the table.
          justify: of all columns but the first.
          **look: further options of `rich.table.Table`.
        """
        self._headings, self._title = headings, title
        self._justify, self._look = justify, look
        self._rows: list[tuple[tuple[str, ...], str, bool]] = []

    def add_row(self, *cells: str, style: str = "", end_section: bool = False) -> None:
        """Adds a row of texts; what else than text is in them is escaped."""
        self._rows.append((cells, style, end_section))

    def __rich_console__(
        self, console: rich.console.Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        for number, widths in enumerate(self._blocks(console, options)):
            title = Text(one_line(self._title)) if self._title and not number else None
            yield self._table(widths, title)

    def _blocks(
        self, console: rich.console.Console, options: ConsoleOptions
    ) -> list[dict[int, int]]:
        """Returns the columns of each table below the other, with their widths."""
        room, free = options.max_width, options.update(max_width=UNBOUNDED)

        def taken(widths: dict[int, int]) -> int:
            return Measurement.get(console, free, self._table(widths)).maximum

        natural = [max(map(_width, column)) for column in self._columns()]
        widths = dict(enumerate(natural))
        if taken(widths) <= room or len(natural) == 1:
            widths[0] = min(natural[0], max(1, room - taken({0: 0})))
            return [widths]
        first = max(_longest_word(column) for column in self._columns()[:1])
        first = min(natural[0], max(first, room // 3), max(1, room // 2))
        blocks: list[dict[int, int]] = []
        for number, width in list(enumerate(natural))[1:]:
            width = min(width, max(1, room - taken({0: first, number: 0})))
            if not blocks or taken({**blocks[-1], number: width}) > room:
                blocks.append({0: first})
            blocks[-1][number] = width
        return blocks

    def _columns(self) -> list[Sequence[str]]:
        rows = [self._headings, *(cells for cells, _, _ in self._rows)]
        return [
            [row[number] for row in rows if number < len(row)]
            for number in range(len(self._headings))
        ]

    def _table(self, widths: dict[int, int], title: Text | None = None) -> Table:
        table = Table(title=title, **self._look)
        for number, width in widths.items():
            table.add_column(
                _text(self._headings[number]),
                justify="left" if number == 0 else self._justify,
                width=width,
                overflow="fold",
            )
        for cells, style, end_section in self._rows:
            shown = [_text(cells[n]) if n < len(cells) else "" for n in widths]
            table.add_row(*shown, style=style, end_section=end_section)
        return table


def _text(lines: str) -> Text:
    """Returns lines from outside as text: markup and control characters say nothing."""
    return Text("\n".join(map(one_line, lines.split("\n"))))


def _width(cell: str) -> int:
    return max(line.cell_len for line in _text(cell).split("\n", allow_blank=True))


def _longest_word(cells: Sequence[str]) -> int:
    return max(Text(word).cell_len for cell in cells for word in [*cell.split(), ""])
