# SPDX-License-Identifier: Apache-2.0
"""Linen layers over the transforms, and the models that use them."""

from typing import TYPE_CHECKING, Any

from dropout_jax.nn.cnn import CNN
from dropout_jax.nn.kl import total_kl
from dropout_jax.nn.mlp import MLP
from dropout_jax.nn.models import build_model, noise_from_config, register_model
from dropout_jax.nn.noise import Noise, NoiseConfig
from dropout_jax.nn.noisy_weights import (
    NoisyConv,
    NoisyDense,
    NoisyKernel,
    sparsity,
)
from dropout_jax.nn.recurrent import InnerNoise, RecurrentLayer
from dropout_jax.nn.rnn import RNN

if TYPE_CHECKING:
    from dropout_jax.nn.nnx_noise import NNXNoise

__all__ = [
    "CNN",
    "MLP",
    "RNN",
    "InnerNoise",
    "NNXNoise",
    "Noise",
    "NoiseConfig",
    "NoisyConv",
    "NoisyDense",
    "NoisyKernel",
    "RecurrentLayer",
    "build_model",
    "noise_from_config",
    "register_model",
    "sparsity",
    "total_kl",
]


def __getattr__(name: str) -> Any:
    if name == "NNXNoise":
        # flax.nnx takes long to import, and training has no use of it.
        from dropout_jax.nn.nnx_noise import NNXNoise

        return NNXNoise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
