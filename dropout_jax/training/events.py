# SPDX-License-Identifier: Apache-2.0
"""TensorBoard events as a copy of metrics.jsonl, which stays the source of truth."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import Any

from dropout_jax.config.causes import writing
from dropout_jax.config.errors import UserError
from dropout_jax.config.flat import flat
from dropout_jax.config.schema import BY_PATH
from dropout_jax.training.run_directory import RunDirectory

# What TensorBoard's table of hyperparameters shows beside them. Nothing of the test
# set: it is no place to choose by that.
COMPARED = ("validation_accuracy", "validation_loss", "clean_train_loss")


class EventWriter:
    """Writes configuration and scalars; begins anew from metrics.jsonl after a resume.

    A study's directory opened in TensorBoard has all its runs, in the view of
    hyperparameters too.
    """

    def __init__(self, directory: RunDirectory):
        shutil.rmtree(directory.tensorboard, ignore_errors=True)
        self._path = directory.tensorboard
        self._file: Any = None
        self._config = flat(directory.config() or {})
        self._end: Any = None
        for record in directory.metrics():
            self.write(record)

    def write(self, record: dict[str, Any]) -> None:
        """Adds the numbers of one record of metrics.jsonl.

        Raises:
          UserError: they cannot be written.
        """
        # Not before the first steps: it takes seconds where PyTorch is installed.
        from tensorboardX.summary import scalar

        if self._file is None:
            self._begin()
        scalars = {**record, **record["noise"]}
        self._add(
            [
                scalar(name, value)
                for name, value in scalars.items()
                if isinstance(value, (int, float))
                and name not in ("format", "epoch", "step")
            ],
            record["step"],
        )

    def _begin(self) -> None:
        # Not the SummaryWriter: on a full disk its thread dies, and whoever adds to
        # its queue then waits without end.
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.summary import hparams

        with writing(self._path, 0):
            self._path.mkdir(parents=True, exist_ok=True)
            self._file = EventsWriter(str(self._path / "events"))
        shown = {
            path: value if isinstance(value, bool | int | float) else str(value)
            for path, value in self._config.items()
            if path not in BY_PATH or BY_PATH[path].identity
        }
        *start, self._end = hparams(shown, dict.fromkeys(COMPARED))
        self._add(start)

    def _add(self, summaries: list[Any], step: int = 0) -> None:
        from tensorboardX.proto import event_pb2

        try:
            with writing(self._path, sum(summary.ByteSize() for summary in summaries)):
                for summary in summaries:
                    # Messages are made as their module is imported.
                    event = event_pb2.Event(  # pyright: ignore
                        wall_time=time.time(), step=step, summary=summary
                    )
                    self._file.write_event(event)
                self._file.flush()
        except UserError:
            self.close()
            raise

    def finish(self) -> None:
        """Writes that the run has ended.

        Raises:
          UserError: it cannot be written.
        """
        if self._file is not None:
            self._add([self._end])

    def close(self) -> None:
        """Closes the file, as it is."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # the disk is full: that was said
                self._file.close()
            self._file = None
