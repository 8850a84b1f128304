# SPDX-License-Identifier: Apache-2.0
"""Many trials of one program side by side: one lane for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

from dropout_jax.training.chunk import chunk
from dropout_jax.training.programs import Programs
from dropout_jax.training.step import TrainState

LANE = PartitionSpec("lane")


def stack(trees: Sequence[Any]) -> Any:
    """Returns one tree whose arrays have a leading axis: one entry per lane."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def widen(tree: Any, count: int) -> Any:
    """Returns the shapes that a tree has once `count` of them are stacked."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape), leaf.dtype), tree
    )


def lane(tree: Any, index: int) -> Any:
    """Returns one lane of a stacked tree."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def lanes(
    programs: Programs, *, devices: int = 1, together: bool | None = None
) -> Callable[..., TrainState]:
    """Returns `run_chunk` for a stack of trials that differ in traced values alone.

    `(states, hparams, seeds, data, orders, stop) -> states`: every argument but `data`
    and `stop` is stacked. All lanes are at the same step. What a lane computes does
    not depend on its neighbours, nor on their number.

    Initial states are made one by one (`programs.init`), never under `vmap`: batched
    LAPACK calls can deadlock on CPU.

    Args:
      programs: of the trials' common configuration.
      devices: local devices that share the lanes; their number divides that of the
        lanes.
      together: whether the lanes of a device advance in one step (`vmap`), which is
        equal to a run of its own up to rounding, or one after another (`lax.map`),
        which is equal bit for bit. By default one after another on CPU, where the
        matrix products of one lane occupy all cores, and together elsewhere.

    Raises:
      ValueError: there are fewer devices.

    Example:
      >>> from dropout_jax.config import defaults
      >>> from dropout_jax.training.hyperparameters import traced
      >>> from dropout_jax.training.programs import build_programs
      >>> config = defaults()
      >>> config.model.widths, config.train.batch_size = (4,), 2
      >>> programs = build_programs(config, (3, 3), 10, train_size=6)
      >>> hparams, seeds = traced(config, programs.model.sites), jnp.arange(2)
      >>> data = jnp.zeros((6, 3, 3), jnp.uint8), jnp.zeros(6, jnp.int32)
      >>> states = stack([programs.init(hparams, seed) for seed in seeds])
      >>> orders = stack([programs.order(seed, 0) for seed in seeds])
      >>> ends = lanes(programs)(states, stack([hparams] * 2), seeds, data, orders, 3)
      >>> ends.step.tolist()
      [3, 3]
    """
    found = jax.local_devices()
    if not 1 <= devices <= len(found):
        raise ValueError(f"devices is {devices}; give 1 to {len(found)}")
    if together is None:
        together = found[0].platform != "cpu"

    def in_turn(states, hparams, seeds, data, orders, stop):
        def one(trial):
            state, hparams, seed, order = trial
            return programs.run_chunk(state, hparams, seed, data, order, stop)

        return lax.map(one, (states, hparams, seeds, orders))

    def at_once(states, hparams, seeds, data, orders, stop):
        advance = jax.vmap(programs.advance, in_axes=(0, 0, 0, None, 0))
        draw = jax.vmap(programs.order, in_axes=(0, None))
        # The same bound for all lanes: a loop with a bound for each would compute
        # every lane until the last one stops.
        return chunk(
            states,
            states.step[0],
            stop,
            programs.steps_per_epoch,
            orders,
            lambda epoch: draw(seeds, epoch),
            lambda states, orders: advance(states, hparams, seeds, data, orders),
        )

    run = at_once if together else in_turn
    if devices == 1:
        return jax.jit(run, donate_argnums=0)
    mesh = jax.make_mesh(
        (devices,), ("lane",), (jax.sharding.AxisType.Auto,), devices=found[:devices]
    )
    everywhere = PartitionSpec()
    specs = (LANE, LANE, LANE, everywhere, LANE, everywhere)
    # Each device runs its own lanes and waits for nobody.
    shared = jax.shard_map(
        run, mesh=mesh, in_specs=specs, out_specs=LANE, check_vma=False
    )
    shardings = tuple(NamedSharding(mesh, spec) for spec in specs)
    return jax.jit(shared, donate_argnums=0, in_shardings=shardings)
