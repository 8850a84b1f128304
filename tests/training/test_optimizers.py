# SPDX-License-Identifier: Apache-2.0
"""Schedules at exact steps; who is decayed, clipped, projected and sped up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.losses import kl_warmup, l2_penalty
from dropout_jax.training.optimizers import make_optimizer, make_schedule, project

PARAMS = {
    "conv_0_0": {"kernel": jnp.full((3, 3, 1, 2), 2.0)},
    "dense_0": {"kernel": jnp.full((3, 2), 2.0), "bias": jnp.full(2, 2.0)},
    "layer_0": {
        "recurrent_kernel": jnp.full((2, 8), 2.0),
        "candidate_bias": jnp.full(2, 2.0),
    },
    "batch_norm_0_0": {"scale": jnp.full(2, 2.0), "bias": jnp.full(2, 2.0)},
    "noise_input": {"noise_log_alpha": jnp.full(3, -2.0), "noise_mu": jnp.full(3, 2.0)},
}
KERNELS = {"conv_0_0/kernel", "dense_0/kernel", "layer_0/recurrent_kernel"}


def flat(tree):
    return {f"{a}/{b}": np.asarray(leaf) for a in tree for b, leaf in tree[a].items()}


def optimizer_of(fields):
    config = override(defaults(), {"optimizer.schedule": "constant", **fields})
    return make_optimizer(config, 10, traced(config, ("input", "a", "b")))


def constant(value):
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, value), PARAMS)


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adamw"])
def test_weight_decay_shrinks_kernels_alone(name):
    fields = {"optimizer.learning_rate": 0.5, "regularizer.weight_decay": 0.1}
    optimizer = optimizer_of({**fields, "optimizer.name": name})
    updates, _ = optimizer.update(constant(0.0), optimizer.init(PARAMS), PARAMS)
    for path, update in flat(updates).items():
        expected = -0.5 * 0.1 * 2.0 if path in KERNELS else 0.0
        np.testing.assert_allclose(update, np.full_like(update, expected), rtol=1e-6)


def test_l2_penalty_counts_kernels_alone():
    # 18 + 6 + 16 weights of 2.
    assert float(l2_penalty(PARAMS)) == 0.5 * 40 * 4.0


@pytest.mark.parametrize("name, first_step", [("adamw", 1.0), ("sgd", 3.0)])
def test_noise_parameters_move_thirty_times_faster(name, first_step):
    fields = {"optimizer.name": name, "optimizer.learning_rate": 0.01}
    optimizer = optimizer_of(fields)
    updates, _ = optimizer.update(constant(3.0), optimizer.init(PARAMS), PARAMS)
    for path, update in flat(updates).items():
        factor = 30.0 if path.startswith("noise_") else 1.0
        expected = np.full_like(update, -0.01 * factor * first_step)
        np.testing.assert_allclose(update, expected, rtol=1e-5)


def test_clipping_bounds_the_norm_of_the_whole_gradient():
    fields = {"optimizer.name": "sgd", "optimizer.learning_rate": 0.5}
    optimizer = optimizer_of(
        {
            **fields,
            "optimizer.clip_norm": 0.25,
            "noise.kind": "variational_dropout",
            "noise.learning_rate_multiplier": 1.0,
        }
    )
    for value, norm in ((3.0, 0.25), (1e-3, None)):
        gradient = constant(value)
        updates, _ = optimizer.update(gradient, optimizer.init(PARAMS), PARAMS)
        leaves = np.concatenate([u.ravel() for u in flat(updates).values()])
        expected = 0.5 * (norm if norm else np.sqrt(leaves.size) * value)
        np.testing.assert_allclose(np.linalg.norm(leaves), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"schedule": "constant"}, {0: 1, 39: 1}),
        ({"schedule": "cosine"}, {0: 1, 10: (1 + np.sqrt(0.5)) / 2, 20: 0.5, 40: 0}),
        (
            {"schedule": "cosine", "warmup_epochs": 1.0},
            {0: 0, 5: 0.5, 10: 1, 25: 0.5, 40: 0},
        ),
        ({"schedule": "constant", "warmup_epochs": 0.5}, {0: 0, 4: 0.8, 5: 1, 39: 1}),
        (
            {"schedule": "step", "step_epochs": (1.0, 2.5), "step_factor": 0.2},
            {0: 1, 9: 1, 10: 0.2, 24: 0.2, 25: 0.04, 39: 0.04},
        ),
        (
            {"schedule": "step", "step_epochs": (2.0,), "warmup_epochs": 1.0},
            {0: 0, 5: 0.5, 10: 1, 19: 1, 20: 0.1},
        ),
    ],
)
def test_schedule_at_exact_steps(fields, expected):
    paths = {f"optimizer.{name}": value for name, value in fields.items()}
    config = override(defaults(), {"train.epochs": 4, **paths})
    schedule = make_schedule(config, steps_per_epoch=10)
    for step, factor in expected.items():
        assert float(schedule(step)) == pytest.approx(factor, abs=1e-6), step


def test_two_steps_of_a_schedule_may_fall_on_one_optimizer_step():
    fields = {"optimizer.schedule": "step", "optimizer.step_epochs": (1.01, 1.02)}
    config = override(defaults(), {"train.epochs": 4, **fields})
    assert float(make_schedule(config, 10)(10)) == pytest.approx(0.01)


def test_kl_warmup_is_linear():
    values = [float(kl_warmup(jnp.int32(step), 8.0)) for step in (0, 2, 8, 100)]
    assert values == [0.0, 0.25, 1.0, 1.0]
    assert float(kl_warmup(jnp.int32(0), 0.0)) == 1.0


def test_max_norm_bounds_what_goes_into_each_unit():
    config = override(defaults(), {"regularizer.max_norm": 3.0})
    kernel = jnp.asarray([[3.0, 1.0], [4.0, 1.0], [0.0, 1.0]])
    params = {"dense_0": {"kernel": kernel, "bias": jnp.full(2, 100.0)}}
    found = project(config, params)["dense_0"]
    # 3-4-0 has norm 5 and is scaled to 3; 1-1-1 stays; rows would scale otherwise.
    wanted = [[1.8, 1.0], [2.4, 1.0], [0.0, 1.0]]
    np.testing.assert_allclose(found["kernel"], wanted, rtol=1e-6)
    np.testing.assert_array_equal(found["bias"], params["dense_0"]["bias"])
    conv = {"conv": {"kernel": jnp.full((3, 3, 4, 5), 1.0)}}
    norms = jnp.sqrt((project(config, conv)["conv"]["kernel"] ** 2).sum((0, 1, 2)))
    np.testing.assert_allclose(norms, np.full(5, 3.0), rtol=1e-6)
    zeros = {"dense_0": {"kernel": jnp.zeros((3, 2))}}
    assert not np.isnan(project(config, zeros)["dense_0"]["kernel"]).any()


def test_max_alpha_bounds_log_alpha_alone():
    config = override(
        defaults(), {"noise.kind": "variational_dropout", "noise.max_alpha": 0.5}
    )
    leaf = jnp.asarray([-3.0, -0.5, 4.0])
    params = {"noise_input": {"noise_log_alpha": leaf, "noise_log_sigma": leaf}}
    found = project(config, params)["noise_input"]
    wanted = [-3.0, np.log(0.5), np.log(0.5)]
    np.testing.assert_allclose(found["noise_log_alpha"], wanted, rtol=1e-6)
    np.testing.assert_array_equal(found["noise_log_sigma"], leaf)


def test_without_constraints_nothing_moves():
    for path, leaf in flat(project(defaults(), PARAMS)).items():
        np.testing.assert_array_equal(leaf, flat(PARAMS)[path])
