# SPDX-License-Identifier: Apache-2.0
"""Watches over worker processes of this machine: deaths, silence, the wish to stop."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dropout_jax.config.causes import no_room, reason, writing
from dropout_jax.config.errors import UserError
from dropout_jax.files import content, remove_unfinished
from dropout_jax.silence import Silence
from dropout_jax.sweeps import heartbeat
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.training.interruption import StopRequest

WATCH_SECONDS = 0.2
PATIENCE_SECONDS = 900.0  # longer than any program here takes to compile
LOG_BYTES = 4096  # without which a worker cannot say why it dies
DEATHS = 3  # of workers that never gave a sign, after which something is wrong


class Worker:
    """One worker process, started again as often as it takes.

    Attributes:
      name: of the worker, for its files.
      beat: file of its heartbeat.
      log: file of what it says.
      deaths: how often it died.
      process: the one that runs now, or ran last.
    """

    def __init__(self, directory: Path, command: list[str]):
        """Starts `command`, a `work` with a --name; its files are in `directory`."""
        self.command, self.deaths = command, 0
        self.name = next(c for c in command if c.startswith("--name="))[7:]
        self.beat, self.log = directory / f"{self.name}.json", directory / self.name
        self.start()

    def start(self) -> None:
        """Starts the process; what it says is added to the log."""
        self._forget_beat()
        self._silence = Silence()
        with writing(self.log, 0):
            log = self.log.open("ab")
        with log:
            try:
                # A session of its own: Ctrl-C comes to it from us, once.
                self.process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise UserError(
                    f"no worker can be started: {self.command[0]}: {reason(error)}"
                ) from error

    def _forget_beat(self) -> None:
        self.beat.unlink(missing_ok=True)
        remove_unfinished(self.beat.parent, self.beat.name)

    def silence(self) -> float:
        """Returns the seconds without a sign of life, of those that were watched.

        One that ends takes its heartbeat away: what was seen of it still counts.
        """
        return self._silence.look(heartbeat.sign(self.beat))

    def last_line(self) -> str:
        """Returns the last line of the log, or why there is none."""
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self.log.parent).free < LOG_BYTES:
                return no_room(self.log, LOG_BYTES, os.strerror(errno.ENOSPC))
        said = (content(self.log) or b"").decode(errors="replace")
        lines = said.strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self) -> None:
        """Ends the process, and removes its files if it had no trouble."""
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self._forget_beat()
        if code == 0 and not self.deaths:
            self.log.unlink(missing_ok=True)


def watch(
    study: StudyDirectory,
    team: Sequence[Worker],
    stop: StopRequest,
    *,
    patience: float,
    note: Callable[[str], None],
    look: Callable[[], None] = lambda: None,
) -> None:
    """Returns when every worker has ended by itself, or was asked to.

    A worker that dies, or gives no sign of life, is replaced; the trial it had has
    failed once.

    Args:
      study: the directory.
      team: the workers.
      stop: once made, every worker is asked to save and to end.
      patience: seconds without a sign of life after which a worker is killed.
      note: shows one line.
      look: called between two looks at the workers.

    Raises:
      UserError: a worker cannot run here, such as for want of data or of room.
    """
    asked = False
    while True:
        codes = [worker.process.poll() for worker in team]
        look()
        if stop.made and not asked:
            asked = True
            note("stopping: every worker saves what it has")
            for worker in team:
                worker.process.send_signal(signal.SIGTERM)
        for worker, code in zip(team, codes, strict=True):
            if code is None and worker.silence() > patience:
                note(f"worker {worker.name}: no sign for {patience:g} s")
                worker.process.kill()
            elif code == 2:
                line = worker.last_line().removeprefix("error: ")
                raise UserError(f"worker {worker.name}: {line}")
            elif code not in (None, 0) and not asked:
                _replace(study, worker, code, note)
        # By the codes seen above: one that died since then is still to be replaced.
        if all(code == 0 or (asked and code is not None) for code in codes):
            return
        time.sleep(WATCH_SECONDS)


def _replace(
    study: StudyDirectory, worker: Worker, code: int, note: Callable[[str], None]
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
    note(f"worker {worker.name} died{what} ({how}); a new one takes over")
    for trial in set(beat.trials if beat else ()) - study.ledger.by_trial().keys():
        study.record_failure(trial, f"its worker died: {how}")
    worker.start()
