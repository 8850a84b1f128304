# SPDX-License-Identifier: Apache-2.0
"""Stock flax.linen, as its examples train it: one jitted step, called in a loop.

The batch is gathered by NumPy and sent to the device with each call; the key of the
noise is folded with the number of the step.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState

from benchmarks.models import LEARNING_RATE, MODELS
from dropout_jax import data


class MLP(nn.Module):
    """The twin of our MLP."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits for images [batch, 28, 28]."""
        x = x.reshape(len(x), -1)
        for rate in (0.2, 0.5):
            x = nn.relu(nn.Dense(256)(x))
            x = nn.Dropout(rate, deterministic=False)(x)
        return nn.Dense(10)(x)


class CNN(nn.Module):
    """The twin of our CNN."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits for images [batch, 28, 28]."""
        x = x[..., None]
        for features in (32, 64):
            x = nn.relu(nn.Conv(features, (3, 3))(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = nn.Dropout(0.25, deterministic=False)(x)
        x = nn.relu(nn.Dense(128)(x.reshape(len(x), -1)))
        x = nn.Dropout(0.5, deterministic=False)(x)
        return nn.Dense(10)(x)


class LSTM(nn.Module):
    """The LSTM over the rows of an image; dropout on its last output."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits for images [batch, 28, 28]."""
        x = nn.RNN(nn.OptimizedLSTMCell(128))(x)[:, -1]
        x = nn.Dropout(0.5, deterministic=False)(x)
        return nn.Dense(10)(x)


class TiedCell(nn.OptimizedLSTMCell):
    """The cell with dropout on the state that is fed back."""

    @nn.compact
    def __call__(self, carry, inputs):
        """Returns the new carry and the output of one step."""
        cell, hidden = carry
        hidden = nn.Dropout(0.5, deterministic=False)(hidden)
        return super().__call__((cell, hidden), inputs)


class TiedLSTM(nn.Module):
    """The LSTM with one mask per sequence on the state that is fed back.

    A key that is not split over the steps draws the same mask at each of them.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits for images [batch, 28, 28]."""
        rngs = {"params": False, "dropout": False}
        x = nn.RNN(TiedCell(128), split_rngs=rngs)(x)[:, -1]
        x = nn.Dropout(0.5, deterministic=False)(x)
        return nn.Dense(10)(x)


BUILD = {"mlp": MLP, "cnn": CNN, "lstm": LSTM, "tied_lstm": TiedLSTM}


def train_step(state: TrainState, images, labels, key) -> tuple[TrainState, jax.Array]:
    """Returns the next state and the loss of this one."""

    def objective(params):
        logits = state.apply_fn(
            {"params": params},
            images,
            rngs={"dropout": jax.random.fold_in(key, state.step)},
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean()

    loss, gradient = jax.value_and_grad(objective)(state.params)
    return state.apply_gradients(grads=gradient), loss


def peer(name: str, dataset: data.Dataset) -> Callable[[int], float]:
    """Returns stock Flax's side.

    Args:
      name: of the model.
      dataset: what it trains on.
    """
    images = dataset.train_images.astype(np.float32) / 255.0
    labels = dataset.train_labels.astype(np.int32)
    batch, model = MODELS[name].batch, BUILD[name]()
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    state = TrainState.create(
        apply_fn=model.apply,
        params=model.init(keys, jnp.zeros((1, 28, 28)))["params"],
        tx=optax.adamw(LEARNING_RATE, weight_decay=0.0),
    )
    step = jax.jit(train_step, donate_argnums=0)
    generator, key = np.random.default_rng(0), jax.random.key(2)
    order, position = generator.permutation(len(labels)), 0

    def advance(steps: int) -> float:
        nonlocal state, order, position
        losses = []
        for _ in range(steps):
            if position + batch > len(order):
                order, position = generator.permutation(len(labels)), 0
            chosen = order[position : position + batch]
            position += batch
            state, loss = step(state, images[chosen], labels[chosen], key)
            losses.append(loss)
        return float(jnp.stack(losses).mean())  # waits for the device

    return advance
