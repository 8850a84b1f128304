# SPDX-License-Identifier: Apache-2.0
"""MC dropout: independent passes, the same ones whatever the chunk."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.evaluation.mc_dropout import mc_predict
from dropout_jax.keys import MC, root_key, step_key, stream
from dropout_jax.nn.mlp import MLP
from dropout_jax.nn.noise import NoiseConfig
from dropout_jax.transforms import dropout

KEY = stream(root_key(5), MC)
X = jnp.ones((3, 4))


def noisy(kernel, x, key):
    return dropout(key, x, 0.5) @ kernel


def test_a_pass_is_the_function_with_its_own_key():
    kernel = jax.random.normal(jax.random.key(0), (4, 2))
    found = mc_predict(noisy, kernel, X, KEY, n_samples=4)
    wanted = [noisy(kernel, X, step_key(KEY, n)) for n in range(4)]
    np.testing.assert_array_equal(found, jnp.stack(wanted))
    assert len(np.unique(found, axis=0)) == 4


@pytest.mark.parametrize("chunk", [2, 3, 5, 8])
def test_chunks_and_more_samples_change_no_sample(chunk):
    one = mc_predict(noisy, jnp.eye(4), X, KEY, n_samples=5)
    np.testing.assert_array_equal(
        mc_predict(noisy, jnp.eye(4), X, KEY, n_samples=5, chunk=chunk), one
    )
    more = mc_predict(noisy, jnp.eye(4), X, KEY, n_samples=9, chunk=chunk)
    np.testing.assert_array_equal(more[:5], one)


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg", "raw"])
def test_chunks_change_no_sample_of_other_keys(impl):
    """Under vmap keys of other kinds draw other bits: those passes run one by one."""
    key = jax.random.PRNGKey(3) if impl == "raw" else jax.random.key(3, impl=impl)
    wanted = [noisy(jnp.eye(4), X, step_key(key, n)) for n in range(5)]
    for chunk in (1, 2, 5, 8):
        found = mc_predict(noisy, jnp.eye(4), X, key, n_samples=5, chunk=chunk)
        np.testing.assert_array_equal(found, jnp.stack(wanted))


def test_their_mean_is_that_of_the_law():
    """False alarms: 1e-6, the mean of 4000 passes of a bounded sum (Hoeffding)."""
    found = mc_predict(noisy, jnp.eye(4), X, KEY, n_samples=4000, chunk=500)
    # 12 entries in [0, 2]; P(|mean - 1| > t) <= 2 exp(-2 n t^2 / 4) for each.
    bound = np.sqrt(2 * np.log(2 * 12 / 1e-6) / 4000)
    assert np.abs(found.mean(0) - 1).max() < bound
    # The planted mistake: one mask for all passes.
    planted = jnp.broadcast_to(found[:1], found.shape)
    assert np.abs(planted.mean(0) - 1).max() > bound


def test_a_flax_model_of_ones_own():
    class Own(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.Dropout(0.5, deterministic=False)(x))

    model = Own()
    variables = model.init({"params": KEY, "dropout": KEY}, X)

    def apply(variables, x, key):
        return model.apply(variables, x, rngs={"dropout": key})

    found = mc_predict(apply, variables, X, KEY, n_samples=6, chunk=4)
    assert found.shape == (6, 3, 3) and len(np.unique(found, axis=0)) == 6


def test_a_model_of_this_package():
    model = MLP(widths=(64,), noise=NoiseConfig("dropout"))
    images, rates = jnp.ones((2, 28, 28)), (0.0, 0.5)
    variables = model.init(jax.random.key(0), images, rates, train=False)

    def apply(variables, images, key):
        rngs = {"dropout": key}
        return model.apply(variables, images, rates, train=True, rngs=rngs)

    found = mc_predict(apply, variables, images, KEY, n_samples=3)
    assert found.shape == (3, 2, 10) and len(np.unique(found, axis=0)) == 3


@pytest.mark.parametrize("wrong", [{"n_samples": 0}, {"n_samples": 2, "chunk": 0}])
def test_numbers_below_one_are_refused(wrong):
    with pytest.raises(ValueError, match="is 0; it must be at least 1"):
        mc_predict(noisy, jnp.eye(4), X, KEY, **wrong)
