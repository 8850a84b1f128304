# SPDX-License-Identifier: Apache-2.0
"""What a study will take, before it begins."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
from rich.console import Console

from dropout_jax import terminal
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.slow import told_if_slow
from dropout_jax.sweeps.estimate import told
from dropout_jax.sweeps.groups import by_program
from dropout_jax.sweeps.ledger import Ledger
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training import TerminalProgress, run
from dropout_jax.training.loop import CLEAN_TRAIN_EXAMPLES
from dropout_jax.training.prepare import prepare
from dropout_jax.training.validations import validated_epochs

PROBE_SECONDS = 1.0  # of training, by which a program's speed is known
# A run of next to no steps, by which is known what a trial costs beside them.
_EMPTY = {
    "data.name": "synthetic",
    "data.train_size": 64,
    "model.widths": (4,),
    "train.batch_size": 64,
    "train.epochs": 1,
}


class Cost(NamedTuple):
    """What a trial of a program takes, in seconds.

    Attributes:
      start: until its program has taken the first step, once in a process.
      each: of training and validating, for each trial.
    """

    start: float
    each: float


def preview(trials: Sequence[Trial], ledger: Ledger, console: Console) -> None:
    """Prints the trials, their programs, and the time that they take.

    Each program is compiled, which `run` then need not do, and trains and validates for
    a moment. The time is what one process would need for one trial after another.

    Args:
      trials: the planned trials, validated.
      ledger: what is in it need not run.
      console: where to.
    """
    known, total = ledger.by_trial(), 0.0
    table = terminal.Grid("program", "arms", "trials", "done", "each", "left")
    groups = by_program(trials)
    beside = 0.0
    if any(trial.id not in known for trial in trials):
        with told_if_slow(lambda line: terminal.say(console, line), "timing a trial"):
            beside = seconds_beside()
    for number, group in enumerate(groups, 1):
        left = [trial for trial in group if trial.id not in known]
        arms = list(dict.fromkeys(trial.arm for trial in group))
        shown = f"{', '.join(arms[:3])}{', ...' if len(arms) > 3 else ''}"
        doing = f"compiling and timing program {number} of {len(groups)}: {shown}"
        cost = Cost(0.0, 0.0)
        if left:
            with told_if_slow(lambda line: terminal.say(console, line), doing):
                cost = cost_of(left[0])
        each = cost.each + beside
        seconds = (cost.start + each * len(left)) if left else 0.0
        total += seconds
        table.add_row(
            str(number),
            shown,
            str(len(group)),
            str(len(group) - len(left)),
            told(each) if left else "",
            told(seconds) if left else "",
        )
    console.print(table)
    terminal.say(
        console,
        f"{len(trials)} trials, {len(groups)} training programs, {told(total)} in one "
        "process",
    )


def seconds_beside() -> float:
    """Returns what a trial takes beside its steps: files, checkpoint, start."""
    quiet = TerminalProgress(console=Console(quiet=True))
    with tempfile.TemporaryDirectory() as place:
        spent = 0.0
        for seed in (0, 1):  # the first one compiles
            config = override(defaults(), {**_EMPTY, "seed": seed})
            started = time.perf_counter()
            run(config, Path(place, str(seed)), progress=quiet)
            spent = time.perf_counter() - started
    return spent


def cost_of(trial: Trial) -> Cost:
    """Returns what a trial takes, by training and validating for a moment."""
    started = time.perf_counter()
    prepared = prepare(trial.config)
    programs, found = prepared.programs, prepared.dataset
    state = programs.init(prepared.hparams, prepared.seed)
    order = programs.place(programs.order(prepared.seed, 0))

    def placed(images, labels):
        return programs.place((jnp.asarray(images), jnp.asarray(labels, jnp.int32)))

    data = placed(found.train_images, found.train_labels)
    clean = CLEAN_TRAIN_EXAMPLES
    watched = [
        placed(found.train_images[:clean], found.train_labels[:clean]),
        placed(found.validation_images, found.validation_labels),
    ]
    arguments = programs.place((state, prepared.hparams, prepared.seed))
    state, hparams, seed = arguments

    def advance(state, stop):
        state = programs.run_chunk(state, hparams, seed, data, order, stop)
        return state, float(state.totals.loss)  # waits for the device

    def validate(state):
        of = state.params, state.model_state
        jax.block_until_ready(programs.evaluate(*of, watched, hparams))

    state, _ = advance(state, 1)
    validate(state)
    start = time.perf_counter() - started
    started = time.perf_counter()
    validate(state)
    validation = time.perf_counter() - started
    taken, started, size = 0, time.perf_counter(), 1
    while time.perf_counter() - started < PROBE_SECONDS:
        step = int(state.step)
        stop = min(step + size, programs.steps_per_epoch)
        if stop == step:
            break
        state, _ = advance(state, stop)
        taken, size = taken + stop - step, size * 2
    spent = time.perf_counter() - started
    train = trial.config.train
    steps = train.epochs * programs.steps_per_epoch
    count = len(validated_epochs(train.epochs, train.validations))
    return Cost(start, steps * spent / max(taken, 1) + count * validation)
