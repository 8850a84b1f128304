# SPDX-License-Identifier: Apache-2.0
"""TensorBoard events as a copy of metrics.jsonl, which stays the source of truth."""

from __future__ import annotations

import shutil
from typing import Any

from dropout_jax.training.run_directory import RunDirectory


class EventWriter:
    """Writes each epoch's scalars; begins anew from metrics.jsonl after a resume."""

    def __init__(self, directory: RunDirectory):
        shutil.rmtree(directory.tensorboard, ignore_errors=True)
        self._path, self._writer = str(directory.tensorboard), None
        for record in directory.metrics():
            self.write(record)

    def write(self, record: dict[str, Any]) -> None:
        """Adds the numbers of one record of metrics.jsonl."""
        if self._writer is None:
            # Not before the first steps: it takes seconds where PyTorch is installed.
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(self._path)
        scalars = {**record, **record["noise"]}
        for name, value in scalars.items():
            if isinstance(value, (int, float)) and name not in ("epoch", "step"):
                self._writer.add_scalar(name, value, record["step"])

    def close(self) -> None:
        """Writes what is left."""
        if self._writer is not None:
            self._writer.close()
