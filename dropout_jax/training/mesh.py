# SPDX-License-Identifier: Apache-2.0
"""One run on several devices: each takes its part of every batch."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dropout_jax.config.errors import UserError
from dropout_jax.training import xla_flags

_AXIS = "batch"
_FLAG = "--xla_force_host_platform_device_count"  # of XLA, for the same


def make_devices(count: int) -> None:
    """Makes `count` devices of the CPU, if this process has not begun to compute.

    They share its cores. Where it has begun, or XLA_FLAGS says how many there are, it
    stays at that, and `batch_mesh` tells of any that are missing.
    """
    if count > 1 and _FLAG not in xla_flags.values():
        try:
            jax.config.update("jax_num_cpu_devices", count)
        except RuntimeError:
            return


def batch_mesh(count: int) -> Mesh | None:
    """Returns a mesh of the first `count` local devices, or None for one device.

    Raises:
      UserError: JAX sees fewer devices.
    """
    found = jax.local_devices()
    if count > len(found):
        on_cpu = found[0].platform == "cpu"
        hint = f", or set XLA_FLAGS={_FLAG}={count}" if on_cpu else ""
        raise UserError(
            f"train.devices is {count}, but JAX sees {len(found)} "
            f"({found[0].device_kind}): give at most {len(found)}{hint}"
        )
    if count == 1:
        return None
    axis_types = (jax.sharding.AxisType.Auto,)
    return jax.make_mesh((count,), (_AXIS,), axis_types, devices=found[:count])


def everywhere(mesh: Mesh | None) -> NamedSharding | None:
    """Returns the sharding of what every device holds whole."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh | None, batch: jax.Array) -> jax.Array:
    """Asks, inside a compiled function, for a part of `batch` on each device."""
    if mesh is None:
        return batch
    sharding = NamedSharding(mesh, PartitionSpec(_AXIS))
    return jax.lax.with_sharding_constraint(batch, sharding)


def place(mesh: Mesh | None, tree: Any) -> Any:
    """Returns the arrays of `tree` as every device of the mesh holds them."""
    return tree if mesh is None else jax.device_put(tree, everywhere(mesh))
