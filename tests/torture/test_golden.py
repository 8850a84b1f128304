# SPDX-License-Identifier: Apache-2.0
"""Losses of 20 steps, as they were with the versions of the lock.

To write them anew, after reading the release notes of what changed:
AMOUNT=golden python -m pytest -m torture tests/torture/test_golden.py
"""

import importlib.metadata
import itertools
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import runs
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs

GOLDEN = Path(__file__).with_name("golden.json")
NOTES = "read JAX's release notes (docs.jax.dev, Change log), then write them anew"
STEPS, BATCH = 20, 32
PLAIN = {"model.batch_norm": False}


def losses(network, method):
    """The loss of each step, with its noise."""
    fields = {**runs.NETWORKS[network], **runs.METHODS[method], **PLAIN}
    config = override(defaults(), {**fields, "train.batch_size": BATCH})
    size = STEPS * BATCH
    images = np.random.default_rng(0).integers(0, 256, (size, 28, 28), np.uint8)
    data = jnp.asarray(images), jnp.asarray(np.arange(size) % 10, jnp.int32)
    programs = build_programs(config, (28, 28), 10, size)
    hparams, seed = traced(config, programs.model.sites), jnp.uint32(3)
    state, order = programs.init(hparams, seed), programs.order(seed, 0)
    sums = [0.0]
    for stop in range(1, STEPS + 1):
        state = programs.run_chunk(state, hparams, seed, data, order, stop)
        sums.append(float(state.totals.loss))
    return np.diff(sums)


def test_curves(compile_as_users_do, figure):
    compile_as_users_do()
    found = {
        f"{network}, {method}": losses(network, method).tolist()
        for network, method in itertools.product(runs.NETWORKS, runs.METHODS)
    }
    versions = {name: importlib.metadata.version(name) for name in ("jax", "flax")}
    if os.environ.get("AMOUNT") == "golden":
        GOLDEN.write_text(json.dumps({"versions": versions, "losses": found}, indent=1))
        return
    golden = json.loads(GOLDEN.read_text())
    assert golden["losses"].keys() == found.keys()
    errors = {
        name: float(np.abs(np.asarray(found[name]) / wanted - 1).max())
        for name, wanted in golden["losses"].items()
    }
    for name, error in errors.items():
        assert error <= 1e-5, (
            f"the losses of {name} differ by {error:.1e} from those with "
            f"{golden['versions']}; here are {versions}, jaxlib "
            f"{jax.lib.__version__}: {NOTES}"
        )
    other = [f"{name} by {error:.0e}" for name, error in errors.items() if error]
    figure(
        12,
        f"losses of {STEPS} steps, {len(found)} networks and methods, against those "
        "kept for the versions of the lock (masks: bit for bit, in the test suite)",
        "within 1e-5 of each other",
        f"{len(found)}/{len(found)} ({'; '.join(other) or 'the same bits'})",
    )
