# SPDX-License-Identifier: Apache-2.0
"""What Ray places on a machine: one worker process, and someone who watches over it."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.sweeps.study import StudyDirectory, open_study
from dropout_jax.sweeps.supervision import Worker, watch
from dropout_jax.terminal import Console, say
from dropout_jax.training.interruption import stop_requests


@dataclasses.dataclass(frozen=True)
class Order:
    """What a worker is told; all it needs to know besides the study's directory.

    Attributes:
      study: the directory, absolute: the same on all machines.
      wanted: file with the ids of the trials, locked by who drives the study.
      name: of the worker.
      place: working directory, for relative paths in configurations.
      cpus: cores that it has to itself; 0 if it has a GPU.
      until: no trial begins after that time; 0 for no limit.
      patience: seconds without a sign of life after which it is killed.
    """

    study: str
    wanted: str
    name: str
    place: str
    cpus: int
    until: float
    patience: float


def tend(order: Order) -> None:
    """Runs the worker command to its end; a worker that dies here is replaced here.

    Should the whole machine be lost, Ray calls this on another one, where the worker
    goes on from what the directory holds.

    Args:
      order: what the worker is told.

    Raises:
      Interrupted: the machine is taken away, or the study was stopped; the worker has
        saved what it had.
      UserError: a worker cannot run here.
    """
    study = _opened(order)
    minutes = (order.until - time.time()) / 60 if order.until else 0.0
    if minutes < 0:
        return
    with stop_requests() as stop, _share(order.cpus) as share:
        command = [
            *(sys.executable, "-m", "dropout_jax.sweeps", "work"),
            f"--study={study.path}",
            f"--wanted={order.wanted}",
            f"--name={order.name}",
            f"--share={share}",
            f"--threads={order.cpus}",
            f"--minutes={minutes}",
            "--trust_plugin",  # who began this had it from a user, or has asked one
        ]
        worker = Worker(study.path / "workers", command)
        try:
            watch(study, [worker], stop, patience=order.patience, note=_note)
        finally:
            worker.close()
        if stop.made:
            raise Interrupted(study.path, stop.number)


def _opened(order: Order) -> StudyDirectory:
    """Returns the study, once it is sure that its locks are seen from here."""
    host = socket.gethostname()
    try:
        os.chdir(order.place)
        study = open_study(order.study)
        with Path(order.wanted).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return study  # as it should be: the driver holds it
    except OSError as error:
        raise UserError(
            f"{host} does not see {error.filename or order.wanted} ({error.strerror}); "
            "all machines need the study and the working directory at the same path"
        ) from error
    raise UserError(
        f"{host} does not see file locks of {order.study} that another machine holds, "
        "so two workers might take one trial; use a file system with locks, such as "
        "NFS version 4"
    )


@contextlib.contextmanager
def _share(cpus: int) -> Iterator[str]:
    """Gives a share of this machine's cores that no other worker has, if one is left.

    A name in the kernel's table of sockets says that it is taken: it is gone with the
    process, however that ends.
    """
    of = len(os.sched_getaffinity(0)) // cpus if cpus else 0
    with socket.socket(socket.AF_UNIX) as taken:
        for number in range(of):
            with contextlib.suppress(OSError):
                taken.bind(f"\0dropout_jax:{os.getuid()}:{number}/{of}")
                yield f"{number}/{of}"
                return
        yield "0/1"


def _note(line: str) -> None:
    say(Console(), line)  # Ray shows it to who drives the study
