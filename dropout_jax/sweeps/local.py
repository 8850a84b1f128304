# SPDX-License-Identifier: Apache-2.0
"""Runs a study in several processes of this machine, and watches over them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.sweeps import heartbeat
from dropout_jax.sweeps.display import StudyDisplay
from dropout_jax.sweeps.study import StudyDirectory, unfinished
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training.interruption import StopRequest, stop_requests

WATCH_SECONDS = 0.2
PATIENCE_SECONDS = 900.0  # longer than any program here takes to compile
DEATHS = 3  # of workers that never gave a sign, after which something is wrong


def run_local(
    study: StudyDirectory,
    trials: Sequence[Trial],
    *,
    workers: int,
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
      workers: number of processes, at least 1.
      minutes: no new trial begins after so many minutes; 0 for no limit.
      patience: seconds without a sign of life after which a worker is killed.
      console: where progress is shown.

    Returns:
      Whether all trials are in the ledger.

    Raises:
      Interrupted: Ctrl-C or SIGTERM; every worker has saved what it had.
      UserError: a worker cannot run here, such as for want of data or of room.
    """
    directory = study.path / "workers"
    directory.mkdir(exist_ok=True)
    wanted = directory / f"wanted_{os.getpid()}"
    wanted.write_text("".join(f"{trial.id}\n" for trial in trials))
    commands = [
        [
            *(sys.executable, "-m", "dropout_jax.sweeps", "work"),
            f"--study={study.path}",
            f"--wanted={wanted}",
            f"--name={os.getpid()}_{number}",
            f"--share={number}/{workers}",
            f"--minutes={minutes}",
        ]
        for number in range(workers)
    ]
    team = [_Worker(directory, command) for command in commands]
    try:
        with StudyDisplay(study, trials, console) as display, stop_requests() as stop:
            _watch(study, team, display, stop, patience)
            if stop.made:
                raise Interrupted(study.path)
    finally:
        for worker in team:
            worker.close()
        wanted.unlink()
    return not unfinished(study, trials)


class _Worker:
    """One worker process, started again as often as it takes."""

    def __init__(self, directory: Path, command: list[str]):
        self.command, self.deaths = command, 0
        self.name = next(c for c in command if c.startswith("--name="))[7:]
        self.beat, self.log = directory / f"{self.name}.json", directory / self.name
        self.start()

    def start(self) -> None:
        self.beat.unlink(missing_ok=True)
        self.started = time.time()
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C comes to it from us, once.
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def silence(self) -> float:
        """Returns the seconds since the last sign of life."""
        beats = [self.beat.stat().st_mtime] if self.beat.exists() else []
        return time.time() - max([self.started, *beats])

    def last_line(self) -> str:
        """Returns the last line of the log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self) -> None:
        """Ends the process, and removes its files if it had no trouble."""
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self.beat.unlink(missing_ok=True)
        if code == 0 and not self.deaths:
            self.log.unlink(missing_ok=True)


def _watch(
    study: StudyDirectory,
    team: Sequence[_Worker],
    display: StudyDisplay,
    stop: StopRequest,
    patience: float,
) -> None:
    """Returns when every worker has ended by itself, or was asked to."""
    asked = False
    while True:
        codes = [worker.process.poll() for worker in team]
        display.update(heartbeat.read(study.path / "workers"))
        if stop.made and not asked:
            asked = True
            display.note("stopping: every worker saves what it has")
            for worker in team:
                worker.process.send_signal(signal.SIGTERM)
        for worker, code in zip(team, codes, strict=True):
            if code is None and worker.silence() > patience:
                display.note(f"worker {worker.name}: no sign for {patience:g} s")
                worker.process.kill()
            elif code == 2:
                line = worker.last_line().removeprefix("error: ")
                raise UserError(f"worker {worker.name}: {line}")
            elif code not in (None, 0) and not asked:
                _replace(study, worker, code, display)
        if all(worker.process.poll() is not None for worker in team):
            display.update([])
            return
        time.sleep(WATCH_SECONDS)


def _replace(
    study: StudyDirectory, worker: _Worker, code: int, display: StudyDisplay
) -> None:
    """Starts a worker again that died with exit code `code`; its trial has failed."""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    beats = {beat.worker: beat for beat in heartbeat.read(worker.beat.parent)}
    beat = beats.get(worker.name)
    worker.deaths += 1
    if beat is None and worker.deaths >= DEATHS:
        raise UserError(
            f"workers die before their first trial ({how}; {worker.last_line()}); the "
            f"log is {worker.log}"
        )
    what = f" at {beat.doing}" if beat else ""
    display.note(f"worker {worker.name} died{what} ({how}); a new one takes over")
    if beat is not None and beat.trial not in study.ledger.by_trial():
        study.record_failure(beat.trial, f"its worker died: {how}")
    worker.start()


def default_workers() -> int:
    """Returns the number of workers that this machine bears: per core, or per GPU."""
    return len(_gpus()) or len(os.sched_getaffinity(0))


def take_share(number: int, of: int) -> None:
    """Leaves this process its share of the machine; called before JAX is imported.

    Args:
      number: of this worker, from 0.
      of: number of workers.
    """
    gpus = _gpus()
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[number % len(cores) :: of]))


def _gpus() -> list[str]:
    """Returns the numbers of the NVIDIA GPUs that may be used."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if os.environ.get("JAX_PLATFORMS") == "cpu" or not shutil.which("nvidia-smi"):
        return []
    if visible is not None:
        return [name for name in visible.split(",") if name]
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return listed.stdout.split()
