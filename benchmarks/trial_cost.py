# SPDX-License-Identifier: Apache-2.0
"""What a trial costs beside its steps: whole runs against a bare compiled loop.

taskset -c 0 python -m benchmarks.trial_cost
python -m benchmarks.trial_cost --models=mlp --sizes=1000 --rounds=1 --trials=0

A whole run trains, validates 20 times on 5,000 images, tests its three sets of
parameters on 10,000 and writes its directory. The bare loop takes steps of the same
program in one call, before and after each run. Both count images per second, of
the clock or, where other processes use the same core, of their processor time.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from rich.console import Console

from benchmarks import measure, processes
from dropout_jax import training
from dropout_jax.config import defaults, validate
from dropout_jax.config.guard import guarded
from dropout_jax.config.loading import override
from dropout_jax.training import portable
from dropout_jax.training.prepare import prepare

NAME = "trial_cost"
VALIDATIONS = 20
BARE_SECONDS = 4.0  # of a bare loop, before and after each run

_DROPOUT = {"noise.kind": "dropout", "noise.rates": (0.5,)}
MODELS: dict[str, dict[str, Any]] = {
    "mlp": {**_DROPOUT, "model.widths": (512, 512)},
    "cnn": {
        **_DROPOUT,
        "model.name": "cnn",
        "model.channels": (16, 32, 64),
        "model.widths": (128,),
        "model.batch_norm": True,
    },
    "gru": {
        **_DROPOUT,
        "model.name": "rnn",
        "model.cell": "gru",
        "model.widths": (64, 64),
    },
}
TITLES = {
    "mlp": "MLP 512-512",
    "cnn": "CNN (16, 32, 64)-128, batch normalization",
    "gru": "GRU 64-64",
}
# Batch size and epochs by number of training images, as docs/protocol.md has them.
LENGTHS = {
    "mlp": {1000: (32, 200), 5000: (50, 60), 55000: (250, 25)},
    "cnn": {1000: (32, 200), 5000: (64, 50), 55000: (256, 20)},
    "gru": {1000: (32, 200), 5000: (64, 50), 55000: (256, 20)},
}
SIZES = tuple(LENGTHS["mlp"])
Clock = Callable[[], float]
SHARED = (
    " Other processes used the same core: the seconds are of processor time, in which "
    "waiting for files does not count."
)


def _processor_seconds() -> float:
    """Returns what this process and its children have used of the processor."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


CLOCKS: dict[str, Clock] = {
    "wall": time.perf_counter,
    "processor": _processor_seconds,
}


class Cell(NamedTuple):
    """One model on one number of training images."""

    model: str
    size: int
    other_epochs: int  # than those of LENGTHS; 0: the same
    now: Clock

    @property
    def epochs(self) -> int:
        """Passes over the training images."""
        return self.other_epochs or LENGTHS[self.model][self.size][1]

    @property
    def batch(self) -> int:
        """Images per update."""
        return LENGTHS[self.model][self.size][0]

    @property
    def updates(self) -> int:
        """Optimizer steps of a run."""
        return self.epochs * (self.size // self.batch)

    @property
    def images(self) -> int:
        """Training images that a run computes with, each epoch's counted again."""
        return self.updates * self.batch

    def config(self, seed: int = 0) -> Any:
        """Returns the configuration of a trial."""
        fields = {
            **MODELS[self.model],
            "data.train_size": self.size,
            "train.batch_size": self.batch,
            "train.epochs": self.epochs,
            "train.validations": VALIDATIONS,
            "seed": seed,
        }
        config = override(defaults(), fields)
        validate(config)
        return config


class Bare:
    """Steps of a cell's training program alone, in one call."""

    def __init__(self, cell: Cell):
        self._found, self._cell = prepare(cell.config()), cell
        dataset = self._found.dataset
        arrays = (
            jnp.asarray(dataset.train_images),
            jnp.asarray(dataset.train_labels, jnp.int32),
        )
        self._data = self._found.programs.place(arrays)
        self._steps = 0
        self._run(2)  # compiles
        seconds = self._run(16)
        self._steps = max(1, min(round(BARE_SECONDS / seconds * 16), cell.updates))

    def _run(self, steps: int) -> float:
        programs, hparams, seed = self._found.programs, *self._found[2:4]
        state = programs.place(programs.init(hparams, seed))
        order = programs.place(programs.order(seed, 0))
        jax.block_until_ready((state, order))
        started = self._cell.now()
        end = programs.run_chunk(state, hparams, seed, self._data, order, steps)
        jax.block_until_ready(end)
        return self._cell.now() - started

    def images_per_second(self) -> float:
        """Returns how fast it is now."""
        return self._steps * self._cell.batch / self._run(self._steps)


def whole_run(cell: Cell, seed: int, **options: Any) -> float:
    """Returns the images per second of a trial, from configuration to result."""
    quiet = training.TerminalProgress("", Console(file=io.StringIO()))
    with tempfile.TemporaryDirectory() as directory:
        place, config = Path(directory) / "run", cell.config(seed)
        started = cell.now()
        training.run(config, place, progress=quiet, **options)
        return cell.images / (cell.now() - started)


def compile_programs(cell: Cell) -> None:
    """Compiles all that a run of the cell needs, in a run of one validation."""
    whole_run(cell, 0, prune=lambda record: True)
    found = prepare(cell.config())
    images, labels = found.dataset.test_images, found.dataset.test_labels
    test = found.programs.place((jnp.asarray(images), jnp.asarray(labels, jnp.int32)))
    state = found.programs.init(found.hparams, found.seed)
    model = state.params, state.model_state
    jax.block_until_ready(found.programs.evaluate(*model, [test], found.hparams))


def study(cell: Cell, trials: int) -> float:
    """Returns the images per second of a study, from the start of its process."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = [
            *("-m", "benchmarks.trial_cost_study", f"--workdir={directory}/study"),
            *(f"--model={cell.model}", f"--size={cell.size}", f"--trials={trials}"),
            f"--epochs={cell.other_epochs}",
        ]
        started = cell.now()
        processes.run(arguments)
        return trials * cell.images / (cell.now() - started)


def beside(bare: Bare, whole: Any) -> tuple[float, float]:
    """Returns the speed of something whole, and that of the bare loop around it."""
    before = bare.images_per_second()
    found = whole()
    return found, (before + bare.images_per_second()) / 2


def measured(cell: Cell, rounds: int, trials: int) -> list[list[str]]:
    """Returns the rows of a cell: single runs, and a study of so many trials."""
    bare, rows = Bare(cell), []
    if rounds:
        compile_programs(cell)
        pairs = [beside(bare, lambda n=n: whole_run(cell, n)) for n in range(rounds)]
        rows.append(row(cell, "a run", pairs))
    if trials:
        pairs = [beside(bare, lambda: study(cell, trials))]
        rows.append(row(cell, f"a study of {trials}, process start included", pairs))
    return rows


def row(cell: Cell, what: str, pairs: list[tuple[float, float]]) -> list[str]:
    """Returns a row of the table from (whole, bare) speeds."""
    whole, bare = zip(*pairs, strict=True)
    ratio = measure.ratio(whole, bare)
    measure.progress(f"{cell.model} {cell.size:,}: {what}: {ratio}")
    return [
        TITLES[cell.model],
        f"{cell.size:,}",
        f"{cell.updates:,} of {cell.batch}",
        what,
        f"{statistics.median(whole):,.0f}",
        f"{statistics.median(bare):,.0f}",
        str(ratio),
    ]


def main() -> None:
    """Measures all cells and writes the table."""
    count = {"type": int, "help": "(%(default)s)"}
    sizes = measure.names(map(str, SIZES))
    flags = measure.arguments(
        __doc__,
        3,
        [
            ("--models", measure.names(MODELS)),
            ("--sizes", sizes),
            ("--trials", {**count, "default": 40}),
            ("--epochs", {**count, "default": 0}),
            ("--clock", {"choices": CLOCKS, "default": "wall"}),
        ],
    )
    portable.enable()  # as a run with one thread has it
    rows = []
    for model in flags.models:
        for size in map(int, flags.sizes):
            cell = Cell(model, size, flags.epochs, CLOCKS[flags.clock])
            rows += measured(cell, flags.rounds, flags.trials)
    measure.write(
        NAME,
        "What a trial costs beside its steps",
        measure.command(NAME),
        f"Images per second of whole runs, each with {VALIDATIONS} validations on "
        "5,000 images, the test of its three sets of parameters on 10,000 images, and "
        "all files, beside a bare compiled loop over steps of the same program. A "
        "single run is timed in a process that has compiled its programs, a study of "
        "one worker from the start of its process. The bare loop is timed before and "
        "after each; the ratio is taken round by round, its range in brackets."
        + SHARED
        * (flags.clock == "processor"),
        ["model", "images", "updates", "what", "whole, images/s", "bare", "ratio"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
