# SPDX-License-Identifier: Apache-2.0
"""Linen layers over the transforms, and the models that use them."""

from dropout_jax.nn.cnn import CNN
from dropout_jax.nn.mlp import MLP
from dropout_jax.nn.models import build_model, noise_from_config, register_model
from dropout_jax.nn.nnx_noise import NNXNoise
from dropout_jax.nn.noise import Noise, NoiseConfig
from dropout_jax.nn.noisy_weights import NoisyConv, NoisyDense, sparsity
from dropout_jax.nn.rnn import RNN

__all__ = [
    "CNN",
    "MLP",
    "RNN",
    "NNXNoise",
    "Noise",
    "NoiseConfig",
    "NoisyConv",
    "NoisyDense",
    "build_model",
    "noise_from_config",
    "register_model",
    "sparsity",
]
