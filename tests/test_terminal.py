# SPDX-License-Identifier: Apache-2.0
"""Tables at every width of a terminal; what is no terminal gets whole lines."""

import io
import logging
import re
import time

import pytest
import rich.console

from dropout_jax import terminal
from dropout_jax.config.guard import guarded
from dropout_jax.slow import told_if_slow
from wide import WIDTHS, check_at_every_width, shown

NUMBERS = [f"{number}.25" for number in range(7)]


@pytest.fixture
def grid():
    headings = ["method", *(f"heading {n}, points" for n in range(7))]
    table = terminal.Grid(*headings, title="a title")
    table.add_row("none", *NUMBERS)
    table.add_row("a method of many words", *(f"-{n} [-9, +9]" for n in NUMBERS))
    return table


def test_no_number_is_cut_at_any_width(grid):
    check_at_every_width(grid)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_block_has_the_first_column_and_whole_headings(grid, width):
    text = shown(grid, width)
    blocks = len(re.findall(r"^┃ method ", text, re.M))
    assert text.count("none") == blocks >= 1
    assert text.count("a title") == 1
    for number in range(7):
        assert re.search(rf"heading {number},", text)


def test_a_word_longer_than_the_terminal_keeps_its_letters():
    name = "x" * 50 + "y" * 50
    table = terminal.Grid("name", "n")
    table.add_row(name, "7")
    text = shown(table, 40)
    assert text.count("x") == 50 and text.count("y") == 50 and "7" in text


def test_cells_are_text(grid):
    grid.add_row("[red]a[/]\a", *NUMBERS)
    text = shown(grid, 200)
    assert "[red]a[/]" in text and "\a" not in text


def test_lines_of_a_pipe_are_whole_whatever_columns_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    file = io.StringIO()
    console = terminal.Console(file=file)
    console.print("word " * 60)
    assert file.getvalue().count("\n") == 1
    assert terminal.Console(file=file, width=50).width == 50
    assert terminal.Console(file=file, force_terminal=True).width == 40


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "full")])
def test_a_script_of_ones_own_goes_on_without_output(error):
    class Gone(io.StringIO):
        def flush(self):
            raise error

    console = terminal.Console(file=Gone())
    for _ in range(3):
        console.print("a line")  # Rich would raise SystemExit
    assert isinstance(console, rich.console.Console)


def test_what_takes_long_says_so():
    lines = []
    with told_if_slow(lines.append, "slow", seconds=0.0):
        end = time.monotonic() + 30
        while not lines and time.monotonic() < end:
            time.sleep(0.01)
    with told_if_slow(lines.append, "quick", seconds=60.0):
        pass
    assert lines == ["slow"]


def test_commands_show_what_rooms_below_log(capsys):
    log = logging.getLogger("dropout_jax.data")
    assert guarded(lambda: log.info("getting 100 %")) == 0
    log.info("nobody asked")
    assert capsys.readouterr().out == "getting 100 %\n"
