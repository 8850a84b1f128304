# SPDX-License-Identifier: Apache-2.0
"""Multilayer perceptron with a noise site at the input and after every hidden layer."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax

from dropout_jax.arguments import flag
from dropout_jax.nn.checks import check_choice, check_images, check_rates, check_sizes
from dropout_jax.nn.noise import NoiseConfig
from dropout_jax.nn.noisy_weights import dense

ACTIVATIONS = {"relu": nn.relu, "selu": nn.selu}


class MLP(nn.Module):
    """Dense layers; noise acts on what each layer passes on.

    Noise on weights acts on the kernel that reads a site: `rates[0]` is that of the
    first layer's kernel, the last rate that of the logits'.

    Attributes:
      widths: units of each hidden layer; any number of layers, also none.
      classes: number of outputs.
      noise: which noise, and where.
      activation: `"relu"` or `"selu"`.
      residual: add to each hidden layer's output (after its noise) its input, where
        both have the same width.

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
    residual: bool = False

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the noise sites, in the order of `rates`."""
        return ("input", *(f"hidden_{i}" for i in range(len(self.widths))))

    @property
    def readers(self) -> dict[str, str]:
        """Path of the kernel that reads each site next, by site."""
        layers = (*(f"dense_{i}" for i in range(len(self.widths))), "logits")
        paths = (f"{layer}/kernel" for layer in layers)
        return dict(zip(self.sites, paths, strict=True))

    @nn.compact
    def __call__(self, images: jax.Array, rates: Any, *, train: bool) -> jax.Array:
        """Returns logits [batch, classes].

        Args:
          images: [batch, height, width] floats.
          rates: drop rate per entry of `sites`; floats or a traced vector.
          train: whether noise acts.

        Raises:
          TypeError: `train` is no bool, a size no whole number, or the rates no vector.
          ValueError: no image, or another number of rates than sites.
        """
        train, residual = flag("train", train), flag("residual", self.residual)
        check_images(images, axes=None)
        check_rates(rates, self.sites)
        check_sizes(widths=self.widths, classes=self.classes)
        check_choice("activation", self.activation, ACTIVATIONS)
        activate = ACTIVATIONS[self.activation]
        units = self.noise.on_units
        x = images.reshape(images.shape[0], -1)
        if units.on_input:
            x = units.layer("input")(x, rates[0], deterministic=not train)
        for i, width in enumerate(self.widths):
            y = activate(
                dense(f"dense_{i}", width, self.noise, x, rates[i], train=train)
            )
            skip = residual and y.shape == x.shape
            # Dropping a whole sample makes sense where something goes past it.
            noise = units if skip or units.kind != "drop_path" else NoiseConfig()
            y = noise.layer(f"hidden_{i}")(y, rates[i + 1], deterministic=not train)
            x = x + y if skip else y
        return dense("logits", self.classes, self.noise, x, rates[-1], train=train)
