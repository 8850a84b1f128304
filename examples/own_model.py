# SPDX-License-Identifier: Apache-2.0
"""A model of your own: a residual MLP, trained and compared like the built-in ones.

python train.py --config=configs/smoke.py --config.plugin=examples/own_model.py \
    --config.model.name=residual_mlp --workdir=runs/residual
"""

import flax.linen as linen
import jax
import jax.numpy as jnp

from dropout_jax.nn import NoiseConfig, register_model


class ResidualMLP(linen.Module):
    """Residual blocks of equal width, with noise inside each branch."""

    width: int
    depth: int
    classes: int
    noise: NoiseConfig

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the noise sites, the input first; `noise.rates` are the others'."""
        return ("input", *(f"block_{i}" for i in range(self.depth)))

    @linen.compact
    def __call__(self, images, rates, *, train: bool):
        """Returns logits [batch, classes]."""
        x = linen.Dense(self.width, name="embed")(images.reshape(len(images), -1))
        for i in range(self.depth):
            branch = linen.relu(linen.Dense(self.width, name=f"dense_{i}")(x))
            layer = self.noise.layer(f"block_{i}")
            x = x + layer(branch, rates[i + 1], deterministic=not train)
        return linen.Dense(self.classes, name="logits")(x)


@register_model("residual_mlp")
def build(model, noise: NoiseConfig, classes: int) -> ResidualMLP:
    """Builds it from `config.model`: one block per entry of `model.widths`."""
    return ResidualMLP(model.widths[0], len(model.widths), classes, noise)


if __name__ == "__main__":
    net = ResidualMLP(32, 2, 10, NoiseConfig("dropout"))
    images, rates = jnp.zeros((4, 28, 28)), (0.0, 0.2, 0.2)
    variables = net.init(jax.random.key(0), images, rates, train=False)
    logits = jnp.asarray(net.apply(variables, images, rates, train=False))
    print("logits", logits.shape)
