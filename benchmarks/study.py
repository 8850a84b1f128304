# SPDX-License-Identifier: Apache-2.0
"""A study of MLP trials, start-up and compilation included, beside PyTorch.

python -m benchmarks.study --trials=16 --epochs=10 --rounds=2

Four rates of dropout times some seeds: ours as one study, with an empty compilation
cache, and the same trials in one PyTorch process. A round takes minutes.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks import machine, measure, processes
from dropout_jax.config.guard import guarded

NAME = "study"


def ours(trials: int, epochs: int) -> tuple[float, list[float]]:
    """Returns the seconds of our study, and the test accuracies of its trials."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = [
            *("-m", "benchmarks.ours_study"),
            *(f"--trials={trials}", f"--epochs={epochs}", f"--workdir={directory}/w"),
        ]
        seconds, output = processes.run(arguments, cache=Path(directory) / "cache")
    return seconds, json.loads(output)


def peer(trials: int, epochs: int, threads: int) -> tuple[float, list[float]]:
    """Returns the same of PyTorch."""
    arguments = [
        *("-m", "benchmarks.peers.torch_study"),
        *(f"--trials={trials}", f"--epochs={epochs}", f"--threads={threads}"),
    ]
    seconds, output = processes.run(arguments)
    return seconds, json.loads(output)


def better_threads() -> int:
    """Returns the number of threads at which PyTorch trains one epoch faster."""
    seconds = {}
    for threads in sorted({1, machine.threads()}):
        seconds[threads] = peer(1, 1, threads)[0]
        measure.progress(f"PyTorch, {threads} threads: {seconds[threads]:.1f} s")
    return min(seconds, key=seconds.__getitem__)


def main() -> None:
    """Runs the study on both sides and writes the table."""
    count = {"type": int, "help": "(%(default)s)"}
    flags = measure.arguments(
        __doc__,
        2,
        [
            ("--trials", {**count, "default": 16}),
            ("--epochs", {**count, "default": 10}),
        ],
    )
    trials, epochs = flags.trials, flags.epochs
    threads = better_threads()
    accuracies: dict[str, list[float]] = {}

    def our_side() -> float:
        seconds, accuracies["dropout_jax"] = ours(trials, epochs)
        return seconds

    def torch_side() -> float:
        seconds, accuracies["PyTorch"] = peer(trials, epochs, threads)
        return seconds

    sides = {"dropout_jax": our_side, "PyTorch": torch_side}
    # Nothing to warm up: a fresh process is what is timed.
    costs = measure.alternate(sides, flags.rounds, warmup=0, label="study:")
    rows = [
        [
            side,
            f"{statistics.median(seconds):.1f}",
            str(measure.ratio(seconds, costs["dropout_jax"])),
            f"{100 * statistics.mean(accuracies[side]):.2f}",
        ]
        for side, seconds in costs.items()
    ]
    measure.write(
        NAME,
        f"{trials} MLP trials as one study",
        measure.command(NAME),
        f"MLP 784-256-256-10, batch 256, dropout at 4 rates, {trials} trials of "
        f"{epochs} epochs, each side a fresh process from its start to its end: "
        "imports, data and, with an empty cache, compilation. Ours is what `python -m "
        "dropout_jax.sweeps run` does: a worker process per core. Median of "
        f"{flags.rounds} rounds that alternate; the ratio is taken round by round, its "
        "range in brackets. PyTorch at the number of threads, "
        f"{threads}, at which it trained an epoch faster. Both validate "
        "after each epoch and test the best parameters.",
        ["side", "seconds", "time / ours (range)", "mean test accuracy, %"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
