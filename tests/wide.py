# SPDX-License-Identifier: Apache-2.0
"""Whether a table is whole at every width of a terminal."""

import io
import re

from rich.console import Console

WIDTHS = (40, 60, 80, 100, 116, 200)
EDGES = str.maketrans(dict.fromkeys("│┃┆|━─┏┓┗┛┡┩┳┻╇└┘┴├┤┼", " "))


def shown(renderable, width):
    """What a terminal of a width shows."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def check_at_every_width(renderable):
    """Each word with a digit, and each of all headings, is whole at every width."""
    words = set(shown(renderable, 2000).translate(EDGES).split())
    numbers = {word for word in words if re.search(r"\d", word)}
    assert numbers
    for width in WIDTHS:
        text = shown(renderable, width)
        assert max(map(len, text.splitlines())) <= width
        found = set(text.translate(EDGES).split())
        lost = {word for word in numbers - found if len(word) <= width // 2}
        assert not lost, (width, lost)
        assert not {word for word in words - found if len(word) <= 12}, width
