# SPDX-License-Identifier: Apache-2.0
"""What a run shows: a live bar on a terminal, a line per epoch in a file."""

import io
import re

import pytest
from rich.console import Console

from dropout_jax import training
from dropout_jax.training.progress import TerminalProgress
from dropout_jax.training.run_directory import RunDirectory

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def show(monkeypatch):
    """Returns a function to a progress and a reader of what it wrote."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def make(terminal, width=120, **options):
        file = io.StringIO()
        console = Console(force_terminal=terminal, file=file, width=width, **options)
        assert console.is_terminal is terminal

        def written():
            text = CONTROL.sub("", file.getvalue()).replace("\r", "\n")
            return [line.rstrip() for line in text.split("\n") if line.strip()]

        return TerminalProgress("trial: ", console), written

    return make


def numbers(record):
    """The metrics of one epoch as they are to be shown, made here anew."""
    loss = f"loss {record['train_loss']:.4f}"
    return rf"{loss}  validation {100 * record['validation_accuracy']:.2f} %"


def test_a_terminal_shows_a_bar_with_speed_metrics_and_time_left(tiny, tmp_path, show):
    progress, written = show(True)
    result = training.run(tiny(), tmp_path / "run", progress=progress)
    record = RunDirectory(result.workdir).metrics()[-1]
    speed = f"{result.values['images_per_second']:,.0f} images/s"
    bars = [line for line in written() if line.startswith("trial: epoch 2/2 ")]
    # The last frame is of the moment in which the bar goes.
    assert re.search(
        rf"━+ {re.escape(f'{speed} {numbers(record)}')} \d:\d\d:\d\d$", bars[-1]
    )
    # The result stays in the terminal, in a line of its own.
    assert any(line.startswith("trial: test accuracy ") for line in written())


def test_a_file_gets_a_line_per_epoch_and_no_bar(tiny, tmp_path, show):
    progress, written = show(False)
    result = training.run(tiny(), tmp_path / "run", progress=progress)
    records = RunDirectory(result.workdir).metrics()
    lines = [line for line in written() if "epoch " in line and "accuracy" not in line]
    assert lines == [
        f"trial: epoch {number}/2  {numbers(record)}  "
        f"{record['images_per_second']:,.0f} images/s"
        for number, record in enumerate(records, 1)
    ]
    assert len(lines) == 2 and not any("━" in line for line in written())


def test_a_terminal_that_cannot_draw_gets_lines(tiny, tmp_path, show, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    progress, written = show(True)
    training.run(tiny(), tmp_path / "run", progress=progress)
    lines = [line for line in written() if "epoch " in line and "accuracy" not in line]
    assert [line.split("  ")[0] for line in lines] == [
        "trial: epoch 1/2",
        "trial: epoch 2/2",
    ]
    assert not any("━" in line for line in written())


@pytest.mark.parametrize("width", [40, 60, 80, 100, 116, 200])
def test_a_narrow_terminal_keeps_epoch_speed_and_time_left(show, width):
    progress, written = show(True, width=width)
    progress.label = "[12/80, about {67} min left] variational dropout seed 3: "
    progress.start(0, epochs=3, steps_per_epoch=4)
    record = {"train_loss": 0.3, "validation_accuracy": 0.9}
    progress.epoch({**record, "epoch": 1, "images_per_second": 1234.0})
    progress.advance(5, 1234.0)
    progress.close()
    last = written()[-1]
    assert re.search(r" epoch 2/3 .*1,234 images/s .* ?(\d:\d\d|-:--):\S\S$", last)
    assert len(last) <= width and ("━" in last or "╺" in last) == (width >= 72)
    # What is cut says so.
    for whole in (progress.label.strip(), "loss 0.3000  validation 90.00 %"):
        assert whole in last or "…" in last


def test_the_time_left_is_that_of_the_steps_left(show):
    """Ten seconds a step on a clock of our own, seven steps to go."""
    now = [0.0]
    progress, written = show(True, get_time=lambda: now[0])
    progress.start(0, epochs=3, steps_per_epoch=4)
    for step in range(1, 6):
        now[0] = 10.0 * step
        progress.advance(step, 1234.5)
    progress.close()
    assert re.search(r"^trial: epoch 2/3 .* 1,23[45] images/s +0:01:10$", written()[-1])
