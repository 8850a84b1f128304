# SPDX-License-Identifier: Apache-2.0
"""Gaussian and variational dropout: exact values, gradients and edge cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.transforms import (
    alpha_from_rate,
    gaussian_dropout,
    gaussian_dropout_moments,
    rate_from_alpha,
    variational_dropout,
)

KEY = jax.random.key(31)
X = jnp.asarray(np.random.default_rng(1).normal(size=(16, 10)), "f4")
NORMALS = jax.random.normal(KEY, X.shape)


def test_alpha_and_rate_are_inverse():
    rates = jnp.linspace(0.0, 0.99, 12)
    np.testing.assert_allclose(rate_from_alpha(alpha_from_rate(rates)), rates, 1e-5)
    np.testing.assert_allclose(alpha_from_rate(0.2), 0.25)
    assert float(alpha_from_rate(1.0)) == np.inf


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_gaussian_uses_the_normals_of_jax_random(rate):
    """Common random numbers: one set of normals for all rates."""
    std = np.sqrt(rate / (1 - rate))
    expected = X * (1 + std * NORMALS)
    for value in (gaussian_dropout, jax.jit(gaussian_dropout)):
        np.testing.assert_allclose(value(KEY, X, rate), expected, rtol=1e-5, atol=1e-6)
    literal = gaussian_dropout(KEY, X, std=std)
    np.testing.assert_allclose(literal, expected, rtol=1e-5, atol=1e-6)


def test_gaussian_rate_zero_is_the_identity_also_when_traced():
    np.testing.assert_array_equal(gaussian_dropout(KEY, X, 0.0), X)
    np.testing.assert_array_equal(jax.jit(gaussian_dropout)(KEY, X, 0.0), X)
    gradient = jax.grad(lambda r: jax.jit(gaussian_dropout)(KEY, X, r).sum())
    assert gradient(0.0) == 0.0


@pytest.mark.parametrize("rate", [1, 1.0, 1 - 1e-9, jnp.array([0.5, 1.0])])
def test_gaussian_rate_one_is_refused(rate):
    with pytest.raises(ValueError, match="infinite at 1"):
        gaussian_dropout(KEY, X[:, :2], rate)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "give one of them"),
        ({"rate": 0.5, "std": 0.1}, "give one of them"),
        ({"rate": 0.5, "mean": 0.5}, "give std instead"),
        ({"std": -0.1}, "std is -0.1; it must be finite and >= 0"),
        ({"std": float("nan")}, "std is nan"),
    ],
)
def test_gaussian_refuses_unclear_noise(options, match):
    for deterministic in (False, True):
        with pytest.raises(ValueError, match=match):
            gaussian_dropout(KEY, X, deterministic=deterministic, **options)


def test_gaussian_with_a_mean_keeps_its_expectation():
    still = gaussian_dropout(None, X, mean=0.5, std=1.0, deterministic=True)
    np.testing.assert_array_equal(still, 0.5 * X)
    assert gaussian_dropout(None, X, std=1.0, deterministic=True) is X
    variance = gaussian_dropout_moments(jnp.float32(3.0), mean=0.5, std=0.5).variance
    assert float(variance) == 2.25  # the textbook's theorem 9.4.5 prints 1.125


@pytest.mark.parametrize("std", [0.3, 0.0])
def test_gaussian_gradients_reach_mean_and_std(std):
    def loss(mean, std):
        return gaussian_dropout(KEY, X, mean=mean, std=std).sum()

    by_mean, by_std = jax.grad(loss, (0, 1))(0.5, std)
    np.testing.assert_allclose(by_mean, X.sum(), rtol=1e-4)
    np.testing.assert_allclose(by_std, (X * NORMALS).sum(), rtol=1e-4)


def test_variational_value_and_gradient():
    log_alpha = jnp.linspace(-4.0, 2.0, 10)
    std = jnp.exp(0.5 * log_alpha)[None]

    def loss(log_alpha, x):
        return variational_dropout(KEY, x, log_alpha).sum()

    value = variational_dropout(KEY, X, log_alpha)
    np.testing.assert_allclose(value, X * (1 + std * NORMALS), rtol=1e-5, atol=1e-6)
    by_log_alpha, by_x = jax.grad(loss, (0, 1))(log_alpha, X)
    expected = (0.5 * std * X * NORMALS).sum(0)
    np.testing.assert_allclose(by_log_alpha, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(by_x, 1 + std * NORMALS, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("log_alpha", [-jnp.inf, -100.0, -10.0, 0.0, 10.0, 40.0])
def test_variational_gradients_are_finite(log_alpha):
    gradient = jax.grad(lambda value: variational_dropout(KEY, X, value).sum())
    assert jnp.isfinite(gradient(log_alpha))


def test_variational_equals_gaussian_at_the_same_alpha():
    log_alpha = jnp.log(alpha_from_rate(0.3))
    ours = variational_dropout(KEY, X, log_alpha)
    np.testing.assert_allclose(ours, gaussian_dropout(KEY, X, 0.3), rtol=1e-5)


def test_variational_bound_clips_value_and_gradient():
    log_alpha = jnp.array([-1.0, 3.0] * 5)

    def loss(log_alpha):
        return variational_dropout(KEY, X, log_alpha, max_log_alpha=0.0).sum()

    bounded = variational_dropout(KEY, X, log_alpha, max_log_alpha=0.0)
    expected = variational_dropout(KEY, X, jnp.minimum(log_alpha, 0.0))
    np.testing.assert_array_equal(bounded, expected)
    gradient = jax.grad(loss)(log_alpha)
    assert (gradient[1::2] == 0).all() and (gradient[::2] != 0).all()
    assert (bounded != variational_dropout(KEY, X, log_alpha)).any()
