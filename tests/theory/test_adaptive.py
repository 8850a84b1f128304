# SPDX-License-Identifier: Apache-2.0
"""Wager's penalty, ensembles and variance shift against enumeration and simulation."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import theory
from dropout_jax.transforms import dropout

X = jax.random.normal(jax.random.key(0), (6, 5))
W = jax.random.normal(jax.random.key(1), (5,))
CLASSES = jax.random.normal(jax.random.key(2), (5, 3))


def weights_of(family, scale):
    return scale * (CLASSES if family == "softmax" else W)


def test_wager_is_exact_for_squared_error():
    for rate in (0.1, 0.5, 0.8):
        exact = theory.dropout_penalty_exact(W, X, rate, "gaussian")
        quadratic = theory.wager_penalty(W, X, rate, "gaussian")
        np.testing.assert_allclose(quadratic, exact, rtol=1e-4)
        half = 0.5 * jnp.sum(theory.effective_l2(X, rate) * W**2)
        np.testing.assert_allclose(quadratic, half, rtol=1e-5)


@pytest.mark.parametrize("family", ["logistic", "poisson", "softmax"])
def test_wager_is_the_second_order_of_the_exact_penalty(family):
    """The relative error falls with the square of the weights, or with them."""
    errors = []
    for scale in (0.2, 0.1):
        weights = weights_of(family, scale)
        exact = theory.dropout_penalty_exact(weights, X, 0.5, family)
        quadratic = theory.wager_penalty(weights, X, 0.5, family)
        assert exact > 0 and quadratic > 0
        errors.append(abs(float(quadratic / exact) - 1))
    assert errors[1] < 0.6 * errors[0] < 0.2


def test_the_logistic_example_of_the_reference():
    """One example, k = 1/2: enumeration and quadratic form as worked by hand."""
    weights, x = jnp.array([0.5, -0.3]), jnp.array([[1.0, 2.0]])
    eta = [0.0, 1.0, -1.2, -0.2]  # masks: none, first, second, both; times 2 w x
    exact = np.mean(np.logaddexp(0, eta)) - np.logaddexp(0, -0.1)
    found = theory.dropout_penalty_exact(weights, x, 0.5)
    np.testing.assert_allclose(found, exact, rtol=1e-4)
    curvature = 1 / (1 + np.exp(0.1)) / (1 + np.exp(-0.1))
    quadratic = 0.5 * curvature * (0.25 + 0.36)
    np.testing.assert_allclose(theory.wager_penalty(weights, x, 0.5), quadratic, 1e-5)


def test_bad_models_are_one_clear_error():
    with pytest.raises(ValueError, match="family is 'probit'; it must be one of"):
        theory.wager_penalty(W, X, 0.5, "probit")
    with pytest.raises(ValueError, match="weights have shape"):
        theory.wager_penalty(W, X, 0.5, "softmax")
    with pytest.raises(ValueError, match="there are 17 units"):
        theory.dropout_penalty_exact(jnp.ones(17), jnp.ones((2, 17)), 0.5)


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_weight_scaling_is_the_geometric_mean_of_one_softmax_layer(rate):
    bias = jnp.array([0.1, -0.2, 0.3])
    logits, p = theory.enumerate_softmax_layer(X[0], CLASSES, bias, rate)
    scaled = theory.weight_scaling_predict(X[0], CLASSES, bias)
    geometric = theory.geometric_mean_predict(logits, p)
    arithmetic = theory.arithmetic_mean_predict(logits, p)
    np.testing.assert_allclose(geometric, scaled, rtol=1e-4)
    expected = sum(w * jax.nn.softmax(one) for w, one in zip(p, logits, strict=True))
    np.testing.assert_allclose(arithmetic, expected, rtol=1e-5)
    assert jnp.abs(arithmetic - geometric).max() > 0.01
    direct = jnp.exp(jnp.tensordot(p, jax.nn.log_softmax(logits, -1), 1))
    np.testing.assert_allclose(geometric, direct / direct.sum(), rtol=1e-4)


def test_variance_shift_as_simulated():
    """Standard error of a variance over a million draws: about 0.3 % here."""
    x = 0.5 + jax.random.normal(jax.random.key(5), (1_000_000,))
    y = dropout(jax.random.key(6), x, 0.5)
    expected = float(theory.variance_shift_ratio(0.5, 1.0, 0.5))
    assert abs(expected - 1 / 2.25) < 1e-6
    assert abs(float(x.var() / y.var()) / expected - 1) < 0.02
    assert float(theory.variance_shift_ratio(0.5, 1.0, 0.0)) == 1.0


def test_variance_shift_through_a_layer_as_simulated():
    mixing = jax.random.normal(jax.random.key(7), (5, 5))
    mean = jnp.array([0.5, -1.0, 0.0, 2.0, 0.3])
    draws = jax.random.normal(jax.random.key(8), (400_000, 5)) @ mixing + mean[None]
    noisy = dropout(jax.random.key(9), draws, 0.4)
    simulated = (draws @ CLASSES).var(0) / (noisy @ CLASSES).var(0)
    found = theory.linear_variance_shift_ratio(mean, mixing.T @ mixing, CLASSES, 0.4)
    np.testing.assert_allclose(found, simulated, rtol=0.02)
    # Independent inputs would be another answer.
    independent = theory.linear_variance_shift_ratio(
        mean, jnp.diag(jnp.diag(mixing.T @ mixing)), CLASSES, 0.4
    )
    assert np.abs(independent / simulated - 1).max() > 0.05


def test_variance_shift_in_a_real_batch_normalisation():
    """It divides by the variance of training, whatever it then meets."""
    x = 0.5 + jax.random.normal(jax.random.key(10), (1_000_000, 1))
    norm = linen.BatchNorm(momentum=0.0)  # the statistics of the last batch alone
    noisy = dropout(jax.random.key(11), x, 0.5)
    variables = norm.init(jax.random.key(0), noisy, use_running_average=False)
    _, trained = norm.apply(
        variables, noisy, use_running_average=False, mutable=["batch_stats"]
    )
    tested = norm.apply(
        {**variables, **trained}, x, use_running_average=True
    )  # of variance 1 without the shift
    expected = float(theory.variance_shift_ratio(0.5, 1.0, 0.5))
    assert abs(float(tested.var()) / expected - 1) < 0.02
