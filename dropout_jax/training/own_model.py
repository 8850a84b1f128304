# SPDX-License-Identifier: Apache-2.0
"""What a plugin's model and noise must be, asked before anything is trained."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from typing import Any, NoReturn

import flax.linen as linen
import jax
import jax.numpy as jnp

from dropout_jax import stored, transforms
from dropout_jax.config.errors import UserError

_BATCH = 2  # images of a trial call


def check(model: Any, plugin: str, image_shape: tuple[int, ...], classes: int) -> None:
    """Raises UserError for a model that cannot be trained, with what it lacks.

    Nothing is computed: shapes alone are followed through it.

    Args:
      model: what the builder of the plugin returned.
      plugin: that registered it.
      image_shape: height and width of the images, pixels.
      classes: number of labels.
    """
    name = type(model).__name__

    def refuse(why: str) -> NoReturn:
        raise UserError(f"plugin {plugin!r}: model {name} {why}")

    if not isinstance(model, linen.Module):
        refuse("is no flax.linen module: return one from the function that builds it")
    if fault := _fault_of_sites(getattr(model, "sites", None)):
        refuse(
            f"{fault}: give it the property sites, a tuple of different names of "
            "its noise sites, the input first, e.g. ('input', 'hidden')"
        )
    x = jax.ShapeDtypeStruct((_BATCH, *image_shape), jnp.float32)
    rates = jax.ShapeDtypeStruct((len(model.sites),), jnp.float32)
    try:
        inspect.signature(model.__call__).bind(x, rates, train=True)
    except TypeError as error:
        refuse(
            f"cannot be called as model(images, rates, train=True) ({error}): "
            "define __call__(self, images, rates, *, train)"
        )
    for train in (False, True):
        found = jax.eval_shape(lambda x, r, t=train: _called(model, x, r, t), x, rates)
        wanted = (_BATCH, classes)
        if not hasattr(found, "shape"):
            refuse(
                f"returns a {type(found).__name__}: return logits alone, "
                f"[batch, {classes}]"
            )
        if found.shape != wanted or not jnp.issubdtype(found.dtype, jnp.floating):
            refuse(
                f"returns {found.dtype} {found.shape} for {_BATCH} images with "
                f"train={train}: return floating {wanted}, a logit for each class"
            )


def _described(array: Any) -> str:
    """Type and shape of an array; of what is none, what it is."""
    if not hasattr(array, "shape"):
        return f"a {type(array).__name__}"
    return f"{array.dtype} {array.shape}"


def _fault_of_sites(sites: Any) -> str:
    """What is wrong with the names of the noise sites; "" if nothing is."""
    if sites is None:
        return "has no sites"
    if callable(sites):
        return "has sites as a method, without @property"
    if isinstance(sites, str) or not isinstance(sites, Sequence) or not sites:
        return f"has sites={sites!r:.60}"
    if not all(map(stored.is_name, sites)) or len(set(sites)) < len(sites):
        return f"has sites={sites!r:.60}"
    return ""


def _called(model: Any, images: Any, rates: Any, train: bool) -> Any:
    """The output of a model, as initialization, prediction and a step call it."""
    variables = model.init(jax.random.key(0), images, rates, train=False)
    if not train:
        return model.apply(variables, images, rates, train=False)
    output, _ = model.apply(
        variables,
        images,
        rates,
        train=True,
        rngs={"dropout": jax.random.key(1)},
        mutable=[*(name for name in variables if name != "params"), "kl"],
    )
    return output


def check_noise(kind: str, plugin: str) -> None:
    """Raises UserError for a plugin's transform that a layer cannot apply.

    Nothing is computed. One that needs more than its input, such as a kernel, is left
    to the model that has it.

    Args:
      kind: name of the transform.
      plugin: that registered it.
    """
    transform = transforms.get(kind)
    if not transform.layer:
        return
    x = jax.ShapeDtypeStruct((_BATCH, 4, 3), jnp.float32)
    given = [jax.ShapeDtypeStruct((1, 1, 3), jnp.float32) for _ in transform.learned]
    given = given or [jax.ShapeDtypeStruct((), jnp.float32)]
    names = ", ".join(leaf.name for leaf in transform.learned) or "rate"
    try:
        inspect.signature(transform.apply).bind(None, x, *given, deterministic=True)
    except TypeError as error:
        raise UserError(
            f"plugin {plugin!r}: transform {kind!r} cannot be called as apply(key, x, "
            f"{names}, deterministic=True) ({error}): define apply(key, x, {names}, *, "
            "shared_axes=(), deterministic=False)"
        ) from None
    for still in (True, False):
        key = None if still else jax.random.key(0)
        apply = functools.partial(transform.apply, key, deterministic=still)
        found = jax.eval_shape(apply, x, *given)
        if getattr(found, "shape", None) != x.shape or found.dtype != x.dtype:
            made = _described(found)
            raise UserError(
                f"plugin {plugin!r}: transform {kind!r} returns {made} for x of "
                f"{_described(x)} with deterministic={still}: return an array like x"
            )
