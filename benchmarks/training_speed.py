# SPDX-License-Identifier: Apache-2.0
"""Training speed beside PyTorch: same images, model, batch size and dropout sites.

python benchmarks/training_speed.py

Both sides alternate in one sitting, PyTorch at one and at all threads, and the better
figure counts. Timings move with the machine's other load; the ratio, taken round by
round, is the result. Final losses are printed, so that a fast wrong program shows.
Writes benchmarks/results/training_speed.md.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from dropout_jax import data
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs

RESULT = Path(__file__).parent / "results" / "training_speed.md"
LEARNING_RATE = 1e-3

# name -> (our config, steps per round)
MODELS: dict[str, tuple[dict[str, Any], int]] = {
    "MLP 784-256-256-10, dropout .2/.5, batch 256": (
        {
            "model.widths": (256, 256),
            "noise.rates": (0.2, 0.5),
            "train.batch_size": 256,
        },
        200,
    ),
    "CNN 32c3-pool-64c3-pool-128-10, dropout .25/.25/.5, batch 128": (
        {
            "model.name": "cnn",
            "model.widths": (128,),
            "noise.rates": (0.25, 0.25, 0.5),
            "train.batch_size": 128,
        },
        15,
    ),
    "LSTM 28x28 rows, 128 units, dropout .5 on its output, batch 128": (
        {
            "model.name": "rnn",
            "model.widths": (128,),
            "noise.rates": (0.5,),
            "train.batch_size": 128,
        },
        40,
    ),
}

Step = Callable[[int], float]  # advances so many steps, returns their mean loss


def ours(fields: dict[str, Any], dataset: data.Dataset) -> Step:
    """Returns our side: the program that train.py runs."""
    shared = {"noise.kind": "dropout", "optimizer.schedule": "constant"}
    config = override(defaults(), {**shared, **fields})
    programs = build_programs(config, (28, 28), 10, len(dataset.train_labels))
    hparams = traced(config, programs.model.sites)
    seed = jnp.uint32(0)
    arrays = (
        jnp.asarray(dataset.train_images),
        jnp.asarray(dataset.train_labels, jnp.int32),
    )
    state = programs.init(hparams, seed)

    def advance(steps: int) -> float:
        nonlocal state
        start, before = int(state.step), float(state.totals.loss)
        state = programs.run_chunk(state, hparams, seed, arrays, start + steps)
        return (float(state.totals.loss) - before) / steps

    return advance


class RowsLSTM(torch.nn.Module):
    """PyTorch's fused LSTM over the rows of an image."""

    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(28, 128, batch_first=True)
        self.head = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(128, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns logits for images [batch, 28, 28]."""
        return self.head(self.lstm(x)[0][:, -1])


def torch_model(name: str) -> torch.nn.Module:
    """Returns PyTorch's twin of the model."""
    nn = torch.nn
    if name.startswith("MLP"):
        return nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2)),
            *(nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.5)),
            nn.Linear(256, 10),
        )
    if name.startswith("CNN"):
        return nn.Sequential(
            nn.Unflatten(1, (1, 28)),
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Dropout(0.25),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Dropout(0.25),
            *(nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Dropout(0.5)),
            nn.Linear(128, 10),
        )
    return RowsLSTM()


def peer(name: str, fields: dict[str, Any], dataset: data.Dataset) -> Step:
    """Returns PyTorch's side: float images in memory, one step after another."""
    torch.manual_seed(0)
    model = torch_model(name).train()
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.0)
    images = torch.from_numpy(dataset.train_images.astype(np.float32) / 255.0)
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64))
    batch = fields["train.batch_size"]
    order, position = torch.randperm(len(labels)), 0

    def advance(steps: int) -> float:
        nonlocal order, position
        total = 0.0
        for _ in range(steps):
            if position + batch > len(order):
                order, position = torch.randperm(len(order)), 0
            chosen = order[position : position + batch]
            position += batch
            optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(
                model(images[chosen]), labels[chosen]
            )
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / steps

    return advance


def timed(advance: Step, steps: int, batch: int) -> tuple[float, float]:
    """Returns images per second and the mean loss of so many steps."""
    started = time.perf_counter()
    loss = advance(steps)
    return steps * batch / (time.perf_counter() - started), loss


def compare(name: str, dataset: data.Dataset, rounds: int) -> list[str]:
    """Returns the table row of one model."""
    fields, steps = MODELS[name]
    batch = fields["train.batch_size"]
    sides = {"ours": ours(fields, dataset), "torch": peer(name, fields, dataset)}
    cores = len(os.sched_getaffinity(0))
    speeds: dict[str, list[float]] = {"ours": [], "torch": []}
    losses = {}
    # Beyond the end of an epoch our side repeats its order, which costs the same.
    for round_number in range(rounds + 1):
        speed, losses["ours"] = timed(sides["ours"], steps, batch)
        best = 0.0
        for threads in sorted({1, cores}):
            torch.set_num_threads(threads)
            # Half the steps at each number of threads: equally many in the end.
            found, losses["torch"] = timed(sides["torch"], steps // 2, batch)
            best = max(best, found)
        if round_number:  # the first one compiles and warms up
            speeds["ours"].append(speed)
            speeds["torch"].append(best)
            print(f"{name}: {speed:,.0f} beside {best:,.0f} images/s", flush=True)
    ratios = [a / b for a, b in zip(speeds["ours"], speeds["torch"], strict=True)]
    return [
        name,
        f"{statistics.median(speeds['ours']):,.0f}",
        f"{statistics.median(speeds['torch']):,.0f}",
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        f"{losses['ours']:.3f}",
        f"{losses['torch']:.3f}",
    ]


def main() -> None:
    """Measures all models and writes the table."""
    parser = argparse.ArgumentParser(description="Training speed beside PyTorch.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count")
    rounds = parser.parse_args().rounds
    dataset = data.load()
    header = [
        "model",
        "dropout_jax, images/s",
        f"PyTorch {torch.__version__.split('+')[0]}, images/s",
        "ratio (range over rounds)",
        "last loss, ours",
        "last loss, PyTorch",
    ]
    rows = [compare(name, dataset, rounds) for name in MODELS]
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * 6, *rows]]
    device = jax.devices()[0].device_kind
    machine = f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, {device}"
    text = (
        "# Training speed beside PyTorch\n\n"
        f"`python benchmarks/training_speed.py --rounds={rounds}`; {machine}; jax "
        f"{jax.__version__}. Median of {rounds} rounds, alternating in one sitting; "
        "PyTorch at its better number of threads; compilation left out.\n\n"
        + "\n".join(lines)
        + "\n"
    )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
