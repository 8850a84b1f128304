# SPDX-License-Identifier: Apache-2.0
"""Short trainings that an experiment looks into: in memory, without files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from dropout_jax.config import defaults, validate
from dropout_jax.config.loading import override
from dropout_jax.training.prepare import Prepared, prepare
from dropout_jax.training.step import TrainState


def trajectory(
    fields: Mapping[str, Any], epochs: Sequence[int]
) -> Iterator[tuple[Prepared, TrainState]]:
    """Trains as `train.py` does; yields what is reached after some numbers of epochs.

    A state is there until the next one is asked for: training goes on in its memory.

    Args:
      fields: what differs from the default configuration, by dotted path.
      epochs: rising; the last is the length of the training.
    """
    config = override(defaults(), {**fields, "train.epochs": epochs[-1]})
    validate(config)
    found = prepare(config)
    programs, dataset = found.programs, found.dataset
    data = jnp.asarray(dataset.train_images), jnp.asarray(dataset.train_labels, int)
    state = programs.init(found.hparams, found.seed)
    for epoch in range(epochs[-1]):
        stop = (epoch + 1) * programs.steps_per_epoch
        order = programs.order(found.seed, epoch)
        state = programs.run_chunk(state, found.hparams, found.seed, data, order, stop)
        if epoch + 1 in epochs:
            yield found, state
