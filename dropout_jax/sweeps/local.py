# SPDX-License-Identifier: Apache-2.0
"""Runs a study in several processes of this machine, each with its share of it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dropout_jax.config.causes import writing
from dropout_jax.config.errors import Interrupted
from dropout_jax.files import write_atomically
from dropout_jax.sweeps import gpus, heartbeat, inputs, shares
from dropout_jax.sweeps.display import StudyDisplay
from dropout_jax.sweeps.study import StudyDirectory, unfinished
from dropout_jax.sweeps.supervision import PATIENCE_SECONDS, Worker, watch
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training.interruption import stop_requests


def run_local(
    study: StudyDirectory,
    trials: Sequence[Trial],
    *,
    workers: int,
    threads: int = 0,
    minutes: float = 0.0,
    patience: float = PATIENCE_SECONDS,
    console: Console | None = None,
) -> bool:
    """Runs what the ledger does not have yet, in worker processes.

    On CPU each worker has its own share of the cores, on GPUs one of them. A worker
    that dies, or gives no sign of life, is replaced; the trial it had resumes from
    its checkpoint, and is given up when that happens too often.

    Args:
      study: the directory; the trials are in its plan.
      trials: those that are wanted.
      workers: number of processes, at least 1, among which the machine is divided. No
        more are started than there are trials left.
      threads: cores of each; 0: this machine's in equal shares. The study remembers
        both, for `divide`.
      minutes: no new trial begins after so many minutes; 0 for no limit.
      patience: seconds without a sign of life after which a worker is killed.
      console: where progress is shown.

    Returns:
      Whether all trials are in the ledger.

    Raises:
      Interrupted: Ctrl-C or SIGTERM; every worker has saved what it had.
      UserError: a worker cannot run here, such as for want of data or of room.
    """
    inputs.begin(study)
    divided, found = shares.Shares(workers, threads), gpus.visible()
    if not threads and not found:
        divided = shares.equal(workers)
    shares.remember(study, divided)
    directory = study.path / "workers"
    wanted = directory / f"wanted_{os.getpid()}"
    with writing(directory, 0):
        directory.mkdir(exist_ok=True)
    write_atomically(wanted, "".join(f"{trial.id}\n" for trial in trials))
    commands = [
        [
            *(sys.executable, "-m", "dropout_jax.sweeps", "work"),
            f"--study={study.path}",
            f"--wanted={wanted}",
            f"--name={os.getpid()}_{number}",
            f"--share={number}/{workers}",
            f"--threads={divided.threads}",
            f"--gpu={found[number % len(found)] if found else ''}",
            f"--minutes={minutes}",
            "--trust_plugin",  # who began this had it from a user, or has asked one
        ]
        for number in range(min(workers, len(unfinished(study, trials))))
    ]
    team = [Worker(directory, command) for command in commands]
    try:
        with (
            StudyDisplay(study, trials, console, workers) as display,
            stop_requests() as stop,
        ):
            watch(
                study,
                team,
                stop,
                patience=patience,
                note=display.note,
                look=lambda: display.update(heartbeat.read(directory)),
            )
            display.update([])
            if stop.made:
                raise Interrupted(study.path, stop.number)
    finally:
        for worker in team:
            worker.close()
        wanted.unlink(missing_ok=True)
    return not unfinished(study, trials)


def divide(
    study: StudyDirectory, left: int, workers: int = 0
) -> tuple[shares.Shares, str]:
    """Returns how this machine is divided for a study, and what must be said about it.

    Args:
      study: the directory, which may remember how it was begun.
      left: number of trials that are to run.
      workers: number of processes that a user asks for; 0: as the study began.
    """
    most = default_workers()
    on_gpus = bool(gpus.visible())
    return shares.chosen(study, left, workers=workers, most=most, gpus=on_gpus)


def default_workers() -> int:
    """Returns the number of workers that this machine bears: per core, or per GPU."""
    return len(gpus.visible()) or len(os.sched_getaffinity(0))


def default_lanes() -> int:
    """Returns how many trials train in step on this machine.

    On CPU, where the products of one trial occupy all cores, lanes gain nothing
    (benchmarks/results/scaling.md); a GPU is far from full with 16, and fuller with 64
    (scaling-gpu.md there).
    """
    return 64 if gpus.visible() else 1


def take_share(number: int, of: int, threads: int = 0, gpu: str = "") -> None:
    """Leaves this process its share of the machine; called before JAX is imported.

    Args:
      number: of this worker, from 0.
      of: number of workers.
      threads: cores of each; 0: as many as all can have alike.
      gpu: one of `gpus.visible`, on which it computes with all cores beside; "": none.
    """
    if gpu:
        os.environ[gpus.VARIABLE] = gpu
        return
    cores = sorted(os.sched_getaffinity(0))
    size = threads or max(1, len(cores) // of)
    os.sched_setaffinity(0, set(cores[number % len(cores) :: of][:size]))


def keep_nice() -> None:
    """Makes the niceness of this process that of its session.

    Linux first divides the processor between sessions (autogroup), and looks at the
    niceness of a process within its own: `nice` before the command of a study would not
    reach its workers, each of which has a session of its own.
    """
    with contextlib.suppress(OSError):  # no Linux, or built without it
        Path("/proc/self/autogroup").write_text(str(os.nice(0)))
