# SPDX-License-Identifier: Apache-2.0
"""Closed forms of linear models under dropout against the enumeration of all masks."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import theory
from dropout_jax.transforms import gaussian_noise

KEYS = jax.random.split(jax.random.key(3), 4)
X = jax.random.normal(KEYS[0], (7, 5))
W = jax.random.normal(KEYS[1], (5,))
T = jax.random.normal(KEYS[2], (7,))
KERNEL = jax.random.normal(KEYS[3], (5, 3))
RATES = (0.1, 0.5, 0.7)


def expectation(function, rate, scaling="train"):
    """E over all masks of function(masked X), one mask for every example."""
    masks = np.asarray(theory.all_masks(5), np.float64)
    probabilities = np.prod(np.where(masks > 0, 1 - rate, rate), 1)
    assert np.isclose(probabilities.sum(), 1)
    gain = 1 / (1 - rate) if scaling == "train" else 1
    x = np.asarray(X, np.float64)
    terms = zip(probabilities, masks, strict=True)
    return sum(p * function(x * (mask * gain)) for p, mask in terms)


@pytest.mark.parametrize("rate", [*RATES, np.array([0.1, 0.7, 0.5, 0.2, 0.4])])
@pytest.mark.parametrize("scaling", ["train", "test"])
def test_moments_of_a_layer_behind_dropout(rate, scaling):
    kernel = np.asarray(KERNEL, np.float64)
    mean = expectation(lambda x: x @ kernel, rate, scaling)

    def outer(x):
        deviation = x @ kernel - mean
        return np.einsum("no,np->nop", deviation, deviation)

    found = theory.linear_dropout_moments(X, KERNEL, rate, scaling=scaling)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-5, atol=1e-5)
    covariance = expectation(outer, rate, scaling)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-4, atol=1e-5)
    # The outputs are correlated: a diagonal covariance would be another claim.
    off_diagonal = covariance - covariance * np.eye(3)
    assert np.abs(off_diagonal).max() > 0.1


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("scaling", ["train", "test"])
def test_regression_loss_is_the_expectation(rate, scaling):
    w, t = np.asarray(W, np.float64), np.asarray(T, np.float64)
    expected = expectation(lambda x: ((t - x @ w) ** 2).sum(), rate, scaling)
    found = theory.dropout_regression_loss(W, X, T, rate, scaling=scaling)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Equation 9.4.13 of the textbook, (1-k)**2 y**2 + k(1-k) sum w**2 x**2 with the
    # model's own output y for the target, is something else.
    k, y = 1 - rate, np.asarray(X @ W, np.float64)
    penalty = k * rate * ((w**2) @ (np.asarray(X, np.float64) ** 2).sum(0))
    printed = rate**2 * (y**2).sum() + penalty
    assert abs(printed - expected) > 0.05 * expected


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("scaling", ["train", "test"])
def test_ridge_solution_minimises_the_loss(rate, scaling):
    solution = theory.dropout_ridge_solution(X, T, rate, scaling=scaling)
    gradient = jax.grad(theory.dropout_regression_loss)
    slope = gradient(solution, X, T, rate, scaling=scaling)
    size = gradient(0 * solution, X, T, rate, scaling=scaling)
    assert jnp.abs(slope).max() < 1e-4 * jnp.abs(size).max()
    off = gradient(1.01 * solution, X, T, rate, scaling=scaling)
    assert jnp.abs(off).max() > 1e-3 * jnp.abs(size).max()


def test_both_scalings_end_in_the_same_network_of_test_time():
    for rate in RATES:
        inverted = theory.dropout_ridge_solution(X, T, rate)
        classic = theory.dropout_ridge_solution(X, T, rate, scaling="test")
        np.testing.assert_allclose((1 - rate) * classic, inverted, rtol=1e-5)


def test_regularisation_grows_with_the_rate_without_end():
    """Not strongest at 1/2, as the textbook's table 9.4.2 has it."""
    rates = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
    sizes = [float(jnp.sum(theory.dropout_ridge_solution(X, T, r) ** 2)) for r in rates]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 0.01 * sizes[0]
    strengths = [theory.effective_l2(X, rate) for rate in rates]
    assert all((a < b).all() for a, b in itertools.pairwise(strengths))


def test_effective_l2_is_the_penalty_of_the_loss():
    for rate in RATES:
        plain = jnp.sum((T - X @ W) ** 2)
        loss = theory.dropout_regression_loss(W, X, T, rate)
        penalty = jnp.sum(theory.effective_l2(X, rate) * W**2)
        np.testing.assert_allclose(loss - plain, penalty, rtol=1e-4)


def test_additive_noise_on_the_data_is_ridge_regression():
    """Least squares on noisy copies against lambda = N std**2, and not against 0."""
    copies, std = 100_000, 0.7
    noise = gaussian_noise(jax.random.key(4), jnp.zeros((copies, *X.shape)), std)
    noisy = np.asarray(X, np.float64) + np.asarray(noise, np.float64)
    flat, x = noisy.reshape(-1, 5), np.asarray(X, np.float64)
    target = np.asarray(T, np.float64)
    found = np.linalg.solve(flat.T @ flat, flat.T @ np.tile(target, copies))

    def ridge(strength):
        return np.linalg.solve(x.T @ x + strength * np.eye(5), x.T @ target)

    assert np.abs(found - ridge(len(x) * std**2)).max() < 0.01
    assert np.abs(found - ridge(0.0)).max() > 0.05


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_impossible_rates_are_refused(rate):
    calls = [
        lambda: theory.linear_dropout_moments(X, KERNEL, rate),
        lambda: theory.dropout_regression_loss(W, X, T, rate),
        lambda: theory.dropout_ridge_solution(X, T, rate, scaling="test"),
        lambda: theory.effective_l2(X, rate),
        lambda: theory.wager_penalty(W, X, rate),
        lambda: theory.variance_shift_ratio(0.0, 1.0, rate),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"rate is {rate}"):
            call()
    with pytest.raises(ValueError, match="scaling is 'keras'"):
        theory.dropout_regression_loss(W, X, T, 0.5, scaling="keras")
