# SPDX-License-Identifier: Apache-2.0
"""20 steps of a small network in one way of many; prints what came out, as JSON.

python tests/torture/matrix.py '{"network": "mlp", "chunks": [7, 13, 20]}'

chunks  steps at which the host looks
seed    of the run, 7 by default
resume  step at which the state goes into a checkpoint and comes back
lanes   number of trials side by side, of which the first counts
turns   whether these take turns (`lax.map`) or are computed together (`vmap`)
devices over which each batch is spread
"""

import json
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training import checkpoints, portable
from dropout_jax.training.checkpoints import sha256_of_tree
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.lanes import lane, lanes, stack
from dropout_jax.training.programs import build_programs

STEPS, BATCH = 20, 64
NETWORKS = {
    "mlp": {"model.widths": (256, 256)},
    "cnn": {"model.channels": (16, 32), "model.widths": (64,)},
    "rnn": {"model.widths": (64,), "model.cell": "lstm"},
}


def restored(state, step):
    """The state as a checkpoint has it."""
    shapes = jax.eval_shape(lambda: state)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "checkpoints"
        checkpoints.save(place, step, state, {})
        found = checkpoints.restore(place, lambda host: shapes, print)
    assert found is not None
    return found[0]


def main(way):
    """Prints digest, parameters' largest number, and losses of the way."""
    size = STEPS * BATCH
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (size, 28, 28), np.uint8)
    data = jnp.asarray(images), jnp.asarray(np.arange(size) % 10, jnp.int32)
    config = override(
        defaults(),
        {
            "model.name": way["network"],
            **NETWORKS[way["network"]],
            "noise.kind": "dropout",
            "noise.rates": (0.3,),
            "train.batch_size": BATCH,
            "train.devices": way.get("devices", 1),
        },
    )
    programs = build_programs(config, (28, 28), 10, size)
    hparams, seed = traced(config, programs.model.sites), jnp.uint32(way.get("seed", 7))
    state, order = programs.init(hparams, seed), programs.order(seed, 0)
    count, run = way.get("lanes", 1), programs.run_chunk
    if count > 1:
        run = lanes(programs, together=not way.get("turns"))
        seeds = [seed + n for n in range(count)]
        state = stack([programs.init(hparams, s) for s in seeds])
        order = stack([programs.order(s, 0) for s in seeds])
        hparams, seed = stack([hparams] * count), jnp.stack(seeds)
    state, hparams, seed, data, order = programs.place(
        (state, hparams, seed, data, order)
    )
    losses = []
    for stop in way.get("chunks", range(1, STEPS + 1)):
        state = run(state, hparams, seed, data, order, stop)
        alone = state if count == 1 else lane(state, 0)
        losses.append(float(alone.totals.loss))
        if stop == way.get("resume"):
            state = programs.place(restored(state, stop))
    leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(alone.params)]
    assert len(set(losses)) == len(losses)  # every chunk of steps did something
    found = {
        "sha256": sha256_of_tree(alone.params),
        "parameters": np.concatenate(leaves)[::97].tolist(),
        "losses": losses,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    portable.enable()  # as train.py does
    main(json.loads(sys.argv[1]))
