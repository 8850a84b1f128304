# SPDX-License-Identifier: Apache-2.0
"""Digests of short runs, printed as JSON: what every processor must compute alike.

python tests/bits/digests.py CASE...

A process of its own and on one core, since the flags of `portable` come before JAX.
"""

import hashlib
import json
import os
import sys
from typing import Any

from dropout_jax.training import portable

# Model: fields of `config.model`, batch size, and the number of images. The sizes are
# real ones: they decide the forms and the blocks of the products.
MODELS: dict[str, tuple[dict[str, Any], int, int]] = {
    "mlp": ({"name": "mlp", "widths": (512, 512)}, 50, 150),
    "cnn": (
        {
            "name": "cnn",
            "channels": (16, 32, 64),
            "widths": (128,),
            "batch_norm": True,
        },
        32,
        96,
    ),
    "gru": ({"name": "rnn", "cell": "gru", "widths": (64, 64)}, 64, 192),
    "lstm": ({"name": "rnn", "cell": "lstm", "widths": (64, 64)}, 64, 192),
}
METHODS = {
    "none": {},
    "decay": {"regularizer.weight_decay": 0.05},
    "dropout": {"noise.kind": "dropout"},
    "gaussian": {"noise.kind": "gaussian_dropout"},
    "variational": {"noise.kind": "variational_dropout"},
}
OPTIMIZERS = ("adamw", "sgd", "momentum", "nesterov")
# Each model with each method and each optimizer, and each method with each optimizer.
CASES = tuple(
    f"{model}-{method}-{OPTIMIZERS[(i + j) % len(OPTIMIZERS)]}"
    for i, model in enumerate(MODELS)
    for j, method in enumerate(METHODS)
)


def digest(tree: Any) -> str:
    """Returns a hash of all arrays of a tree, in the order of their names."""
    import jax
    import numpy as np

    found = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        found.update(f"{path} {leaf.dtype} {leaf.shape}".encode())
        found.update(np.asarray(leaf).tobytes())
    return found.hexdigest()[:16]


def run(case: str) -> dict[str, str]:
    """Returns digests: first weights, after three steps, logits, metrics."""
    import jax.numpy as jnp
    import numpy as np

    from dropout_jax.config import defaults
    from dropout_jax.evaluation import metrics
    from dropout_jax.training.hyperparameters import traced
    from dropout_jax.training.programs import build_programs

    model, method, optimizer = case.split("-")
    fields, batch, count = MODELS[model]
    config = defaults()
    config.update({"model": fields})
    config.update_from_flattened_dict(METHODS[method])
    config.optimizer.name, config.train.batch_size = optimizer, batch
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 28, 28)).astype(np.uint8)
    labels = jnp.asarray(random.integers(0, 10, count), jnp.int32)
    programs = build_programs(config, (28, 28), 10, count)
    hparams, seed = traced(config, programs.model.sites), jnp.uint32(0)
    first = programs.init(hparams, seed)
    found = {"first": digest(first.params)}
    order, data = programs.order(seed, 0), (jnp.asarray(images), labels)
    state = programs.run_chunk(first, hparams, seed, data, order, 3)
    logits = programs.predict(state.params, state.model_state, images, hparams)
    return found | {
        "state": digest(state),
        "logits": digest(logits),
        "metrics": digest(metrics.summary(logits, labels)),
    }


if __name__ == "__main__":
    portable.enable()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps({case: run(case) for case in sys.argv[1:] or CASES}, indent=1))
