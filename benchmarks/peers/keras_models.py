# SPDX-License-Identifier: Apache-2.0
"""Keras on the JAX backend: the layers of its guide, compiled, trained by `fit`."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from benchmarks.models import LEARNING_RATE, MODELS
from dropout_jax import data

os.environ["KERAS_BACKEND"] = "jax"  # read when Keras is imported

import keras
from keras import layers


def mlp() -> list[layers.Layer]:
    """Returns the layers of the MLP's twin."""
    return [
        layers.Flatten(),
        *(layers.Dense(256, activation="relu"), layers.Dropout(0.2)),
        *(layers.Dense(256, activation="relu"), layers.Dropout(0.5)),
        layers.Dense(10),
    ]


def cnn() -> list[layers.Layer]:
    """Returns the layers of the CNN's twin."""
    convolution = {"padding": "same", "activation": "relu"}
    return [
        layers.Reshape((28, 28, 1)),
        *(layers.Conv2D(32, 3, **convolution), layers.MaxPooling2D()),
        layers.Dropout(0.25),
        *(layers.Conv2D(64, 3, **convolution), layers.MaxPooling2D()),
        layers.Dropout(0.25),
        *(layers.Flatten(), layers.Dense(128, activation="relu")),
        layers.Dropout(0.5),
        layers.Dense(10),
    ]


def lstm() -> list[layers.Layer]:
    """Returns the layers of the LSTM's twin."""
    return [layers.LSTM(128), layers.Dropout(0.5), layers.Dense(10)]


def tied_lstm() -> list[layers.Layer]:
    """Returns the layers of the LSTM's twin with dropout on its recurrence.

    Keras draws one mask per sequence for each of the four gates.
    """
    recurrent = layers.LSTM(128, recurrent_dropout=0.5)
    return [recurrent, layers.Dropout(0.5), layers.Dense(10)]


BUILD = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "tied_lstm": tied_lstm}


def peer(name: str, dataset: data.Dataset) -> Callable[[int], float]:
    """Returns Keras's side.

    Args:
      name: of the model.
      dataset: what it trains on.
    """
    keras.utils.set_random_seed(0)
    images = dataset.train_images.astype(np.float32) / 255.0
    labels = dataset.train_labels.astype(np.int32)
    batch = MODELS[name].batch
    model = keras.Sequential([keras.Input((28, 28)), *BUILD[name]()])
    model.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=0.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )

    def advance(steps: int) -> float:
        # "Epochs" of so many steps, each in an order of its own; one of more steps
        # than the images suffice for would end early, with a warning alone.
        total, taken = 0.0, 0
        while taken < steps:
            count = min(steps - taken, len(labels) // batch)
            history = model.fit(
                images,
                labels,
                batch_size=batch,
                steps_per_epoch=count,
                shuffle=True,
                verbose=0,
            )
            total += count * float(history.history["loss"][-1])
            taken += count
        return total / steps

    return advance
