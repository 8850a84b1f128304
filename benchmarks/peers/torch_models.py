# SPDX-License-Identifier: Apache-2.0
"""PyTorch: images in memory as floats, one optimiser step after another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.models import LEARNING_RATE, MODELS
from dropout_jax import data

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# XLA multiplies float32 in TF32 on a GPU, as PyTorch convolves; PyTorch's products do
# so only when they are told to.
torch.backends.cuda.matmul.allow_tf32 = True


def dropout(rate: float, noise: bool) -> nn.Module:
    """Returns the layer, or one that does nothing."""
    return nn.Dropout(rate) if noise else nn.Identity()


class RowsLSTM(nn.Module):
    """The fused LSTM over the rows of an image; dropout on its last output."""

    def __init__(self, noise: bool = True):
        super().__init__()
        self.lstm = nn.LSTM(28, 128, batch_first=True)
        self.head = nn.Sequential(dropout(0.5, noise), nn.Linear(128, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns logits for images [batch, 28, 28]."""
        return self.head(self.lstm(x)[0][:, -1])


class TiedLSTM(nn.Module):
    """The same with one dropout mask per sequence on the state that is fed back.

    The fused LSTM has no place for such a mask: this is the loop over a cell that
    PyTorch offers instead (Gal and Ghahramani 2016).
    """

    def __init__(self, noise: bool = True):
        super().__init__()
        self.cell = nn.LSTMCell(28, 128)
        self.noise = dropout(0.5, noise)
        self.head = nn.Sequential(dropout(0.5, noise), nn.Linear(128, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns logits for images [batch, 28, 28]."""
        hidden = cell = x.new_zeros(len(x), 128)
        mask = self.noise(torch.ones_like(hidden))
        for row in x.unbind(1):
            hidden, cell = self.cell(row, (hidden * mask, cell))
        return self.head(hidden)


def mlp(widths: tuple[int, ...], rates: tuple[float, ...], noise: bool) -> nn.Module:
    """Returns an MLP on images of 28x28 pixels with dropout after hidden layers."""
    layers, inputs = [nn.Flatten()], 784
    for width, rate in zip(widths, rates, strict=True):
        layers += [nn.Linear(inputs, width), nn.ReLU(), dropout(rate, noise)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 10))


def cnn(noise: bool) -> nn.Module:
    """Returns the twin of our CNN."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28)),
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        dropout(0.25, noise),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        dropout(0.25, noise),
        *(nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), dropout(0.5, noise)),
        nn.Linear(128, 10),
    )


BUILD: dict[str, Callable[[bool], nn.Module]] = {
    "mlp": lambda noise: mlp((256, 256), (0.2, 0.5), noise),
    "cnn": cnn,
    "lstm": RowsLSTM,
    "tied_lstm": TiedLSTM,
}


def peer(
    name: str, dataset: data.Dataset, noise: bool = True
) -> Callable[[int], float]:
    """Returns PyTorch's side.

    Args:
      name: of the model.
      dataset: what it trains on.
      noise: whether the model has its dropout layers.
    """
    torch.manual_seed(0)
    model = BUILD[name](noise).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.0)
    images = dataset.train_images.astype(np.float32) / 255.0
    images = torch.from_numpy(images).to(DEVICE)
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64)).to(DEVICE)
    batch = MODELS[name].batch
    order, position = torch.randperm(len(labels), device=DEVICE), 0

    def advance(steps: int) -> float:
        nonlocal order, position
        total = torch.zeros((), device=DEVICE)
        for _ in range(steps):
            if position + batch > len(order):
                order, position = torch.randperm(len(labels), device=DEVICE), 0
            chosen = order[position : position + batch]
            position += batch
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total.item() / steps

    return advance
