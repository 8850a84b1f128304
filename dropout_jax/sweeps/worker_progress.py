# SPDX-License-Identifier: Apache-2.0
"""The progress of a study's trials: by validation, and as heartbeats."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dropout_jax.sweeps import heartbeat
from dropout_jax.sweeps.trials import Trial
from dropout_jax.terminal import Console
from dropout_jax.training import TerminalProgress

BEAT_SECONDS = 1.0  # between two heartbeats at least


class TrialProgress(TerminalProgress):
    """Shows a trial of a study; what it found on the test set is for the report.

    A study may have several settings of a method, of which validation chooses one: who
    saw the test results of all of them could choose by these.
    """

    def result(self, values: dict[str, Any]) -> None:
        """Shows what a trial found on the validation set."""
        super().result({name: v for name, v in values.items() if name != "test"})


class HeartbeatProgress(TrialProgress):
    """Shows a trial to other processes: in a file that is renewed as it advances."""

    def __init__(self, path: Path, trials: Sequence[Trial], doing: str, label: str):
        """Gives the first sign.

        Args:
          path: file of the worker's heartbeat.
          trials: those that it is at.
          doing: what to call them.
          label: printed before every line of the worker's log.
        """
        super().__init__(label, Console(soft_wrap=True), epoch_lines=False)
        self._path, self._beaten = path, float("-inf")
        self._values: dict[str, Any] = {
            "trials": [trial.id for trial in trials],
            "doing": doing,
            "step": 0,
            "steps": 0,
            "speed": None,
        }
        self._beat()

    def start(self, step: int, epochs: int, steps_per_epoch: int) -> None:
        """Says how long the trials are."""
        super().start(step, epochs, steps_per_epoch)
        self._values |= {"step": step, "steps": epochs * steps_per_epoch}
        self._beat()

    def advance(self, step: int, images_per_second: float | None) -> None:
        """Says that `step` steps are done, and how fast."""
        super().advance(step, images_per_second)
        self._values |= {"step": step, "speed": images_per_second}
        if time.monotonic() - self._beaten >= BEAT_SECONDS:
            self._beat()

    def _beat(self) -> None:
        self._beaten = time.monotonic()
        heartbeat.write(self._path, self._values)
