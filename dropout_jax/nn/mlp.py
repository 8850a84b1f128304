# SPDX-License-Identifier: Apache-2.0
"""Multilayer perceptron with a noise site at the input and after every hidden layer."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax

from dropout_jax.nn.noise import NoiseConfig

ACTIVATIONS = {"relu": nn.relu, "selu": nn.selu}


class MLP(nn.Module):
    """Dense layers; noise acts on what each layer passes on.

    Attributes:
      widths: units of each hidden layer; any number of layers, also none.
      classes: number of outputs.
      noise: which noise, and where.
      activation: `"relu"` or `"selu"`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model = MLP(widths=(32,), noise=NoiseConfig("dropout"))
      >>> x = jnp.zeros((2, 28, 28))
      >>> variables = model.init(jax.random.key(0), x, (0.0, 0.5), train=False)
      >>> model.apply(variables, x, (0.0, 0.5), train=False).shape
      (2, 10)
    """

    widths: tuple[int, ...]
    classes: int = 10
    noise: NoiseConfig = NoiseConfig()
    activation: str = "relu"

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the noise sites, in the order of `rates`."""
        return ("input", *(f"hidden_{i}" for i in range(len(self.widths))))

    @nn.compact
    def __call__(self, images: jax.Array, rates: Any, *, train: bool) -> jax.Array:
        """Returns logits [batch, classes].

        Args:
          images: [batch, height, width] floats.
          rates: drop rate per entry of `sites`; floats or a traced vector.
          train: whether noise acts.
        """
        activate = ACTIVATIONS[self.activation]
        x = images.reshape(images.shape[0], -1)
        if self.noise.on_input:
            x = self.noise.layer("input")(x, rates[0], deterministic=not train)
        for i, width in enumerate(self.widths):
            x = activate(nn.Dense(width, name=f"dense_{i}")(x))
            x = self.noise.layer(f"hidden_{i}")(
                x, rates[i + 1], deterministic=not train
            )
        return nn.Dense(self.classes, name="logits")(x)
