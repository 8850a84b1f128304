# SPDX-License-Identifier: Apache-2.0
"""What can be told of the noise of a model of one's own before it trains.

The model is traced once, without a computation. The models of `dropout_jax.nn` are not:
their tests know them.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Var

from dropout_jax import keys, nn, transforms

_IMAGES = 2


def remarks(
    config: Any,
    model: Any,
    variables: dict[str, Any],
    rates: jax.Array,
    image_shape: tuple[int, ...],
) -> tuple[str, ...]:
    """Returns what a user should know of the model, each in one line.

    Args:
      config: a whole configuration.
      model: linen module called as `model(images, rates, train=...)`.
      variables: its variables, or their shapes.
      rates: one per site.
      image_shape: (height, width) of the images.
    """
    name, kind = f"model.name={config.model.name!r}", config.noise.kind
    if kind == "none" or type(model) in (nn.MLP, nn.CNN, nn.RNN):
        return ()

    def train(key, rates, variables, images):
        mutable = ["kl", *(name for name in variables if name != "params")]
        rngs = {"dropout": key}
        return model.apply(
            variables, images, rates, train=True, rngs=rngs, mutable=mutable
        )[0]

    images = jax.ShapeDtypeStruct((_IMAGES, *image_shape), jnp.float32)
    traced = jax.make_jaxpr(train)(keys.root_key(0), rates, variables, images)
    drawn, scaled = _read(traced.jaxpr)[:2]
    if not drawn:
        return (
            f"{name} never uses its noise: with config.noise.kind={kind!r} it trains "
            "as with 'none'",
        )
    if not scaled and not transforms.get(kind).learned:
        return (f"{name} never reads its rates: config.noise.rates changes nothing",)
    return ()


def _read(jaxpr: Jaxpr) -> list[bool]:
    """Returns for each argument of a program whether its results depend on it."""
    needed = {v for v in jaxpr.outvars if isinstance(v, Var)}
    for equation in reversed(jaxpr.eqns):
        if not needed.isdisjoint(equation.outvars):
            needed.update(v for v in equation.invars if isinstance(v, Var))
    return [variable in needed for variable in jaxpr.invars]
