# SPDX-License-Identifier: Apache-2.0
"""The models that are compared: what ours is configured with, and how long a round is.

The peers build their twins under the same names: same layers, units, batch size,
places and rates of dropout, AdamW without decay at a constant learning rate.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks import machine
from dropout_jax.config.noise_fields import LEARNED_KINDS

LEARNING_RATE = 1e-3
ACCELERATED = 10  # times the steps of a round, on an accelerator


@dataclasses.dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
      title: what it is, for a table.
      fields: our configuration, dropout included.
      cpu_steps: optimiser steps of one round on CPU, so that a round takes seconds.
      slow: the same for sides that need many times as long for a step.
    """

    title: str
    fields: dict[str, Any]
    cpu_steps: int
    slow: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def batch(self) -> int:
        """Images per step."""
        return self.fields["train.batch_size"]

    @property
    def steps(self) -> int:
        """Optimiser steps of one round."""
        return self.cpu_steps * (1 if machine.on_cpu() else ACCELERATED)

    def steps_of(self, side: str) -> int:
        """Returns the steps of one round of a side."""
        return self.slow.get(side, self.steps) if machine.on_cpu() else self.steps

    def with_noise(self, kind: str) -> dict[str, Any]:
        """Returns our configuration with another noise at the same places.

        Args:
          kind: of the noise; `"none"` for none.
        """
        fields = {**self.fields, "noise.kind": kind}
        if kind == "none":
            return {k: v for k, v in fields.items() if not k.startswith("noise.")}
        if kind in LEARNED_KINDS:
            del fields["noise.rates"]
            fields["noise.learned_input"] = False  # dropout is not there either
        return fields


_RNN = {
    # A step of a recurrence keeps one core busy: each of two takes half of the batch.
    "train.devices": min(2, machine.threads()),
    "model.name": "rnn",
    "model.widths": (128,),
    "noise.kind": "dropout",
    "noise.rates": (0.5,),
    "train.batch_size": 128,
}

MODELS = {
    "mlp": Model(
        "MLP 784-256-256-10, dropout .2/.5, batch 256",
        {
            "model.widths": (256, 256),
            "noise.kind": "dropout",
            "noise.rates": (0.2, 0.5),
            "train.batch_size": 256,
        },
        cpu_steps=200,
    ),
    "cnn": Model(
        "CNN 32c3-pool-64c3-pool-128-10, dropout .25/.25/.5, batch 128",
        {
            "model.name": "cnn",
            "model.widths": (128,),
            "noise.kind": "dropout",
            "noise.rates": (0.25, 0.25, 0.5),
            "train.batch_size": 128,
        },
        cpu_steps=16,
        slow={"flax": 6, "keras": 6},
    ),
    "lstm": Model(
        "LSTM 28x28 rows, 128 units, dropout .5 on its output, batch 128",
        _RNN,
        cpu_steps=40,
    ),
    "tied_lstm": Model(
        "LSTM 28x28 rows, 128 units, dropout .5 on the state fed back, one mask per "
        "sequence, and on its output, batch 128",
        {**_RNN, "noise.sharing": "tied"},
        cpu_steps=40,
    ),
}
