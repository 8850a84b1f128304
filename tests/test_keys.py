# SPDX-License-Identifier: Apache-2.0
"""Keys: reproducible from the seed alone, and different where they must be."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import keys

GOLDEN_STREAMS = [
    (3313755303, 452578551),
    (116798348, 4143519482),
    (2622320782, 4086945969),
    (4015993627, 591320688),
]
GOLDEN_STEP = (2501699507, 389301415)


def data(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_root_key_is_a_typed_threefry_key():
    key = keys.root_key(3)
    assert jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    assert jax.random.key_impl(key) == "threefry2x32"
    assert data(key) == data(jax.random.key(3, impl="threefry2x32"))


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 - 1])
def test_number_and_traced_seed_give_one_key(seed):
    assert data(keys.root_key(seed)) == (0, seed)
    traced = jax.jit(lambda s: jax.random.key_data(keys.root_key(s)))(jnp.uint32(seed))
    assert tuple(traced.tolist()) == (0, seed)


def test_root_key_maps_over_seeds():
    seeds = jnp.arange(4, dtype=jnp.uint32)
    mapped = jax.vmap(lambda s: jax.random.key_data(keys.root_key(s)))(seeds)
    assert [tuple(row) for row in mapped.tolist()] == [(0, s) for s in range(4)]


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match=f"seed is {seed}; it must be in"):
        keys.root_key(seed)


@pytest.mark.parametrize("seed", [1.0, "1", None])
def test_seed_must_be_an_integer(seed):
    with pytest.raises(TypeError, match="must be a whole number"):
        keys.root_key(seed)


def test_golden_streams():
    """The schedule is part of every published number: it may not move."""
    names = (keys.PARAMS, keys.DROPOUT, keys.DATA, keys.MC)
    assert names == ("params", "dropout", "data", "mc")
    root = keys.root_key(0)
    assert [data(keys.stream(root, name)) for name in names] == GOLDEN_STREAMS
    assert data(keys.step_key(keys.stream(root, "dropout"), 100)) == GOLDEN_STEP


def test_streams_steps_and_seeds_differ():
    found = {
        data(keys.step_key(keys.stream(keys.root_key(seed), name), step))
        for seed in range(4)
        for name in ("params", "dropout", "data", "mc")
        for step in range(50)
    }
    assert len(found) == 4 * 4 * 50


def test_step_may_be_traced():
    stream = keys.stream(keys.root_key(1), keys.DROPOUT)
    traced = jax.jit(lambda s: jax.random.key_data(keys.step_key(stream, s)))(9)
    assert tuple(traced.tolist()) == data(keys.step_key(stream, 9))


def test_stream_is_the_same_in_another_process():
    """Python's hash() of a string would not be."""
    program = (
        "import jax; from dropout_jax import keys; "
        "print(jax.random.key_data(keys.stream(keys.root_key(5), 'mine')).tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(list(data(keys.stream(keys.root_key(5), "mine"))))
