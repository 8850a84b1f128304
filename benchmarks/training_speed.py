# SPDX-License-Identifier: Apache-2.0
"""Training speed beside PyTorch, stock Flax and Keras on JAX.

python -m benchmarks.training_speed --models=mlp,lstm --sides=ours,torch --rounds=7

Same images, model, batch size, optimiser and places of dropout. All sides alternate in
one sitting, PyTorch at one and at all threads, and the better figure counts. Last
losses are printed, so that a fast wrong program shows.
"""

from __future__ import annotations

import statistics
import sys
import time

from benchmarks import machine, measure
from benchmarks.models import MODELS, Model
from benchmarks.ours import Advance, ours
from benchmarks.peers import threads
from dropout_jax import data
from dropout_jax.config.guard import guarded

NAME = "training_speed"


class Trained:
    """A side of the comparison: how it trains, and what it last lost.

    Attributes:
      steps: of one round.
      taken: steps so far.
      loss: mean over the last steps.
    """

    def __init__(self, advance: Advance, model: Model, side: str):
        self._advance, self._batch = advance, model.batch
        self.steps = model.steps_of(side)
        self.taken, self.loss = 0, float("nan")

    def seconds_per_image(self, steps: int | None = None) -> float:
        """Trains for a round, or for some steps; returns what an image took."""
        steps = steps or self.steps
        started = time.perf_counter()
        self.loss = self._advance(steps)
        seconds = time.perf_counter() - started
        self.taken += steps
        return seconds / (steps * self._batch)


def torch_side(trained: Trained) -> measure.Side:
    """Returns PyTorch's side of a round."""
    # A share of the steps at each number of threads: equally many in the end.
    share = max(1, trained.steps // len(threads.NUMBERS))
    return threads.better(lambda: trained.seconds_per_image(share))


def advance_of(side: str, name: str, dataset: data.Dataset) -> Advance:
    """Returns how a side trains a model; its library is imported only now."""
    if side == "ours":
        return ours(MODELS[name].fields, dataset)
    if side == "torch":
        from benchmarks.peers.torch_models import peer
    elif side == "flax":
        from benchmarks.peers.flax_models import peer
    else:
        from benchmarks.peers.keras_models import peer
    return peer(name, dataset)


TITLES = {
    "ours": "dropout_jax",
    "torch": "PyTorch",
    "flax": "stock Flax",
    "keras": "Keras on JAX",
}


def title_of(side: str, model: Model) -> str:
    """Returns the name of a side, with what was set for it alone."""
    devices = model.fields.get("train.devices", 1)
    split = side == "ours" and devices > 1 and machine.on_cpu()
    return TITLES[side] + (f", `train.devices={devices}`" if split else "")


def compare(
    name: str, sides: tuple[str, ...], dataset: data.Dataset, rounds: int
) -> list[list[str]]:
    """Returns the table rows of one model."""
    model = MODELS[name]
    trained = {
        side: Trained(advance_of(side, name, dataset), model, side) for side in sides
    }
    runs = {
        side: torch_side(t) if side == "torch" else t.seconds_per_image
        for side, t in trained.items()
    }
    costs = measure.alternate(runs, rounds, label=f"{name}, per image:")
    rows = []
    for side in sides:
        beside = "" if side == "ours" or "ours" not in costs else costs[side]
        rows.append(
            [
                model.title,
                title_of(side, model),
                f"{1 / statistics.median(costs[side]):,.0f}",
                str(measure.ratio(beside, costs["ours"])) if beside else "",
                f"{trained[side].loss:.3f} ({trained[side].taken})",
            ]
        )
    return rows


def main() -> None:
    """Measures all models and writes the table."""
    flags = measure.arguments(
        __doc__,
        5,
        [
            ("--models", measure.names(MODELS)),
            ("--sides", measure.names(TITLES)),
        ],
    )
    dataset = data.load()
    rows = []
    for name in flags.models:
        rows += compare(name, flags.sides, dataset, flags.rounds)
    measure.write(
        NAME,
        "Training speed beside PyTorch, stock Flax and Keras on JAX",
        measure.command(NAME),
        f"Median of {flags.rounds} rounds, all sides alternating in one sitting; the "
        "ratio is taken round by round, its range in brackets. PyTorch at its better "
        "number of threads; compilation left out. The last loss is the mean over the "
        "steps of the last round, after as many steps as the brackets say: slow sides "
        "take fewer per round.",
        ["model", "side", "images/s", "ours is faster by", "last loss (steps)"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
