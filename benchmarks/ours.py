# SPDX-License-Identifier: Apache-2.0
"""Our side of every benchmark of training: the program that train.py runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from benchmarks import machine
from benchmarks.models import LEARNING_RATE
from dropout_jax import data
from dropout_jax.config import defaults, validate
from dropout_jax.config.loading import override
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.mesh import make_devices
from dropout_jax.training.programs import Programs, build_programs

make_devices(2)  # before anything computes

Advance = Callable[[int], float]  # takes so many steps, returns their mean loss

SHARED = {
    "optimizer.schedule": "constant",
    "optimizer.learning_rate": LEARNING_RATE,
}


def configure(fields: dict[str, Any], dataset: data.Dataset) -> tuple[Any, Programs]:
    """Returns our configuration and its programs.

    Args:
      fields: what differs from the defaults, by dotted path.
      dataset: what it trains on.
    """
    here = {} if machine.on_cpu() else {"train.devices": 1}
    config = override(defaults(), {**SHARED, **fields, **here})
    validate(config)
    shape, count = dataset.train_images.shape[1:], len(dataset.train_labels)
    return config, build_programs(config, shape, dataset.num_classes, count)


def ours(fields: dict[str, Any], dataset: data.Dataset) -> Advance:
    """Returns our side: the data on the device, many steps in one program.

    Args:
      fields: what differs from the defaults, by dotted path.
      dataset: what it trains on.
    """
    config, programs = configure(fields, dataset)
    hparams, seed = traced(config, programs.model.sites), jnp.uint32(0)
    arrays = (
        jnp.asarray(dataset.train_images),
        jnp.asarray(dataset.train_labels, jnp.int32),
    )
    state, hparams, seed, arrays = programs.place(
        (programs.init(hparams, seed), hparams, seed, arrays)
    )
    per_epoch, order = programs.steps_per_epoch, programs.order(seed, 0)
    order = programs.place(order)
    # Compiled here and now, so that what is patched meanwhile stays in it.
    run_chunk = programs.run_chunk.lower(
        state, hparams, seed, arrays, order, 1
    ).compile()

    def advance(steps: int) -> float:
        nonlocal state, order
        step, loss = int(state.step), 0.0
        end = step + steps
        while step < end:
            # As in a run: a chunk stays within its epoch, whose totals begin at 0.
            before = float(state.totals.loss) if step % per_epoch else 0.0
            stop = min(end, (step // per_epoch + 1) * per_epoch)
            if step % per_epoch == 0:
                order = programs.place(programs.order(seed, step // per_epoch))
            state = run_chunk(state, hparams, seed, arrays, order, stop)
            loss += float(state.totals.loss) - before  # waits for the device
            step = stop
        return loss / steps

    return advance
