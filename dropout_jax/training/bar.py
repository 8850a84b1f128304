# SPDX-License-Identifier: Apache-2.0
"""Parts of a live bar that give way on a narrow terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

NARROW = 72  # columns of a terminal below which there is no room for a drawing


class ShrinkingColumn(TextColumn):
    """Text that is cut with a mark, so that the other columns stay whole."""

    def __init__(self, text: str):
        """Shows `text`, with fields of the task in it."""
        # Rich first narrows columns that may wrap; here the text is cut instead.
        super().__init__(text, markup=False, table_column=Column(no_wrap=False))

    def render(self, task: Task) -> Text:
        """Returns the text, in one line."""
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def bar_columns(console: Console, width: int) -> list[ProgressColumn]:
    """Returns the drawing of a bar; none on a narrow terminal, where numbers matter."""
    return [] if console.width < NARROW else [BarColumn(bar_width=width)]
