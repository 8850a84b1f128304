# SPDX-License-Identifier: Apache-2.0
"""Trials side by side: each the same as alone, whoever its neighbours are."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.lanes import lane, lanes, stack
from dropout_jax.training.programs import build_programs

SIDE, CLASSES, TRAIN_SIZE, BATCH = 4, 10, 24, 4
DATA = (
    np.random.default_rng(0).integers(0, 256, (TRAIN_SIZE, SIDE, SIDE), np.uint8),
    (np.arange(TRAIN_SIZE) % CLASSES).astype(np.int32),
)
RATES = (0.0, 0.3, 0.6)


@pytest.fixture(scope="module")
def trials(tiny):
    """Three rates and seeds: programs, stacked arguments, and each trial alone."""
    config = tiny({"train.batch_size": BATCH})
    programs = build_programs(config, (SIDE, SIDE), CLASSES, TRAIN_SIZE)
    hparams = [traced(config, programs.model.sites) for _ in RATES]
    hparams = [
        h._replace(rates=jnp.full_like(h.rates, rate))
        for h, rate in zip(hparams, RATES, strict=True)
    ]
    seeds = [jnp.uint32(seed) for seed in (3, 4, 5)]
    starts = [programs.init(h, s) for h, s in zip(hparams, seeds, strict=True)]
    orders = [programs.order(seed, 0) for seed in seeds]
    alone = [
        programs.run_chunk(jax.tree.map(jnp.copy, start), h, seed, DATA, order, 6)
        for start, h, seed, order in zip(starts, hparams, seeds, orders, strict=True)
    ]
    return programs, [starts, hparams, seeds, orders], alone


def run(trials, chosen, **options):
    programs, arguments, _ = trials
    picked = [[values[i] for i in chosen] for values in arguments]
    starts, hparams, seeds, orders = map(stack, picked)
    return lanes(programs, **options)(starts, hparams, seeds, DATA, orders, 6)


def equal(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y, equal_nan=True) for x, y in pairs)


@pytest.mark.parametrize("chosen", [(0, 1, 2), (2, 1), (1,)], ids=str)
def test_one_after_another_each_lane_is_its_own_run(trials, chosen):
    ends = run(trials, chosen, together=False)
    for place, index in enumerate(chosen):
        assert equal(lane(ends, place), trials[2][index])
    assert not equal(trials[2][0], trials[2][1])


def test_together_each_lane_is_its_own_run_up_to_rounding(trials):
    ends = run(trials, (0, 1, 2), together=True)
    for index, alone in enumerate(trials[2]):
        both = map(jax.tree.leaves, (lane(ends, index), alone))
        for ours, theirs in zip(*both, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("together", [False, True])
def test_a_lane_that_diverges_leaves_its_neighbours_alone(trials, together):
    programs, arguments, alone = trials
    before = run(trials, (0, 1, 2), together=together)
    hparams = list(arguments[1])
    hparams[1] = hparams[1]._replace(learning_rate=jnp.float32(np.nan))
    changed = programs, [arguments[0], hparams, *arguments[2:]], alone
    after = run(changed, (0, 1, 2), together=together)
    assert not np.isfinite(lane(after, 1).totals.loss)
    for index in (0, 2):
        assert equal(lane(after, index), lane(before, index))


def test_more_devices_than_there_are(trials):
    with pytest.raises(ValueError, match="devices is 99; give 1 to"):
        lanes(trials[0], devices=99)


SHARED = """
import json
import jax, jax.numpy as jnp, numpy as np
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training.checkpoints import sha256_of_tree
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.lanes import lane, lanes, stack
from dropout_jax.training.programs import build_programs

config = override(defaults(), {"model.widths": (16,), "train.batch_size": 8,
                               "noise.kind": "dropout", "noise.rates": (0.5,)})
programs = build_programs(config, (5, 5), 10, 40)
rng = np.random.default_rng(0)
data = (rng.integers(0, 256, (40, 5, 5), np.uint8),
        rng.integers(0, 10, 40).astype(np.int32))
hparams, seeds = traced(config, programs.model.sites), jnp.arange(4, dtype=jnp.uint32)
found = {}
for devices in (1, 4):
    starts = stack([programs.init(hparams, seed) for seed in seeds])
    orders = stack([programs.order(seed, 0) for seed in seeds])
    run = lanes(programs, devices=devices)
    ends = run(starts, stack([hparams] * 4), seeds, data, orders, 5)
    kernel = jax.tree.leaves(ends.params)[-1]
    shards, ends = kernel.addressable_shards, jax.device_get(ends)
    found[devices] = [len(shards), shards[0].data.shape[0]]
    found[devices] += [sha256_of_tree(lane(ends, i)) for i in range(4)]
print(json.dumps(found))
"""


def test_four_devices_share_the_lanes(quick_environment):
    flags = quick_environment["XLA_FLAGS"] + " --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", SHARED],
        env={**quick_environment, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["1"][:2] == [1, 4] and found["4"][:2] == [4, 1]
    assert found["1"][2:] == found["4"][2:]  # bit for bit
    assert len(set(found["1"][2:])) == 4
