# SPDX-License-Identifier: Apache-2.0
"""TensorBoard events as a copy of metrics.jsonl, which stays the source of truth."""

from __future__ import annotations

import shutil
from typing import Any

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
        self._path = str(directory.tensorboard)
        self._writer: Any = None
        self._config = flat(directory.config() or {})
        self._end: Any = None
        for record in directory.metrics():
            self.write(record)

    def write(self, record: dict[str, Any]) -> None:
        """Adds the numbers of one record of metrics.jsonl."""
        writer = self._writer or self._begin()
        scalars = {**record, **record["noise"]}
        for name, value in scalars.items():
            if isinstance(value, (int, float)) and name not in ("epoch", "step"):
                writer.add_scalar(name, value, record["step"])

    def _begin(self) -> Any:
        # Not before the first steps: it takes seconds where PyTorch is installed.
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        self._writer = SummaryWriter(self._path)
        shown = {
            path: value if isinstance(value, bool | int | float) else str(value)
            for path, value in self._config.items()
            if path not in BY_PATH or BY_PATH[path].identity
        }
        *start, self._end = hparams(shown, dict.fromkeys(COMPARED))
        for summary in start:
            self._writer.file_writer.add_summary(summary)
        return self._writer

    def close(self) -> None:
        """Writes what is left."""
        if self._writer is not None:
            self._writer.file_writer.add_summary(self._end)
            self._writer.close()
