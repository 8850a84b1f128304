# SPDX-License-Identifier: Apache-2.0
"""Bernoulli dropout: exact values, gradients and edge cases."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from dropout_jax.transforms import bernoulli_mask, dropout

KEY = jax.random.key(21)
X = jnp.linspace(-2.0, 3.0, 60).reshape(10, 6)
RATES = [0.0, 0.1, 0.5, 0.9, 1.0]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("scaling", ["train", "test"])
def test_value_and_gradient(rate, scaling):
    kept = np.asarray(bernoulli_mask(KEY, rate, X.shape))
    gain = 1 / np.float32(1 - rate) if scaling == "train" and rate < 1 else 1.0

    def loss(x):
        return dropout(KEY, x, rate, scaling=scaling).sum()

    y = dropout(KEY, X, rate, scaling=scaling)
    np.testing.assert_allclose(y, np.where(kept, X * gain, 0), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(loss)(X), np.where(kept, gain, 0), rtol=1e-6)


def test_edge_rates_are_exact_also_when_traced():
    @jax.jit
    def run(rate):
        y, pullback = jax.vjp(lambda x: dropout(KEY, x, rate), X)
        _, tangent = jax.jvp(lambda x: dropout(KEY, x, rate), (X,), (X,))
        return y, tangent, pullback(jnp.ones_like(y))[0]

    for result, expected in zip(run(0.0), (X, X, jnp.ones_like(X)), strict=True):
        np.testing.assert_array_equal(result, expected)
    for result in (*run(1.0), dropout(KEY, X, 1.0)):
        np.testing.assert_array_equal(result, jnp.zeros_like(X))
    np.testing.assert_array_equal(dropout(KEY, X, 0.0), X)


def test_the_rate_gets_no_gradient():
    gradient = jax.jit(jax.grad(lambda rate: dropout(KEY, X, rate).sum()))
    for rate in RATES:
        assert gradient(rate) == 0.0


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])
@pytest.mark.parametrize("scaling", ["train", "test"])
def test_dropping_selects(bad, scaling):
    """NaN and Inf vanish with their slot, in value and gradient, and stay if kept."""
    kept = bernoulli_mask(KEY, 0.5, X.shape)
    x = jnp.full_like(X, bad)
    y = dropout(KEY, x, 0.5, scaling=scaling)
    np.testing.assert_array_equal(y, jnp.where(kept, bad, 0.0))

    _, pullback = jax.vjp(lambda x: dropout(KEY, x, 0.5, scaling=scaling), x)
    gain = 2.0 if scaling == "train" else 1.0
    expected = jnp.where(kept, gain, 0.0)
    np.testing.assert_array_equal(pullback(jnp.where(kept, 1.0, bad))[0], expected)
    # The planted mistake, a mask that multiplies, leaves NaN behind. In numpy,
    # because XLA may turn a product with a mask into a selection.
    with np.errstate(invalid="ignore"):
        multiplied = np.asarray(x) * np.asarray(kept)
    assert np.isnan(multiplied[~np.asarray(kept)]).all()


def test_masks_are_nested_in_the_rate():
    masks = [dropout(KEY, jnp.ones((50, 50)), rate) > 0 for rate in RATES]
    for more, fewer in itertools.pairwise(masks):
        assert (more | fewer == more).all() and (more != fewer).any()


def test_rates_per_unit_share_the_draw_but_not_the_threshold():
    rates = jnp.array([0.0, 0.25, 0.5, 0.75, 1.0])
    y = dropout(KEY, jnp.ones((400, 5)), rates, shared_axes=(1,))
    drawn = jax.random.uniform(KEY, (400, 1))
    gain = jnp.array([1.0, 4 / 3, 2.0, 4.0, 0.0])[None]
    np.testing.assert_allclose(y, jnp.where(drawn < 1 - rates[None], gain, 0.0))
    gradient = jax.grad(lambda x: dropout(KEY, x, rates).sum())(jnp.ones((400, 5)))
    assert jnp.isfinite(gradient).all() and (gradient[:, 4] == 0).all()


def test_spatial_dropout_takes_whole_feature_maps():
    y = dropout(KEY, jnp.ones((8, 5, 5, 16)), 0.5, shared_axes=(1, 2))
    maps = (y > 0).mean((1, 2))
    assert set(np.unique(maps)) == {0.0, 1.0}
    assert (maps[0] != maps[1]).any(), "each sample has its own mask"


def test_classic_form_scales_at_test_time():
    y = dropout(None, X, 0.25, scaling="test", deterministic=True)
    np.testing.assert_array_equal(y, X * 0.75)
    zeros = dropout(None, X * jnp.inf, 1.0, scaling="test", deterministic=True)
    np.testing.assert_array_equal(zeros, jnp.zeros_like(X))
    train, test = (dropout(KEY, X, 0.25, scaling=s) for s in ("train", "test"))
    np.testing.assert_allclose(train * 0.75, test, rtol=1e-6)


def test_unknown_scaling_is_refused():
    with pytest.raises(ValueError, match="'train' or 'test'"):
        dropout(KEY, X, 0.5, scaling="none")


def test_equal_to_flax():
    theirs = linen.Dropout(0.3, deterministic=False).apply({}, X, rng=KEY)
    np.testing.assert_allclose(dropout(KEY, X, 0.3), theirs, rtol=1e-6)
