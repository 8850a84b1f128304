# SPDX-License-Identifier: Apache-2.0
"""Models by name: the built-in ones and those a user registers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
from flax.core import FrozenDict

from dropout_jax import transforms
from dropout_jax.config.alike import hint
from dropout_jax.config.noise_fields import WEIGHT_KINDS
from dropout_jax.nn.cnn import CNN
from dropout_jax.nn.mlp import MLP
from dropout_jax.nn.noise import NoiseConfig
from dropout_jax.nn.noisy_weights import options_of
from dropout_jax.nn.rnn import RNN

_MODELS: dict[str, Callable[..., nn.Module]] = {}


def register_model(name: str) -> Callable[[Callable[..., nn.Module]], Callable]:
    """Registers a builder under `name`, so that `config.model.name` finds it.

    Args:
      name: new name; the built-in ones are `mlp`, `cnn` and `rnn`.

    Returns:
      A decorator for a function `build(config.model, noise, classes) -> module`. The
      module is called as `module(images, rates, train=...)` and has the property
      `sites`, the names of its noise sites, the first being the input. For
      `concrete_dropout` it also has `readers`, the path of the kernel that reads each
      site (`{"block_0": "dense_1/kernel"}`), or the run has noise.length_scale=0.

    Raises:
      ValueError: the name is taken, or is none.

    Example: `examples/own_model.py`.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(
            f"register_model was given {name!r:.80} for a name: write "
            "@register_model('NAME') above the function, the name one word"
        )

    def decorate(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        if name in _MODELS:
            by = _MODELS[name].__module__
            raise ValueError(
                f"model name {name!r} is taken, by {by}; choose another, or register "
                "it once"
            )
        _MODELS[name] = build
        return build

    return decorate


@register_model("mlp")
def _mlp(model: Any, noise: NoiseConfig, classes: int) -> nn.Module:
    return MLP(
        widths=tuple(model.widths),
        classes=classes,
        noise=noise,
        activation=model.activation,
        residual=model.residual,
    )


@register_model("cnn")
def _cnn(model: Any, noise: NoiseConfig, classes: int) -> nn.Module:
    return CNN(
        channels=tuple(model.channels),
        widths=tuple(model.widths),
        kernel_size=model.kernel_size,
        convs_per_block=model.convs_per_block,
        batch_norm=model.batch_norm,
        classes=classes,
        noise=noise,
        activation=model.activation,
    )


@register_model("rnn")
def _rnn(model: Any, noise: NoiseConfig, classes: int) -> nn.Module:
    return RNN(
        widths=tuple(model.widths),
        cell=model.cell,
        classes=classes,
        noise=noise,
        recurrent=model.recurrent_noise,
    )


def noise_from_config(config: Any) -> NoiseConfig:
    """Returns the model's noise for the group `config.noise`.

    Raises:
      ValueError: `noise.kind` names no registered transform.
    """
    if config.kind == "none":
        return NoiseConfig()
    learned = bool(transforms.get(config.kind).learned)
    initial, kl_options, options = {}, {}, {}
    if config.kind in ("variational_dropout", "variational_dense", "variational_conv"):
        kl_options["method"] = config.kl
    if config.kind == "variational_dropout":
        initial["log_alpha"] = config.log_alpha_init
    elif config.kind == "concrete_dropout":
        rate = config.rate_init
        initial["logit_rate"] = math.log(rate / (1.0 - rate))
        for name in ("temperature", "hard", "unbiased"):
            options[name] = config[name]
    elif config.kind in WEIGHT_KINDS:
        options = options_of(config)
    elif config.kind == "dropblock":
        options.update(block_size=config.block, seed_rate=config.seed_rate)
    return NoiseConfig(
        kind=config.kind,
        on_input=config.learned_input if learned else config.input_rate > 0,
        sharing=config.sharing,
        # Frozen, so that a model is hashable and may be a static argument of jit.
        options=FrozenDict(options),
        initial=FrozenDict(initial),
        kl_options=FrozenDict(kl_options),
    )


def build_model(config: Any, classes: int = 10) -> Any:
    """Returns the linen module that `config.model` and `config.noise` describe.

    Args:
      config: a whole configuration.
      classes: number of outputs.

    Raises:
      ValueError: `model.name` or `noise.kind` is not registered.
    """
    if config.model.name not in _MODELS:
        raise ValueError(
            f"model.name {config.model.name!r} is not registered; "
            f"known: {', '.join(sorted(_MODELS))}"
            f"{hint(config.model.name, _MODELS)}"
        )
    noise = noise_from_config(config.noise)
    return _MODELS[config.model.name](config.model, noise, classes)
