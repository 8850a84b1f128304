# SPDX-License-Identifier: Apache-2.0
"""Convolutional network: conv-pool blocks, then a dense head."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax

from dropout_jax.arguments import flag
from dropout_jax.config.noise_fields import WEIGHT_KINDS
from dropout_jax.nn.checks import check_choice, check_images, check_rates, check_sizes
from dropout_jax.nn.convolution import Conv
from dropout_jax.nn.mlp import ACTIVATIONS
from dropout_jax.nn.noise import NoiseConfig
from dropout_jax.nn.noisy_weights import NoisyConv, dense


class CNN(nn.Module):
    """Conv-pool blocks and a dense head, with noise after each pooling and head layer.

    With `noise.sharing == "spatial"` the block sites draw once per image and
    channel, so that whole feature maps vanish (Tompson et al. 2015). Noise on weights
    acts on the kernels of the dense layers, whose sites are the last block and the
    head layers they read; `variational_conv` also on those of the convolutions.

    Attributes:
      channels: output channels of each block; each block halves the image.
      widths: units of the dense layers of the head.
      kernel_size: odd side of the kernels, pixels.
      convs_per_block: convolutions before each pooling.
      batch_norm: batch normalisation after every convolution, and after the
        pooling where one follows; by the statistics of the batch where they are
        updated (`train` and `mutable=["batch_stats"]`), else by the running ones.
      classes: number of outputs.
      noise: which noise, and where.
      activation: `"relu"` or `"selu"`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model = CNN(channels=(4, 8), widths=(16,), noise=NoiseConfig("dropout"))
      >>> x, rates = jnp.zeros((2, 28, 28)), (0.0, 0.1, 0.1, 0.5)
      >>> variables = model.init(jax.random.key(0), x, rates, train=False)
      >>> model.apply(variables, x, rates, train=False).shape
      (2, 10)
    """

    channels: tuple[int, ...]
    widths: tuple[int, ...]
    kernel_size: int = 3
    convs_per_block: int = 1
    batch_norm: bool = False
    classes: int = 10
    noise: NoiseConfig = NoiseConfig()
    activation: str = "relu"

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the noise sites, in the order of `rates`."""
        image, *others = self.readers
        if self.noise.kind in WEIGHT_KINDS:
            # Of the blocks a dense kernel reads the last alone.
            others = others[len(self.channels) - 1 :]
        return (image, *others)

    @property
    def readers(self) -> dict[str, str]:
        """Path of the kernel that reads each place for noise, by its name."""
        blocks, heads = range(len(self.channels)), range(len(self.widths))
        places = (*(f"block_{i}" for i in blocks), *(f"head_{i}" for i in heads))
        layers = (*(f"conv_{i}_0" for i in blocks), *(f"dense_{i}" for i in heads))
        paths = (f"{layer}/kernel" for layer in (*layers, "logits"))
        return dict(zip(("input", *places), paths, strict=True))

    @nn.compact
    def __call__(self, images: jax.Array, rates: Any, *, train: bool) -> jax.Array:
        """Returns logits [batch, classes]; arguments as in `MLP`."""
        train, batch_norm = flag("train", train), flag("batch_norm", self.batch_norm)
        check_images(images)
        check_rates(rates, self.sites)
        check_sizes(channels=self.channels, widths=self.widths, classes=self.classes)
        check_sizes(convs_per_block=self.convs_per_block)
        check_choice("activation", self.activation, ACTIVATIONS)
        halvings = len(self.channels)
        if min(images.shape[1:3]) < 2**halvings:
            raise ValueError(
                f"model.channels has {halvings} blocks, each halving the image, but "
                f"images are {images.shape[1]}x{images.shape[2]}; use fewer blocks"
            )
        activate = ACTIVATIONS[self.activation]
        site_rates = dict(zip(self.sites, rates, strict=True))
        head, units = self.noise.in_head, self.noise.on_units

        def noisy(
            noise: NoiseConfig, site: str, x: jax.Array, shared_axes: tuple = ()
        ) -> jax.Array:
            if noise.kind == "none":
                return x
            layer = noise.layer(site, shared_axes)
            return layer(x, site_rates[site], deterministic=not train)

        # Passes under noise that update nothing (MC dropout) must not make an image's
        # logits depend on the others in its batch.
        updates = train and self.is_mutable_collection("batch_stats")
        spatial = (1, 2) if self.noise.sharing == "spatial" else ()
        x = images[..., None]
        if units.on_input:
            x = noisy(units.on_map(x), "input", x)
        for i, features in enumerate(self.channels):
            for j in range(self.convs_per_block):
                # Pooling first leaves a quarter of the work to what follows.
                pool = j + 1 == self.convs_per_block
                x = self._convolve(f"conv_{i}_{j}", features, pool, x, train)
                if batch_norm:
                    x = nn.BatchNorm(
                        use_running_average=not updates,
                        momentum=0.9,
                        name=f"batch_norm_{i}_{j}",
                    )(x)
                x = activate(x)
            x = noisy(units.on_map(x), f"block_{i}", x, spatial)
        x, site = x.reshape(x.shape[0], -1), self.sites[-1 - len(self.widths)]
        for i, width in enumerate(self.widths):
            rate = site_rates[site]
            x = activate(dense(f"dense_{i}", width, head, x, rate, train=train))
            site = f"head_{i}"
            x = noisy(head.on_units, site, x)
        return dense("logits", self.classes, head, x, site_rates[site], train=train)

    def _convolve(
        self, name: str, features: int, pool: bool, x: jax.Array, train: bool
    ) -> jax.Array:
        options = {"use_bias": not self.batch_norm, "pool": pool, "name": name}
        if self.noise.kind != "variational_conv":
            return Conv(features, self.kernel_size, **options)(x)
        layer = NoisyConv(features, self.kernel_size, noise=self.noise, **options)
        return layer(x, deterministic=not train)
