# SPDX-License-Identifier: Apache-2.0
"""Training and sweeping on and on, under faults: nothing grows, nothing is left."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import runs

SOAK = Path(__file__).with_name("soak.py")


def test_nothing_leaks(tmp_path, environment, amount, figure):
    minutes = amount(1, 20)
    done = subprocess.run(
        [sys.executable, str(SOAK), str(tmp_path / "soak"), str(60 * minutes)],
        cwd=runs.ROOT,
        env={**environment, "PYTHONPATH": str(runs.ROOT)},
        capture_output=True,
        text=True,
        timeout=60 * minutes + runs.SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rounds = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
    warm = rounds[len(rounds) // 4 :]
    part = max(1, len(warm) // 3)
    first, last = (
        statistics.median(round_["memory"] for round_ in some)
        for some in (warm[:part], warm[-part:])
    )
    growth = last / first - 1
    right = sum(round_["right"] for round_ in rounds)
    files = {round_["files"] for round_ in warm}
    interrupts, kills = (
        sum(round_[name] for round_ in rounds) for name in ("interrupts", "kills")
    )
    left = sum(len(r["temporary"]) + r["processes"] for r in rounds)
    figure(
        15,
        f"{minutes} minutes of training and sweeping in one process, runs interrupted "
        "and workers killed at random",
        "memory growth under 2 % after warm-up, no leaked files or processes, all "
        "results right",
        f"{right}/{len(rounds)} rounds right, {interrupts} interrupts, {kills} kills; "
        f"memory {growth:+.1%} "
        f"({last / 2**20:.0f} MiB); open files {min(files)} to {max(files)}; "
        f"{left} temporary files and processes left",
    )
    assert right == len(rounds) and left == 0
    assert interrupts >= len(rounds) and kills >= amount(1, 10)
    assert max(files) - min(files) <= 2
    assert growth < amount(0.50, 0.02)  # a minute is hardly past warm-up
