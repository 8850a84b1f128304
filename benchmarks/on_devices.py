# SPDX-License-Identifier: Apache-2.0
"""One point of the curve over devices: what `scaling` runs in a process of its own.

python -m benchmarks.on_devices --devices=2 --steps=40

Prints seconds per step, as JSON: of one run whose batch the devices share, and of four
trials, each device with lanes of its own (per trial).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys

import jax
import jax.numpy as jnp

from benchmarks import measure
from benchmarks.ours import configure, ours
from benchmarks.step_cost import side
from dropout_jax import data
from dropout_jax.config.guard import guarded
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.lanes import lanes, stack

FIELDS = {
    "model.widths": (256, 256),
    "noise.kind": "dropout",
    "noise.rates": (0.5,),
    "train.batch_size": 256,
}


def trials_side(
    dataset: data.Dataset,
    count: int,
    steps: int,
    *,
    devices: int = 1,
    together: bool | None = None,
) -> measure.Side:
    """Returns a side: the seconds of a step, per trial, of trials in lanes."""
    config, programs = configure(FIELDS, dataset)
    hparams, seeds = traced(config, programs.model.sites), list(range(count))
    arrays = (jnp.asarray(dataset.train_images), jnp.asarray(dataset.train_labels))
    advance = lanes(programs, devices=devices, together=together)
    starts = [programs.init(hparams, jnp.uint32(seed)) for seed in seeds]
    orders = stack([programs.order(jnp.uint32(seed), 0) for seed in seeds])
    states, fixed = stack(starts), (stack([hparams] * count), jnp.uint32(seeds))
    last = programs.steps_per_epoch - steps

    def take(number: int) -> None:
        nonlocal states
        step = int(states.step[0])
        if step > last:  # the epoch again: its order is what was drawn above
            states = states._replace(step=jnp.zeros_like(states.step))
            step = 0
        states = advance(states, *fixed, arrays, orders, step + number)
        jax.block_until_ready(states)

    per_step = side(take, steps)
    return lambda: per_step() / count


def main() -> None:
    """Measures both and prints them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    flags = parser.parse_args()
    dataset = data.load()
    one_run = ours({**FIELDS, "train.devices": flags.devices}, dataset)
    sides = {
        "one run": side(one_run, flags.steps),
        "four trials": trials_side(dataset, 4, flags.steps, devices=flags.devices),
    }
    costs = measure.alternate(sides, flags.rounds, label=f"{flags.devices} devices:")
    print(json.dumps({name: statistics.median(cost) for name, cost in costs.items()}))


if __name__ == "__main__":
    sys.exit(guarded(main))
