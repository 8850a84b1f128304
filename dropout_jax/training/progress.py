# SPDX-License-Identifier: Apache-2.0
"""What a user sees while a run is at work: a live bar, or plain lines in a file."""

from __future__ import annotations

import contextlib
from typing import Any

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from dropout_jax import terminal
from dropout_jax.slow import told_if_slow
from dropout_jax.training.bar import ShrinkingColumn, bar_columns


def describe(record: dict[str, Any]) -> str:
    """Returns one epoch's metrics as a short text."""
    accuracy = 100 * record["validation_accuracy"]
    return f"loss {record['train_loss']:.4f}  validation {accuracy:.2f} %"


def describe_result(values: dict[str, Any]) -> str:
    """Returns what a run found, the content of its result.json, as a line."""
    if values["status"] == "diverged":
        return f"diverged: {values['reason']}"
    # Where the test set was left alone there is the validation set to speak of.
    name = "test" if "test" in values else "validation"
    found, speed = values[name], values.get("images_per_second")
    pruned = "pruned; " if values["status"] == "pruned" else ""
    ece = f"  ECE {found['ece']:.4f}" if "ece" in found else ""
    return (
        f"{pruned}{name} accuracy {100 * found['accuracy']:.2f} %  "
        f"NLL {found['nll']:.4f}{ece}  "
        f"(epoch {values['best_epoch']} of {values['epochs']}; "
        f"{values['seconds']:.0f} s" + (f", {speed:,.0f} images/s)" if speed else ")")
    )


class TerminalProgress:
    """Shows a run: a progress bar on a terminal, one line per validation elsewhere.

    Attributes:
      label: printed before every line, such as the name of the trial.
    """

    def __init__(
        self,
        label: str = "",
        console: Console | None = None,
        *,
        epoch_lines: bool = True,
    ):
        """Shows runs on `console`.

        Args:
          label: printed before every line, such as the name of the trial.
          console: where to; standard output by default.
          epoch_lines: whether each epoch has a line where there is no live bar.
        """
        self.label = label
        self._epoch_lines = epoch_lines
        self._console = console or terminal.Console()
        self._bar: Progress | None = None
        self._task: Any = None
        self._epochs = 0
        self._steps_per_epoch = 1
        self._compiling = contextlib.ExitStack()

    def note(self, message: str) -> None:
        """Shows one line of its own."""
        terminal.say(self._console, f"{self.label}{message}")

    def start(self, step: int, epochs: int, steps_per_epoch: int) -> None:
        """Begins to show a run that has taken `step` steps already."""
        self._epochs, self._steps_per_epoch = epochs, steps_per_epoch
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            if self._epoch_lines:
                self._compiling.enter_context(told_if_slow(self.note, "compiling"))
            return
        self._bar = Progress(
            *([ShrinkingColumn("{task.fields[label]}")] if self.label else []),
            TextColumn("{task.description}", markup=False),
            *bar_columns(self._console, 12),
            TextColumn("{task.fields[speed]}", markup=False),
            ShrinkingColumn("{task.fields[metrics]}"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
        )
        total = epochs * steps_per_epoch
        self._task = self._bar.add_task(
            "", total=total, label=self.label.strip(), speed="compiling", metrics=""
        )
        self._bar.start()
        self.advance(step, None)

    def advance(self, step: int, images_per_second: float | None) -> None:
        """Shows that `step` steps are done, and how fast."""
        self._compiling.close()
        if self._bar is None:
            return
        epoch = min(step // self._steps_per_epoch + 1, self._epochs)
        self._bar.update(
            self._task,
            completed=step,
            description=f"epoch {epoch}/{self._epochs}",
        )
        if images_per_second:
            self._bar.update(self._task, speed=f"{images_per_second:,.0f} images/s")

    def epoch(self, record: dict[str, Any]) -> None:
        """Shows the metrics of a validated epoch."""
        if self._bar is not None:
            self._bar.update(self._task, metrics=describe(record))
        elif self._epoch_lines:
            speed = record["images_per_second"]
            self.note(
                f"epoch {record['epoch']}/{self._epochs}  {describe(record)}"
                + (f"  {speed:,.0f} images/s" if speed else "")
            )

    def result(self, values: dict[str, Any]) -> None:
        """Shows what a run found: the content of its result.json."""
        self.note(describe_result(values))

    def close(self) -> None:
        """Ends the display; called on every way out of a run."""
        self._compiling.close()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
