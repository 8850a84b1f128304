# SPDX-License-Identifier: Apache-2.0
"""Alpha dropout, log-normal dropout and additive noise: exact values and edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.transforms import (
    alpha_dropout,
    alpha_dropout_moments,
    bernoulli_mask,
    gaussian_noise,
    lognormal_dropout,
)

KEY = jax.random.key(71)
X = jnp.asarray(np.random.default_rng(2).normal(size=(16, 10)), "f4")
NORMALS = jax.random.normal(KEY, X.shape)
SATURATION = -1.7580993408473766


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_alpha_dropout_is_the_published_formula(rate):
    kept = np.asarray(bernoulli_mask(KEY, rate, X.shape))
    a = ((1 - rate) * (1 + rate * SATURATION**2)) ** -0.5
    b = -a * SATURATION * rate
    expected = a * np.where(kept, X, SATURATION) + b
    np.testing.assert_allclose(alpha_dropout(KEY, X, rate), expected, 1e-5, 1e-6)
    gradient = jax.grad(lambda x: alpha_dropout(KEY, x, rate).sum())(X)
    np.testing.assert_allclose(gradient, np.where(kept, a, 0), rtol=1e-5)


def test_alpha_dropout_keeps_the_population_and_not_the_point():
    """At 10**6 draws the standard error of mean and variance is below 0.002."""
    x = jax.random.normal(jax.random.key(3), (1_000_000,))
    for rate in (0.1, 0.5):
        y = alpha_dropout(KEY, x, rate)
        assert abs(float(y.mean())) < 0.01 and abs(float(y.var()) - 1) < 0.02
        assert float(alpha_dropout_moments(jnp.float32(1.0), rate).mean) < 0.9
    # Inputs of another law are not restored: N(1, 4) at rate 0.2, as measured on
    # the published implementations.
    y = alpha_dropout(KEY, 1 + 2 * x, 0.2)
    np.testing.assert_allclose([y.mean(), y.var()], [0.70, 3.41], atol=0.02)


def test_alpha_dropout_at_rate_one_is_its_limit_and_selects():
    run = jax.jit(lambda x, rate: alpha_dropout(KEY, x, rate))
    for y in (run(X, 1.0), alpha_dropout(KEY, X, 1.0)):
        np.testing.assert_array_equal(y, jnp.zeros_like(X))
    gradient = jax.grad(lambda x: run(x, 1.0).sum())(X)
    np.testing.assert_array_equal(gradient, jnp.zeros_like(X))
    near = alpha_dropout(KEY, X, 1 - 1e-6)
    assert jnp.abs(near).max() < 0.01
    y = alpha_dropout(KEY, jnp.full_like(X, jnp.nan), 0.5)
    np.testing.assert_array_equal(jnp.isnan(y), bernoulli_mask(KEY, 0.5, X.shape))


def test_alpha_dropout_lets_no_nan_out_of_a_dropped_slot():
    kept = bernoulli_mask(KEY, 0.5, X.shape)

    def both(x):
        y, slope = jax.vjp(lambda x: alpha_dropout(KEY, x, 0.5), x)
        return y, slope(jnp.ones_like(x))[0]

    poisoned = both(jnp.where(kept, X, jnp.nan))
    for found, expected in zip(poisoned, both(X), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(poisoned[1] != 0, kept)


def test_feature_alpha_dropout_shares_along_the_map():
    y = alpha_dropout(KEY, jnp.ones((8, 4, 4, 6)), 0.5, shared_axes=(1, 2))
    np.testing.assert_array_equal(y, jnp.broadcast_to(y[:, :1, :1], y.shape))
    assert np.unique(y).size == 2


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.7])
def test_lognormal_dropout_uses_the_normals_of_jax_random(rate):
    s = np.sqrt(-np.log1p(-rate))
    expected = X * np.exp(s * NORMALS - s**2 / 2)
    np.testing.assert_allclose(lognormal_dropout(KEY, X, rate), expected, 1e-5, 1e-6)
    assert (jnp.sign(lognormal_dropout(KEY, X, rate)) == jnp.sign(X)).all()


@pytest.mark.parametrize("rate", [1.0, 1 - 1e-9, -0.1, float("nan")])
def test_lognormal_dropout_refuses_impossible_rates(rate):
    with pytest.raises(ValueError, match=r"rate is .*in \[0, 1\)"):
        lognormal_dropout(KEY, X, rate)


def test_gaussian_noise_is_added():
    std = jnp.linspace(0.0, 2.0, 10)
    y = gaussian_noise(KEY, X, std)
    np.testing.assert_allclose(y, X + std[None] * NORMALS, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(gaussian_noise(KEY, X, 0.0), X)
    by_std = jax.grad(lambda std: gaussian_noise(KEY, X, std).sum())(0.3)
    np.testing.assert_allclose(by_std, NORMALS.sum(), rtol=1e-4)
    # A std above 1 is allowed, unlike in Keras; a negative one is not.
    assert gaussian_noise(KEY, X, 3.0).std() > 2
    with pytest.raises(ValueError, match=r"std is -0\.1; it must be finite and >= 0"):
        gaussian_noise(KEY, X, -0.1)
