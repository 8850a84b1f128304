# SPDX-License-Identifier: Apache-2.0
"""Two processes, the compiler at its usual work: the same bits.

An MLP has the same in test_resume.py, with less of the compiler.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
FAMILIES = {
    "cnn": {"model.channels": [2], "model.widths": [], "model.batch_norm": True},
    "rnn": {"model.widths": [3], "model.cell": "gru", "noise.sharing": "tied"},
}
PROGRAM = """
import json, sys
import jax, numpy as np
assert not jax.config.values["jax_disable_most_optimizations"]
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training.checkpoints import sha256_of_tree
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs

random = np.random.default_rng(0)
data = random.integers(0, 256, (16, 8, 8), np.uint8), np.arange(16, dtype=np.int32) % 10
shared = {"train.batch_size": 8, "noise.kind": "dropout", "noise.rates": (0.3,)}
shared |= {"optimizer.name": "sgd", "optimizer.schedule": "constant"}
found = {}
for name, fields in json.loads(sys.argv[1]).items():
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    config = override(defaults(), {**shared, "model.name": name, **fields})
    programs = build_programs(config, (8, 8), 10, 16)
    hparams, seed = traced(config, programs.model.sites), np.uint32(7)
    # Weights that need no program: compiling their initialisation costs as much.
    shapes = jax.eval_shape(programs.init, hparams, seed)
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    fill = lambda leaf: random.normal(0, 0.3, leaf.shape).astype(leaf.dtype)
    state = state._replace(params=jax.tree.map(fill, shapes.params))
    begun = sha256_of_tree(state.params)
    for stop in (2, 4):
        order = programs.order(seed, (stop - 1) // programs.steps_per_epoch)
        state = programs.run_chunk(state, hparams, seed, data, order, stop)
    assert np.isfinite(state.totals.loss)
    found[name] = [begun, *map(sha256_of_tree, (state.params, state.model_state))]
print(json.dumps(found))
"""


def digests(hash_seed):
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": str(ROOT),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "0",
        # A program from the disk would not be compiled here.
        "JAX_ENABLE_COMPILATION_CACHE": "false",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(FAMILIES)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def both():
    return digests("1"), digests("2")


@pytest.mark.parametrize("family", FAMILIES)
def test_two_processes_end_with_the_same_bits(both, family):
    first, second = (found[family] for found in both)
    assert first == second
    assert first[0] != first[1]  # it was trained
