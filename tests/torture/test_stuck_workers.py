# SPDX-License-Identifier: Apache-2.0
"""A worker that is stopped, or waits for itself, is noticed, and its trial redone."""

import contextlib
import os
import random
import signal
import threading
import time

import studies
from dropout_jax.sweeps import heartbeat, run_local

PATIENCE = 15.0  # longer than a worker takes to start here
# The first process that imports it takes a lock that it holds already.
DEADLOCK = """
import pathlib, threading
mark = pathlib.Path(__file__).with_suffix(".seen")
if not mark.exists():
    mark.touch()
    lock = threading.Lock()
    with lock:
        lock.acquire()
"""


@contextlib.contextmanager
def stopping(study, delay):
    """Stops a worker (SIGSTOP) some time after it was first seen."""

    def strike():
        while not (beats := heartbeat.read(study.path / "workers")):
            time.sleep(0.01)
        time.sleep(delay)
        beats = heartbeat.read(study.path / "workers") or beats
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(beats[0].process.rpartition(":")[2]), signal.SIGSTOP)

    thread = threading.Thread(target=strike, daemon=True)
    thread.start()
    yield
    thread.join(timeout=60)


def test_stuck_workers_are_replaced(tmp_path, monkeypatch, environment, amount, figure):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    count, noticed, right = amount(2, 20), 0, 0
    planned = studies.trials(12)
    alone = studies.study_of(tmp_path / "alone", planned)
    assert run_local(alone, planned, workers=1, console=studies.console())
    for number in range(count):
        plugin, console = tmp_path / f"plugin_{number}.py", studies.console()
        plugin.write_text(DEADLOCK if number % 2 else "")
        trials = studies.trials(12, plugin=str(plugin))
        study = studies.study_of(tmp_path / f"stuck_{number}", trials)
        delay = random.Random(number).uniform(0.0, 1.0)
        injected = contextlib.nullcontext() if number % 2 else stopping(study, delay)
        with injected:
            run_local(study, trials, workers=1, patience=PATIENCE, console=console)
        noticed += "no sign for" in console.file.getvalue()
        found = list(studies.results(study).values())
        right += found == list(studies.results(alone).values())
    figure(
        3,
        "a worker stopped (SIGSTOP) or deadlocked: noticed, replaced, its trial redone "
        "with the same bits",
        "20/20",
        f"{noticed}/{count} noticed, {right}/{count} studies as undisturbed",
    )
    assert noticed == right == count
