# SPDX-License-Identifier: Apache-2.0
"""The schedule reaches the weights: what each update is, step by step, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.optimizers import make_optimizer

PEAK, STEPS_PER_EPOCH, STEPS = 0.5, 2, 8
COSINE = [(1 + np.cos(np.pi * step / STEPS)) / 2 for step in range(STEPS)]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize(
    "fields, factors",
    [
        ({"schedule": "cosine"}, COSINE),
        (
            {"schedule": "constant", "warmup_epochs": 2.0},
            [0, 0.25, 0.5, 0.75, 1, 1, 1, 1],
        ),
        (
            {"schedule": "step", "step_epochs": (1.0, 3.0), "step_factor": 0.1},
            [1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01],
        ),
    ],
)
def test_each_update_is_as_long_as_its_schedule_says(name, fields, factors):
    """The gradient is always 1, of which AdamW makes 1 as well."""
    config = override(
        defaults(),
        {
            "train.epochs": STEPS // STEPS_PER_EPOCH,
            "optimizer.name": name,
            "optimizer.learning_rate": PEAK,
            "regularizer.weight_decay": 0.5,
            **{f"optimizer.{key}": value for key, value in fields.items()},
        },
    )
    hparams = traced(config, ("input", "a", "b"))
    optimizer = make_optimizer(config, STEPS_PER_EPOCH, hparams)
    params = {"dense_0": {"kernel": jnp.full((1, 1), 2.0), "bias": jnp.full(1, 2.0)}}
    ones = {"dense_0": {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}}
    state, found = optimizer.init(params), []
    for _ in range(STEPS):
        updates, state = optimizer.update(ones, state, params)
        found.append([updates["dense_0"][leaf].item() for leaf in ("bias", "kernel")])
    # The kernel of 2 decays by 0.5 * 2 more; the rate multiplies that too.
    wanted = [[-PEAK * factor, -PEAK * factor * 2] for factor in factors]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)
