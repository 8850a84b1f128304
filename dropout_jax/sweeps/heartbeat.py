# SPDX-License-Identifier: Apache-2.0
"""Signs of life: what a worker is at, for those who watch it from outside."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from dropout_jax import stored
from dropout_jax.files import content, write_atomically

_BOOT = Path("/proc/sys/kernel/random/boot_id")
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
            age = _age(path, stored.expect(path, values, "clock", list, []))
            beat = Heartbeat(
                worker=path.stem,
                process=stored.expect(path, values, "process", str),
                trials=tuple(map(str, stored.expect(path, values, "trials", list))),
                doing=stored.expect(path, values, "doing", str),
                step=stored.expect(path, values, "step", int),
                steps=stored.expect(path, values, "steps", int),
                speed=stored.expect(path, values, "speed", int | float, None),
                age=age,
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
    stamped = {**values, "process": process, "clock": _clock()}
    write_atomically(path, json.dumps(stamped))


def sign(path: Path) -> Hashable:
    """Returns what differs from one sign of life to the next; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _clock() -> list[Any]:
    """Returns which boot of a machine it is, and the seconds since then.

    Of sleep too; and whoever sets the time of the day does not change them.
    """
    with contextlib.suppress(OSError):
        if boot := content(_BOOT):
            return [boot.decode().strip(), time.clock_gettime(time.CLOCK_BOOTTIME)]
    return []  # not Linux


def _age(path: Path, then: list[Any]) -> float:
    """Returns the seconds since a heartbeat; of another machine, by its file."""
    now = _clock()
    if now and then[:-1] == now[:-1] and isinstance(then[-1], int | float):
        return max(0.0, now[-1] - then[-1])
    return max(0.0, time.time() - path.stat().st_mtime)
