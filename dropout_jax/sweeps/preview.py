# SPDX-License-Identifier: Apache-2.0
"""What a study will take, before it begins."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dropout_jax.sweeps.groups import by_program
from dropout_jax.sweeps.ledger import Ledger
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training.prepare import prepare

PROBE_SECONDS = 1.0  # of training, by which a program's speed is known


def preview(trials: Sequence[Trial], ledger: Ledger, console: Console) -> None:
    """Prints the trials, their programs, and the time that they take.

    Each program is compiled, which `run` then need not do, and trains for a moment:
    the time is what one process would need for the training alone.

    Args:
      trials: the planned trials, validated.
      ledger: what is in it need not run.
      console: where to.
    """
    known, total = ledger.by_trial(), 0.0
    table = Table("program", "arms", "trials", "done", "each", "left")
    groups = by_program(trials)
    for number, group in enumerate(groups, 1):
        left = [trial for trial in group if trial.id not in known]
        each = seconds_of(left[0]) if left else 0.0
        total += each * len(left)
        arms = list(dict.fromkeys(trial.arm for trial in group))
        table.add_row(
            str(number),
            Text(f"{', '.join(arms[:3])}{', ...' if len(arms) > 3 else ''}"),
            str(len(group)),
            str(len(group) - len(left)),
            f"{each:.0f} s",
            f"{each * len(left) / 60:.1f} min",
        )
    console.print(table)
    console.print(
        f"{len(trials)} trials, {len(groups)} training programs, about "
        f"{total / 60:.1f} min of training in one process",
        highlight=False,
    )


def seconds_of(trial: Trial) -> float:
    """Returns how long the trial will train, by training for a moment."""
    prepared = prepare(trial.config)
    programs, (images, labels) = prepared.programs, prepared.dataset[:2]
    state = programs.init(prepared.hparams, prepared.seed)
    order = programs.order(prepared.seed, 0)
    data = programs.place((images, labels.astype("int32")))
    arguments = programs.place((state, prepared.hparams, prepared.seed))
    state, hparams, seed = arguments
    order = programs.place(order)

    def advance(state, stop):
        state = programs.run_chunk(state, hparams, seed, data, order, stop)
        return state, float(state.totals.loss)  # waits for the device

    state, _ = advance(state, 1)
    taken, started, size = 0, time.perf_counter(), 1
    while time.perf_counter() - started < PROBE_SECONDS:
        step = int(state.step)
        stop = min(step + size, programs.steps_per_epoch)
        if stop == step:
            break
        state, _ = advance(state, stop)
        taken, size = taken + stop - step, size * 2
    spent = time.perf_counter() - started
    steps = trial.config.train.epochs * programs.steps_per_epoch
    return steps * spent / max(taken, 1)
