# SPDX-License-Identifier: Apache-2.0
"""Runs a study on a Ray cluster: the same workers, on machines that share storage."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from dropout_jax.config.causes import writing
from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.files import write_atomically
from dropout_jax.sweeps import heartbeat, inputs, shares
from dropout_jax.sweeps.display import StudyDisplay
from dropout_jax.sweeps.ray_cluster import Placement, connected, placement
from dropout_jax.sweeps.ray_task import Order, tend
from dropout_jax.sweeps.study import StudyDirectory, unfinished
from dropout_jax.sweeps.supervision import PATIENCE_SECONDS, WATCH_SECONDS
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training.interruption import StopRequest, stop_requests

RETRIES = 100  # losses of a worker's machine after which something is wrong
END_SECONDS = 60.0  # in which workers end that are no longer needed


def run_ray(
    study: StudyDirectory,
    trials: Sequence[Trial],
    *,
    workers: int = 0,
    threads: int = 0,
    minutes: float = 0.0,
    address: str = "",
    patience: float = PATIENCE_SECONDS,
    console: Console | None = None,
) -> bool:
    """Runs what the ledger does not have yet, in worker processes on a Ray cluster.

    Ray places the workers and gives each of them cores or a GPU. It knows nothing of
    trials: these are claimed, saved and recorded in the study's directory, which all
    machines must see at the same path, with file locks that hold between them. The
    worker of a machine that is lost starts again on another one.

    Args:
      study: the directory; the trials are in its plan.
      trials: those that are wanted.
      workers: number of processes; 0 for one per GPU, or per core.
      threads: cores of each; 0: as many as there are. The study remembers both.
      minutes: no new trial begins after so many minutes; 0 for no limit.
      address: of the cluster, HOST:PORT; empty to start one on this machine.
      patience: seconds without a sign of life after which a worker is killed.
      console: where progress is shown.

    Returns:
      Whether all trials are in the ledger.

    Raises:
      Interrupted: Ctrl-C or SIGTERM; every worker has saved what it had.
      UserError: Ray is not installed, the cluster does not let us in, or a worker
        cannot run on it.
    """
    study = StudyDirectory(study.path.resolve(), study.ledger.path.resolve())
    inputs.begin(study)
    with (
        connected(address) as ray,
        StudyDisplay(study, trials, console, workers or 1) as display,
        stop_requests() as stop,
        _wanted(study, trials) as wanted,
    ):
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        left = len(unfinished(study, trials))
        placed = placement(machines, workers, left, threads)
        shares.remember(study, shares.Shares(workers or placed.workers, placed.cpus))
        display.note(_described(placed, len(machines)))
        orders = [
            Order(
                study=str(study.path),
                wanted=str(wanted),
                name=f"{wanted.name.removeprefix('wanted_')}_{number}",
                place=os.getcwd(),
                cpus=placed.cpus,
                until=time.time() + 60 * minutes if minutes else 0.0,
                patience=patience,
            )
            for number in range(placed.workers)
        ]
        task = ray.remote(tend).options(
            num_cpus=placed.cpus,
            num_gpus=placed.gpus,
            max_retries=RETRIES,
            retry_exceptions=[Interrupted],  # the machine is taken away
            scheduling_strategy="SPREAD",
        )
        pending = [task.remote(order) for order in orders]
        try:
            _drive(ray, study, pending, display, stop)
        finally:
            _end(ray, pending)
            for order in orders:  # those of machines that were lost
                path = study.path / "workers" / f"{order.name}.json"
                path.unlink(missing_ok=True)
        if stop.made:
            raise Interrupted(study.path, stop.number)
    return not unfinished(study, trials)


@contextlib.contextmanager
def _wanted(study: StudyDirectory, trials: Sequence[Trial]) -> Iterator[Path]:
    """Writes which trials are wanted to a file, and holds it locked."""
    directory = study.path / "workers"
    path = directory / f"wanted_{socket.gethostname()}_{os.getpid()}"
    with writing(directory, 0):
        directory.mkdir(exist_ok=True)
    write_atomically(path, "".join(f"{trial.id}\n" for trial in trials))
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _described(placed: Placement, machines: int) -> str:
    each = "one GPU each" if placed.gpus else f"{placed.cpus} cores each"
    return f"Ray: {placed.workers} workers with {each}; machines: {machines}"


def _drive(
    ray: Any,
    study: StudyDirectory,
    pending: list[Any],
    display: StudyDisplay,
    stop: StopRequest,
) -> None:
    """Returns when every worker has ended by itself, or was asked to.

    `pending` is left with those that have not.
    """
    asked = False
    while pending:
        ended, pending[:] = ray.wait(pending, timeout=WATCH_SECONDS)
        display.update(heartbeat.read(study.path / "workers"))
        for task in ended:
            _check(ray, task)
        if stop.made and not asked:
            asked = True
            display.note("stopping: every worker saves what it has")
            for task in pending:
                ray.cancel(task)
    display.update([])


def _check(ray: Any, task: Any) -> None:
    """Raises UserError if the task ended in trouble."""
    try:
        ray.get(task)
    except ray.exceptions.TaskCancelledError:
        return
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Interrupted):
            return
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from error
        raise UserError(
            f"a worker cannot run on the cluster: {_first_line(error.cause)}"
        ) from error
    except ray.exceptions.RayError as error:
        raise UserError(
            f"the cluster does not keep its workers: {_first_line(error)}"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


def _end(ray: Any, pending: Sequence[Any]) -> None:
    """Ends what is still at work."""
    for task in pending:
        ray.cancel(task)
    if pending:
        ray.wait(list(pending), num_returns=len(pending), timeout=END_SECONDS)
