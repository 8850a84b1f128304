# SPDX-License-Identifier: Apache-2.0
"""What noise adds to the time of a training step, beside what it adds in PyTorch.

python -m benchmarks.step_cost --models=mlp,lstm --rounds=7
"""

from __future__ import annotations

import sys
import time
from typing import Any

from benchmarks import measure
from benchmarks.models import MODELS, Model
from benchmarks.ours import Advance, ours
from benchmarks.peers import threads
from dropout_jax import data
from dropout_jax.config.guard import guarded

NAME = "step_cost"
KINDS = ("dropout", "gaussian_dropout")
LEARNED = ("variational_dropout", "logit_normal_dropout", "concrete_dropout")
MLP_KINDS = (*KINDS, *LEARNED)


def side(advance: Advance, steps: int) -> measure.Side:
    """Returns a side: the seconds of one step."""

    def seconds_per_step() -> float:
        started = time.perf_counter()
        advance(steps)
        return (time.perf_counter() - started) / steps

    return seconds_per_step


def torch_sides(name: str, model: Model, dataset: data.Dataset) -> dict[str, Any]:
    """Returns PyTorch with its dropout layers and without."""
    from benchmarks.peers.torch_models import peer

    share = max(1, model.steps // len(threads.NUMBERS))
    return {
        "torch": threads.better(side(peer(name, dataset), share)),
        "torch, none": threads.better(side(peer(name, dataset, noise=False), share)),
    }


def rows_of(name: str, dataset: data.Dataset, rounds: int) -> list[list[str]]:
    """Returns the table rows of one model."""
    model = MODELS[name]
    kinds = MLP_KINDS if name == "mlp" else KINDS
    sides = {
        kind: side(ours(model.with_noise(kind), dataset), model.steps)
        for kind in ("none", *kinds)
    }
    sides |= torch_sides(name, model, dataset)
    costs = measure.alternate(sides, rounds, label=f"{name}, per step:")
    pairs = [("dropout_jax", kind, kind, "none") for kind in kinds]
    pairs.append(("PyTorch", "dropout", "torch", "torch, none"))
    return [
        [
            model.title,
            library,
            f"`{noise}`",
            measure.milliseconds(costs[noisy]),
            measure.milliseconds(costs[quiet]),
            str(measure.ratio(costs[noisy], costs[quiet])),
        ]
        for library, noise, noisy, quiet in pairs
    ]


def main() -> None:
    """Measures all models and writes the table."""
    option = measure.names(MODELS)
    flags = measure.arguments(__doc__, 7, [("--models", option)])
    dataset = data.load()
    rows = []
    for name in flags.models:
        rows += rows_of(name, dataset, flags.rounds)
    measure.write(
        NAME,
        "What noise adds to a training step",
        measure.command(NAME),
        "The same program with the noise and with `config.noise.kind=none`, "
        f"milliseconds per optimiser step, median of {flags.rounds} rounds that "
        "alternate; the ratio is taken round by round, its range in brackets. Beside "
        "it PyTorch's model with its dropout layers and without them, at its better "
        "number of threads. Our LSTMs have `train.devices=2` on two cores. "
        "Gaussian dropout has the same rates at the same places; variational dropout "
        "learns its own there.",
        ["model", "library", "noise", "with", "without", "with / without (range)"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
