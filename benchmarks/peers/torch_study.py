# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of the study: the same trials one after another in one process.

python -m benchmarks.peers.torch_study --trials=16 --epochs=10 --threads=2

Validates after every epoch, keeps the best parameters and tests them at the end, as
ours does. Metrics and checkpoints, which ours writes besides, it leaves out.
"""

from __future__ import annotations

import copy
import json

import numpy as np
import torch
from torch import nn

from benchmarks.models import LEARNING_RATE
from benchmarks.ours_study import arguments, trials_of
from benchmarks.peers.torch_models import DEVICE, mlp
from dropout_jax import data

BATCH = 256
EVALUATION_BATCH = 1000

Split = tuple[torch.Tensor, torch.Tensor]


def tensors(images: np.ndarray, labels: np.ndarray) -> Split:
    """Returns float images in [0, 1] and their labels, on the device."""
    x = torch.from_numpy(images.astype(np.float32) / 255.0)
    return x.to(DEVICE), torch.from_numpy(labels.astype(np.int64)).to(DEVICE)


@torch.inference_mode()
def accuracy(model: nn.Module, split: Split) -> float:
    """Returns the share of right predictions without noise."""
    model.eval()
    right = sum(
        (model(x).argmax(1) == y).sum().item()
        for x, y in zip(*(t.split(EVALUATION_BATCH) for t in split), strict=True)
    )
    model.train()
    return right / len(split[1])


def trial(
    rate: float, seed: int, epochs: int, train: Split, validation: Split, test: Split
) -> float:
    """Trains one model and returns its test accuracy."""
    torch.manual_seed(seed)
    model = mlp((256, 256), (rate, rate), noise=True).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.0)
    images, labels = train
    best, best_accuracy = None, -1.0
    for _ in range(epochs):
        order = torch.randperm(len(labels), device=DEVICE)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
        found = accuracy(model, validation)
        if found > best_accuracy:
            best, best_accuracy = copy.deepcopy(model.state_dict()), found
    model.load_state_dict(best)
    return accuracy(model, test)


def main() -> None:
    """Runs the trials and prints their test accuracies."""
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    loaded = data.load()
    splits = (
        tensors(loaded.train_images, loaded.train_labels),
        tensors(loaded.validation_images, loaded.validation_labels),
        tensors(loaded.test_images, loaded.test_labels),
    )
    results = []
    for number, (rate, seed) in enumerate(trials_of(flags.trials), 1):
        results.append(trial(rate, seed, flags.epochs, *splits))
        print(f"[{number}/{flags.trials}] {100 * results[-1]:.2f} %", flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
