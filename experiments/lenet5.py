# SPDX-License-Identifier: Apache-2.0
"""LeNet-5 as the published calibration baselines have it, with sites for noise."""

import flax.linen as linen
import jax

from dropout_jax.nn import NoiseConfig, register_model
from dropout_jax.nn.convolution import Conv

NAME = "lenet5"


class LeNet5(linen.Module):
    """6c5-pool-16c5-pool-120c5-84-10, all convolutions "same", ReLU.

    545,546 parameters for images of 28 x 28: after its code, where the table that goes
    with it counts 60,000 (Nado et al. 2021, arXiv:2106.04015, baselines/mnist).
    """

    noise: NoiseConfig
    classes: int = 10

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the noise sites."""
        return ("input", "conv_0", "conv_1", "conv_2", "dense_0")

    @linen.compact
    def __call__(self, images: jax.Array, rates, *, train: bool) -> jax.Array:
        """Returns logits [batch, classes]."""

        def noisy(x, site):
            rate = rates[self.sites.index(site)]
            return self.noise.layer(site)(x, rate, deterministic=not train)

        x = images[..., None]
        for n, features in enumerate((6, 16, 120)):
            x = Conv(features, 5, pool=n < 2, name=f"conv_{n}")(x)
            x = noisy(linen.relu(x), f"conv_{n}")
        x = linen.relu(linen.Dense(84, name="dense_0")(x.reshape(len(x), -1)))
        return linen.Dense(self.classes, name="logits")(noisy(x, "dense_0"))


@register_model(NAME)
def build(model, noise: NoiseConfig, classes: int) -> LeNet5:
    """Builds it; `config.model` has nothing to say about it."""
    return LeNet5(noise, classes)
