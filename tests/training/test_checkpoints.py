# SPDX-License-Identifier: Apache-2.0
"""Checkpoints alone: restored for any device, and nothing stays in memory."""

import gc
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from dropout_jax.training import checkpoints

SAVED_ON_FOUR = """
import sys
from pathlib import Path
import jax, jax.numpy as jnp
from dropout_jax.training import checkpoints

mesh = jax.make_mesh((4,), ("lane",))
lanes = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lane"))
values = jax.device_put(jnp.arange(8.0), lanes)
assert len(values.addressable_shards) == 4
checkpoints.save(Path(sys.argv[1]), 1, {"a": values}, {})
"""


def test_what_four_devices_saved_one_restores(tmp_path, quick_environment):
    flags = quick_environment["XLA_FLAGS"] + " --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", SAVED_ON_FOUR, str(tmp_path / "saved")],
        env={**quick_environment, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wanted = {"a": jax.ShapeDtypeStruct((8,), jnp.float32)}
    tree, _ = checkpoints.restore(tmp_path / "saved", wanted, print)
    assert tree["a"].tolist() == list(range(8))
    assert tree["a"].devices() == {jax.devices()[0]} and not tree["a"].committed


def test_restoring_leaves_nothing_in_memory(tmp_path):
    tree = {f"array_{i}": jnp.full((2, 3), i) for i in range(8)}
    abstract = jax.eval_shape(lambda: tree)
    checkpoints.save(tmp_path / "saved", 1, tree, {})

    def grown(times, restore):
        restore()
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(times):
            restore()
        gc.collect()
        return len(gc.get_objects()) - before

    def restored():
        found, _ = checkpoints.restore(tmp_path / "saved", abstract, print)
        for name, array in tree.items():
            np.testing.assert_array_equal(found[name], array)

    def as_arrays_of_a_device():
        with checkpoints._checkpointer() as checkpointer:
            checkpointer.restore(tmp_path / "saved" / "1", abstract)

    # Each array whose device is looked up leaves some objects for good.
    assert grown(20, as_arrays_of_a_device) > 20 * len(tree)
    assert grown(20, restored) < 20
