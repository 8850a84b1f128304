# SPDX-License-Identifier: Apache-2.0
"""Trains and sweeps for a while in one process, under faults; a JSON line per round.

python tests/torture/soak.py DIRECTORY SECONDS
"""

import contextlib
import gc
import itertools
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import studies
from dropout_jax import training
from dropout_jax.config import Interrupted
from dropout_jax.sweeps import heartbeat, run_local

FIELDS = {"train.epochs": 6, "train.checkpoint_seconds": 0.0}


class Disturbed(training.TerminalProgress):
    """Asks the run to stop after a random step, as Ctrl-C does."""

    def __init__(self, chance):
        super().__init__()
        self.at = chance.randrange(1, 14)

    def advance(self, step, *speed):
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)

    def note(self, message):
        pass


def digests(values):
    return [values["parameters_sha256"], values["metrics_sha256"]]


def train(directory, trial, chance):
    """One run, interrupted at random until it is done; its digests, and how often."""
    for interrupts in itertools.count():
        try:
            values = training.run(
                trial.config, directory, progress=Disturbed(chance)
            ).values
        except Interrupted:
            continue
        return digests(values), interrupts
    raise AssertionError


def undisturbed(directory, trials):
    """One study; its digests by trial."""
    study = studies.study_of(directory, trials)
    run_local(study, trials, workers=2, console=studies.console())
    return studies.results(study)


def sweep(directory, trials, chance):
    """One study of which a worker is killed; its digests by trial, and how often."""
    study, over = studies.study_of(directory, trials), threading.Event()
    moment, kills = chance.uniform(0.0, 1.0), []

    def strike():
        while not over.wait(0.01) and not kills:  # who gives a sign is at work
            if heartbeat.read(study.path / "workers"):
                over.wait(moment)
            for beat in heartbeat.read(study.path / "workers")[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(beat.process.rpartition(":")[2]), signal.SIGKILL)
                    kills.append(beat)

    thread = threading.Thread(target=strike)
    thread.start()
    run_local(study, trials, workers=2, console=studies.console())
    over.set()
    thread.join()
    return studies.results(study), len(kills)


def memory():
    """Bytes that the process has in memory."""
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def children():
    """Processes that this one started and that are still there."""
    return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def main(directory, seconds):
    """Runs until the time is over; what is right is found first, undisturbed."""
    chance, number = random.Random(0), 0
    trials = studies.trials(4, **FIELDS)
    wanted = [
        digests(training.run(trial.config, directory / f"right_{n}").values)
        for n, trial in enumerate(trials)
    ]
    wanted_of_study = undisturbed(directory / "right_study", trials)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        place = directory / f"round_{number}"
        found = [
            train(place / f"run_{n}", trial, chance) for n, trial in enumerate(trials)
        ]
        right, kills = [digest for digest, _ in found] == wanted, 0
        if number % 4 == 0:
            results, kills = sweep(place / "study", trials, chance)
            right = right and results == wanted_of_study
        temporary = [str(p) for p in place.rglob("*") if "tmp" in p.name]
        shutil.rmtree(place)
        line = {
            "right": right,
            "interrupts": sum(count for _, count in found),
            "kills": kills,
            "temporary": temporary,
            "memory": memory(),
            "files": len(os.listdir("/proc/self/fd")),
            "processes": children(),
        }
        print(json.dumps(line), flush=True)
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
