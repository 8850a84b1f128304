# SPDX-License-Identifier: Apache-2.0
"""Signs of life: what a worker is at, for those who watch it from outside."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from dropout_jax import stored
from dropout_jax.files import write_atomically

# Of a worker that waits for what the others have.
WAITING = {"trials": [], "doing": "waiting", "step": 0, "steps": 0, "speed": None}


@dataclasses.dataclass(frozen=True)
class Heartbeat:
    """The last sign of life of a worker.

    Attributes:
      worker: its name.
      process: host and process id.
      trials: ids of the trials it is at.
      doing: which these are, for a reader.
      step: optimiser steps taken.
      steps: of the whole trial; 0 until known.
      speed: images per second, None while the program compiles.
      age: seconds since then.
    """

    worker: str
    process: str
    trials: tuple[str, ...]
    doing: str
    step: int
    steps: int
    speed: float | None
    age: float


def read(directory: Path) -> list[Heartbeat]:
    """Returns the heartbeats in the directory, by the name of the worker."""
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            values = stored.read(path)
            age = time.time() - path.stat().st_mtime
            beat = Heartbeat(
                worker=path.stem,
                process=stored.expect(path, values, "process", str),
                trials=tuple(map(str, stored.expect(path, values, "trials", list))),
                doing=stored.expect(path, values, "doing", str),
                step=stored.expect(path, values, "step", int),
                steps=stored.expect(path, values, "steps", int),
                speed=stored.expect(path, values, "speed", int | float, None),
                age=max(0.0, age),
            )
        except (FileNotFoundError, stored.Damaged):  # ended meanwhile, or none
            continue
        found.append(beat)
    return found


def write(path: Path, values: dict[str, Any]) -> None:
    """Gives a sign of life.

    Args:
      path: file of the worker's heartbeat.
      values: trials, doing, step, steps and speed.
    """
    path.parent.mkdir(exist_ok=True)
    process = f"{socket.gethostname()}:{os.getpid()}"
    write_atomically(path, json.dumps({**values, "process": process}))
