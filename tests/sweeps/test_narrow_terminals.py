# SPDX-License-Identifier: Apache-2.0
"""Every table that studies show, at every width of a terminal."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

import pretended
from dropout_jax.sweeps import preview, status
from dropout_jax.sweeps.course import go_on
from dropout_jax.sweeps.course_display import show_choices, show_gate, show_left
from dropout_jax.sweeps.display import StudyDisplay
from dropout_jax.sweeps.heartbeat import Heartbeat
from dropout_jax.sweeps.preview import Cost
from dropout_jax.sweeps.winners import show_winners
from protocols import LARGE, SMALL, Pretender, course, make
from wide import WIDTHS, check_at_every_width


class Printed(Console):
    """Keeps what is printed instead of lines, which is said whole everywhere."""

    def __init__(self):
        super().__init__(quiet=True)
        self.found = []

    def print(self, *objects: Any, **options: Any) -> None:
        """Keeps it."""
        self.found += [one for one in objects if not isinstance(one, str)]


@pytest.fixture
def check():
    """Returns a function from what shows one table to its check."""

    def each(show: Callable[[Console], object], count: int = 1):
        console = Printed()
        show(console)
        assert len(console.found) == count
        for table in console.found:
            check_at_every_width(table)

    return each


def test_status(study, check):
    check(lambda console: status.show_status(study, console))


def test_plan(study, trials, check, monkeypatch):
    monkeypatch.setattr(preview, "cost_of", lambda trial: Cost(3.0, 1234.0))
    monkeypatch.setattr(preview, "seconds_beside", lambda: 1.0)
    check(lambda console: preview.preview(trials(0, 1), study.ledger, console))


def test_winners(tmp_path, check, console):
    search = pretended.make()
    study, _ = pretended.do(tmp_path / "study", search, console)
    check(lambda console: show_winners(study, search, console))


def test_the_course_of_a_protocol(tmp_path, check, console):
    found = course(tmp_path, make({"small": SMALL, "large": LARGE}))
    cells = list(found.protocol.cells)
    check(lambda shown: show_left(found, 2, shown))
    go_on(found, Pretender(), cells=cells, console=console)
    check(lambda shown: show_left(found, 2, shown))
    for cell in cells:
        check(lambda shown, cell=cell: show_choices(found, cell, shown))
        check(lambda shown, cell=cell: show_gate(found, cell, shown))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_bar_of_a_study(study, trials, monkeypatch, width):
    monkeypatch.setenv("TERM", "xterm")
    (trial, *_) = planned = trials(0, 1, 2)
    doing = "a method with a name of many words seed 0"
    beat = Heartbeat("a", "h:1", (trial.id,), doing, 7, 20, 12345.0, 0.0)
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width)
    with StudyDisplay(study, planned, console) as display:
        display.update([beat])
    frame = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).split("\n")
    (row,) = {line.strip("\r ") for line in frame if "7/20" in line}
    assert row.endswith("12,345 images/s") and len(row) <= width
    assert doing in row or "…" in row
    assert any("0/3" in line for line in frame)
