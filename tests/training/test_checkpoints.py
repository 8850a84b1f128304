# SPDX-License-Identifier: Apache-2.0
"""Checkpoints alone: restored for any device, and nothing stays in memory."""

import contextlib
import gc
import itertools
import subprocess
import sys
from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.stored import Damaged
from dropout_jax.training import checkpoints, packing

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


def always(tree):
    """The shapes of a tree that does not depend on what is saved beside it."""
    return lambda host: tree


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
    tree, _ = checkpoints.restore(tmp_path / "saved", always(wanted), print)
    assert tree["a"].tolist() == list(range(8))
    assert tree["a"].devices() == {jax.devices()[0]} and not tree["a"].committed


def test_what_is_named_otherwise_or_ordered_otherwise_is_not_restored(tmp_path):
    """Else moments of Adam, whose order somebody changes, take each other's place."""
    saved = namedtuple("State", "mu nu")(jnp.zeros(3), jnp.ones(3))
    checkpoints.save(tmp_path / "saved", 1, saved, {})
    found, _ = checkpoints.restore(tmp_path / "saved", always(saved), print)
    assert found.nu.tolist() == [1.0, 1.0, 1.0]
    for names in ("nu mu", "mu xi"):
        other = namedtuple("State", names)(jnp.zeros(3), jnp.ones(3))
        with pytest.raises(Damaged, match="arrays of another program"):
            checkpoints.restore(tmp_path / "saved", always(other), print)


def test_a_failure_that_is_not_the_disks_stays_what_it_is(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def broken():
        raise RuntimeError("a mistake of ours")
        yield

    monkeypatch.setattr(checkpoints, "_checkpointer", broken)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        checkpoints.save(tmp_path / "saved", 1, {"a": jnp.ones(3)}, {})
    assert list((tmp_path / "saved").iterdir()) == []


def grown(times, action):
    """Python's objects that are there after a number of calls and were not before."""
    action()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(times):
        action()
    gc.collect()
    return len(gc.get_objects()) - before


def test_nothing_of_a_checkpoint_stays_in_memory(tmp_path):
    """What TensorStore is asked about itself, it never frees: Orbax must not ask."""
    tree = {f"array_{i}": jnp.full((2, 3), i) for i in range(8)}
    abstract = jax.eval_shape(lambda: tree)
    saved, peers, steps = tmp_path / "saved", tmp_path / "peers", itertools.count()

    def save():
        checkpoints.save(saved, next(steps), tree, {})

    def restore():
        found, _ = checkpoints.restore(saved, always(abstract), print)
        for name, array in tree.items():
            np.testing.assert_array_equal(found[name], array)

    def save_arrays_of_a_device():
        with checkpoints._checkpointer() as checkpointer:
            checkpointer.save(peers / str(next(steps)), tree)

    def restore_arrays_of_a_device():
        with checkpoints._checkpointer() as checkpointer:
            checkpointer.restore(max(peers.iterdir()), abstract)

    assert grown(20, save) < 100  # a path or two of each
    assert grown(20, restore) < 20
    assert grown(20, save_arrays_of_a_device) > 200
    assert grown(20, restore_arrays_of_a_device) > 200


def test_packing_keeps_every_bit_and_place():
    tree = {
        "b": [jnp.arange(6, dtype=jnp.float32).reshape(2, 3), jnp.float32(jnp.nan)],
        "a": (jnp.arange(3), jnp.zeros((0, 4)), jnp.arange(4, dtype=jnp.bfloat16)),
        "c": np.arange(5, dtype=np.uint8),
    }
    vectors = packing.pack(tree)
    assert {name: len(of) for name, of in vectors.items()} == {
        "float32": 7, "int32": 3, "bfloat16": 4, "uint8": 5,
    }  # fmt: skip
    assert [(n, v.shape, v.dtype) for n, v in packing.empty(tree).items()] == [
        (n, v.shape, v.dtype) for n, v in vectors.items()
    ]
    found = packing.unpack(vectors, jax.eval_shape(lambda: tree))
    assert checkpoints.sha256_of_tree(found) == checkpoints.sha256_of_tree(tree)
    vectors["float32"] = vectors["float32"][::-1]
    found = packing.unpack(vectors, tree)
    assert checkpoints.sha256_of_tree(found) != checkpoints.sha256_of_tree(tree)
