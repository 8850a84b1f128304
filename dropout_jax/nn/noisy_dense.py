# SPDX-License-Identifier: Apache-2.0
"""A dense layer whose weights are noisy, for the models that use one."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from dropout_jax import transforms
from dropout_jax.nn.noise import PREFIX, NoiseConfig


class NoisyDense(nn.Module):
    """`nn.Dense` with a transform that draws noise for its kernel.

    Kernel and bias have the names and initial values of `nn.Dense`, so that the run
    without noise starts from the same weights. Learned noise has one value per
    weight; its KL is sown into the collection `"kl"`.

    Attributes:
      features: number of outputs.
      noise: of kind `"dropconnect_dense"` or `"variational_dense"`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> layer = NoisyDense(3, NoiseConfig("dropconnect_dense"), name="dense")
      >>> variables = layer.init(jax.random.key(0), jnp.ones((2, 4)), 0.5,
      ...                        deterministic=True)
      >>> layer.apply(variables, jnp.ones((2, 4)), 0.5, deterministic=False,
      ...             rngs={"dropout": jax.random.key(1)}).shape
      (2, 3)
    """

    features: int
    noise: NoiseConfig

    @nn.compact
    def __call__(
        self, x: jax.Array, rate: Any = None, *, deterministic: bool
    ) -> jax.Array:
        """Returns [..., features].

        Args:
          x: [..., inputs].
          rate: probability of dropping a weight; ignored where noise is learned.
          deterministic: evaluation behaviour; static.

        Raises:
          ValueError: no `"dropout"` key was given.
        """
        transform = transforms.get(self.noise.kind)
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        parameters = [rate]
        if transform.learned:
            parameters = [
                self.param(
                    PREFIX + leaf.name,
                    nn.initializers.constant(
                        self.noise.initial.get(leaf.name, leaf.initial)
                    ),
                    shape,
                )
                for leaf in transform.learned
            ]
            if transform.kl is not None:
                kl = transform.kl(*parameters, kernel=kernel, **self.noise.kl_options)
                self.sow("kl", "value", jnp.sum(kl))
        still = deterministic or self.is_initializing()
        if not still and not self.has_rng("dropout"):
            raise ValueError(
                f"layer {self.name!r} needs a key of its own: call apply(..., "
                "rngs={'dropout': key}), or pass deterministic=True / train=False"
            )
        y = transform.apply(
            None if still else self.make_rng("dropout"),
            x,
            *parameters,
            kernel=kernel,
            deterministic=still,
            **self.noise.options,
        )
        return y + bias.reshape((1,) * (y.ndim - 1) + bias.shape)


def sparsity(params: Any, threshold: float = 3.0) -> dict[str, float]:
    """Returns the share of removable weights of every layer with learned noise.

    Args:
      params: parameters of a model with `NoisyDense` layers.
      threshold: weights of log alpha at or above it count.

    Returns:
      By name of the layer; empty where no layer has noise on its weights.

    Example:
      >>> import jax.numpy as jnp
      >>> noise = jnp.full((2, 2), 4.0)
      >>> layer = {"kernel": jnp.ones((2, 2)), "noise_log_sigma2": noise}
      >>> sparsity({"dense_0": layer})
      {'dense_0': 1.0}
    """
    return {
        name: float(
            transforms.sparsity(
                layer["kernel"], layer[PREFIX + "log_sigma2"], threshold
            )
        )
        for name, layer in params.items()
        if PREFIX + "log_sigma2" in layer
    }


def options_of(noise: Any) -> dict[str, Any]:
    """Returns the options of a transform on weights for the group `config.noise`."""
    sampling = {"dropconnect_dense": "weight", "variational_dense": "local"}[noise.kind]
    if noise.sampling != "auto":
        sampling = noise.sampling
    options: dict[str, Any] = {"sampling": sampling}
    if noise.kind == "variational_dense":
        options["threshold"] = noise.threshold or math.inf
    return options
