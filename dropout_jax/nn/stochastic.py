# SPDX-License-Identifier: Apache-2.0
"""What the stochastic linen layers share: settings of layer or call, and their key."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import numpy as np

from dropout_jax import transforms
from dropout_jax.arguments import flag


def deterministic_of(layer: Any, argument: bool | None) -> bool:
    """Returns `deterministic`, which is an attribute of the layer or an argument.

    Args:
      layer: linen module with an attribute `deterministic`.
      argument: of the call; None where it is left out.

    Raises:
      ValueError: it is given twice, or not at all.
      TypeError: it is no Python bool.
    """
    if (layer.deterministic is None) == (argument is None):
        how = "to neither" if argument is None else "to both"
        raise ValueError(
            f"deterministic is given {how}, layer {name_of(layer)!r} and its call; "
            "give it once: True for evaluation, False for training"
        )
    given = layer.deterministic if argument is None else argument
    return flag("deterministic", given)


def rate_of(layer: Any, kind: str, argument: Any) -> Any:
    """Returns the rate: the argument of the call, else an attribute of the layer.

    Args:
      layer: linen module with an attribute `rate`.
      kind: of its transform.
      argument: of the call; None where it is left out.

    Raises:
      ValueError: there is no rate, and the transform learns none.
    """
    rate, transform = layer.rate if argument is None else argument, transforms.get(kind)
    if rate is None and not transform.learned:
        raise ValueError(
            f"layer {name_of(layer)!r} of kind {kind!r} has no {transform.strength}; "
            "give one to the layer or to its call"
        )
    return rate


def refuse_bool(rate: Any) -> None:
    """Raises TypeError for a bool, which the second argument is in Flax's dropout."""
    if isinstance(rate, bool | np.bool_):
        raise TypeError(
            f"rate is {rate}; it must be a number: the second argument is the rate, so "
            f"give the other by its name, deterministic={rate}"
        )


def key_of(
    layer: Any, rate: Any, deterministic: bool, rng: jax.Array | None
) -> jax.Array | None:
    """Returns a key of the layer's own; None where there is no noise to draw.

    Linen derives the key from the layer's path.

    Args:
      layer: linen module with an attribute `rng_collection`, the stream of its keys.
      rate: its rate; without noise and without a key where it is the number 0.
      deterministic: evaluation behavior.
      rng: key of the call, instead of one of the stream.

    Raises:
      ValueError: there is noise, but no key.
    """
    if deterministic or layer.is_initializing():
        return None
    if rng is not None:
        return rng
    stream = layer.rng_collection
    if layer.has_rng(stream):
        return layer.make_rng(stream)
    if isinstance(rate, int | float) and rate == 0:
        return None
    raise ValueError(
        f"layer {name_of(layer)!r} needs a key of its own: call apply(..., "
        f"rngs={{{stream!r}: key}}), or pass deterministic=True / train=False (the "
        "parameter key is never borrowed)"
    )


def name_of(layer: nn.Module) -> str:
    """Returns what a message calls the layer: its class, where nothing contains it."""
    return layer.name or type(layer).__name__
