# SPDX-License-Identifier: Apache-2.0
"""The KL that learned noise leaves in the collection "kl": sown once, never lost."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen import module as linen_module

COLLECTION = "kl"


def sow_kl(layer: nn.Module, kl: jax.Array) -> None:
    """Leaves the KL of a layer in the collection "kl", if the caller asked for it.

    `init` leaves none: who keeps its variables would count them beside those of
    `apply(..., mutable=["kl"])`.

    Args:
      layer: the module that is being called.
      kl: scalar, nats.

    Raises:
      ValueError: a lifted transform around the layer (`nn.scan`, `nn.vmap`) does not
        pass the collection on, so that the KL would be lost: told by `init`, and by an
        `apply` that asks for it.
    """
    assert layer.scope is not None  # it is being called
    if layer.is_initializing():
        # `init` may change every collection: what is closed here is closed by a lift.
        root = layer.scope.root
        lifted = root.debug_path != root.path
        lost = lifted and not layer.is_mutable_collection(COLLECTION)
    else:
        lost = not layer.sow(COLLECTION, "value", kl) and _asked_around(layer)
    if lost:
        raise ValueError(
            f"the KL of layer {layer.name!r} would be lost in nn.scan, nn.vmap or the "
            'like around it: pass the collection on, variable_axes={"params": ..., '
            '"kl": 0}'
        )


def _asked_around(layer: nn.Module) -> bool:
    """Whether a module around `layer`, in the same `apply`, may leave a KL.

    A lifted transform gives what is inside of it a scope of its own, without a way to
    the one around; but the modules that are being called are all known.
    """
    inner = layer
    for module in reversed(linen_module._context.module_stack):
        if module is None or module.scope is None:
            return False
        # At the root of an `apply` inside of a module the question ends; a lifted class
        # has a root too, and inside of it an instance of the class that was lifted.
        path = inner.scope.path if inner.scope else ()
        if path == () and not isinstance(module, type(inner)):
            return False
        if module.is_mutable_collection(COLLECTION):
            return True
        inner = module
    return False


def total_kl(kl: Any) -> jax.Array:
    """Returns the sum of a collection "kl", nats.

    Args:
      kl: what `apply(..., mutable=["kl"])` returned under "kl". A layer in `nn.scan`
        has an array there, one entry for each step.

    Returns:
      Scalar. Divide it by the number of training examples where the loss is a mean over
      examples.

    Example:
      >>> float(total_kl({"noise": {"value": (jnp.ones(()), jnp.ones(3))}}))
      4.0
    """
    return sum(map(jnp.sum, jax.tree.leaves(kl)), jnp.zeros(()))
