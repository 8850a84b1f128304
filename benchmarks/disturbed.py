# SPDX-License-Identifier: Apache-2.0
"""Studies under fire: killed again and again, and what is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.processes import ROOT
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps import StudyDirectory, Trial, heartbeat, plan

# Of a result: what must not depend on what happened on the way.
FOUND = ("parameters_sha256", "metrics_sha256", "test", "validation", "best_epoch")
TINY = {
    "data.name": "synthetic",
    "data.train_size": 64,
    "model.widths": (4,),
    "noise.kind": "dropout",
    "train.epochs": 1,
    "train.batch_size": 32,
}


def tiny_trials(count: int) -> list[Trial]:
    """Returns trials of a moment each: ten rates, as many seeds as it takes."""
    base = override(defaults(), TINY)
    sweep = [
        {"arm": f"{n % 10 / 10}", "seed": n // 10, "noise.rates": (n % 10 / 10,)}
        for n in range(count)
    ]
    return plan("tiny", base, sweep)


def results(study: StudyDirectory) -> tuple[dict[str, Any], int]:
    """Returns what each trial found, by id, and how many lines are there twice."""
    lines = []
    if study.ledger.path.exists():
        lines = study.ledger.path.read_text().splitlines()
    found: dict[str, Any] = {}
    for line in map(json.loads, lines):
        found[line["trial"]] = {name: line["result"].get(name) for name in FOUND}
    return found, len(lines) - len(found)


def run(study: StudyDirectory, workers: int, timeout: float = 1800) -> float:
    """Runs a study to its end, in processes of its own; returns the seconds."""
    started = time.perf_counter()
    subprocess.run(
        _command(study, workers),
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=timeout,
    )
    return time.perf_counter() - started


def run_killed(
    study: StudyDirectory, workers: int, kills: int, seconds: Sequence[float] = (1, 8)
) -> None:
    """Runs a study, killed with SIGKILL at random moments, then left alone.

    Each time the process that the user started is killed, and half of the workers.

    Args:
      study: the study, planned.
      workers: number of worker processes.
      kills: how often.
      seconds: shortest and longest time between two kills.
    """
    for _ in range(kills):
        with subprocess.Popen(
            _command(study, workers),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(random.uniform(*seconds))
            team = [
                int(beat.process.rpartition(":")[2])
                for beat in heartbeat.read(study.path / "workers")
            ]
            for victim in [process.pid, *random.sample(team, len(team) // 2)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
            process.wait(timeout=60)
    run(study, workers)


def _command(study: StudyDirectory, workers: int) -> list[str]:
    command = [sys.executable, "-m", "dropout_jax.sweeps", "resume"]
    return [*command, f"--study={study.path}", f"--workers={workers}"]
