# SPDX-License-Identifier: Apache-2.0
"""Concrete dropout: the mask, its gradient to the rate, and the regulariser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from dropout_jax.transforms import (
    bernoulli_mask,
    concrete_dropout,
    concrete_dropout_moments,
    concrete_regularizer,
    kl_bernoulli,
)

pytestmark = pytest.mark.usefixtures("strict_promotion")

KEY = jax.random.key(81)
X = jnp.asarray(np.random.default_rng(4).normal(size=(16, 10)), "f4")
UNIFORMS = np.asarray(jax.random.uniform(KEY, X.shape), np.float64)
NOISE = np.log(UNIFORMS) - np.log1p(-UNIFORMS)


def mask(logit, temperature):
    return special.expit(-(logit + NOISE) / temperature)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("temperature", [0.1, 2 / 3])
def test_the_published_form(rate, temperature):
    logit = special.logit(rate)
    options = {"temperature": temperature, "unbiased": False}
    y = concrete_dropout(KEY, X, logit, **options)
    expected = X * mask(logit, temperature) / (1 - rate)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("temperature", [0.05, 0.1, 2 / 3, 2.0])
def test_quadrature_of_the_mean_and_variance(rate, temperature):
    """Against integration over the uniform, where the mask is a function of one."""
    logit = special.logit(rate)

    def keep(u):
        return special.expit(-(logit + special.logit(u)) / temperature)

    def integrated(f):
        # The step of the mask lies where logit(u) = -logit.
        points = {"points": [1 - rate], "limit": 500, "epsabs": 1e-10}
        return integrate.quad(f, 0, 1, **points)[0]

    mean = integrated(keep)
    variance = integrated(lambda u: (keep(u) - mean) ** 2)
    one = jnp.float32(1.0)
    options = {"temperature": temperature}
    published = concrete_dropout_moments(one, logit, unbiased=False, **options)
    np.testing.assert_allclose(published.mean, mean / (1 - rate), rtol=1e-4)
    np.testing.assert_allclose(published.variance, variance / (1 - rate) ** 2, 2e-3)
    unbiased = concrete_dropout_moments(one, logit, **options)
    np.testing.assert_allclose(unbiased.mean, 1.0, rtol=1e-5)


def test_the_bias_that_the_published_form_has():
    """dropout_facts: .99869, .950 and 1.453."""
    for rate, temperature, bias in (
        (0.1, 0.1, 0.99869),
        (0.1, 2 / 3, 0.950),
        (0.9, 2 / 3, 1.453),
    ):
        moments = concrete_dropout_moments(
            jnp.float32(1.0),
            special.logit(rate),
            temperature=temperature,
            unbiased=False,
        )
        np.testing.assert_allclose(moments.mean, bias, atol=6e-4)
        still = concrete_dropout(
            None,
            jnp.float32(1.0),
            special.logit(rate),
            temperature=temperature,
            unbiased=False,
            deterministic=True,
        )
        np.testing.assert_allclose(still, moments.mean, rtol=1e-6)


def test_the_gradient_to_the_rate_is_that_of_the_formula():
    def loss(logit):
        return (X * concrete_dropout(KEY, X, logit, unbiased=False)).sum()

    logit, step = -1.0, 1e-3

    def formula(logit):
        gain = 1 + np.exp(logit)
        return float((np.asarray(X, np.float64) ** 2 * mask(logit, 0.1) * gain).sum())

    expected = (formula(logit + step) - formula(logit - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(loss)(logit), expected, rtol=1e-3)


def test_hard_is_bernoulli_forward_and_soft_backward():
    logit = jnp.float32(-0.5)
    rate = float(jax.nn.sigmoid(logit))
    y = concrete_dropout(KEY, X, logit, hard=True)
    # u < keep_prob is where dropout keeps; here logit + noise < 0, the same event.
    kept = bernoulli_mask(KEY, rate, X.shape)
    np.testing.assert_allclose(y, jnp.where(kept, X / (1 - rate), 0), rtol=1e-5)
    gradients = [
        jax.grad(
            lambda v, h=hard: concrete_dropout(KEY, X, v, hard=h, unbiased=False).sum()
        )(logit)
        for hard in (False, True)
    ]
    assert all(jnp.isfinite(g) and g != 0 for g in gradients)
    # They differ by the gain alone, whose gradient takes the mask's value.
    soft_mask = mask(float(logit), 0.1)
    by_gain = float(
        (np.asarray(X) * (np.asarray(kept) - soft_mask)).sum() * np.exp(float(logit))
    )
    np.testing.assert_allclose(gradients[1] - gradients[0], by_gain, rtol=1e-3)


def test_gradients_are_finite_for_certain_rates():
    for options in ({}, {"hard": True}, {"unbiased": False}, {"temperature": 2 / 3}):
        for logit in (-100.0, -30.0, 0.0, 20.0, 29.0, 50.0, 100.0):

            def loss(value, options=options):
                return concrete_dropout(KEY, X, value, **options).sum()

            value, gradient = jax.value_and_grad(loss)(logit)
            assert jnp.isfinite(value) and jnp.isfinite(gradient), (options, logit)


def test_the_mean_has_no_gradient_to_the_rate():
    """Over many draws the gradient through mask and normaliser averages to 0."""
    keys = jax.random.split(KEY, 20_000)

    def mean(logit):
        y = jax.vmap(lambda key: concrete_dropout(key, jnp.ones(()), logit))(keys)
        return y.mean()

    slopes = jax.vmap(
        jax.grad(lambda v, key: concrete_dropout(key, jnp.ones(()), v)), (None, 0)
    )(-1.0, keys)
    error = 5.5 * float(slopes.std()) / np.sqrt(20_000)
    assert abs(float(jax.grad(mean)(-1.0))) < error
    # Without the part through the normaliser it would not: that part alone is
    # E[m'] / E[m] = -d log E[m], about 0.27 here.
    assert error < 0.1


@pytest.mark.parametrize("temperature", [0.0, -1.0, 11.0, float("nan")])
def test_impossible_temperatures_are_refused(temperature):
    with pytest.raises(ValueError, match="temperature is"):
        concrete_dropout(KEY, X, 0.0, temperature=temperature)


def test_kl_bernoulli():
    for rate in (1e-6, 0.1, 0.5, 0.99):
        for prior in (0.5, 0.2):
            expected = special.rel_entr([rate, 1 - rate], [prior, 1 - prior]).sum()
            found = kl_bernoulli(special.logit(rate), prior)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert kl_bernoulli(0.0) == 0.0
    assert jnp.isfinite(kl_bernoulli(jnp.array([-1e4, 1e4]))).all()
    assert jax.grad(kl_bernoulli)(-1.0) < 0  # entropy rises towards 1/2


def test_the_regularizer_is_the_published_one_plus_a_constant():
    kernel = jax.random.normal(jax.random.key(5), (10, 4))
    logit = jnp.linspace(-3.0, 1.0, 10)
    p = special.expit(np.asarray(logit, np.float64))
    scale, n, tau = 0.3, 1000, 2.0
    squares = (np.asarray(kernel, np.float64) ** 2).sum(1)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    # The authors' layer: weight regulariser l**2 / (tau n), dropout 2 / (tau n).
    theirs = (
        scale**2 / (tau * n) * (squares / (1 - p)).sum() - 2 / (tau * n) * entropy.sum()
    )
    options = {"examples": n, "length_scale": scale}
    ours = concrete_regularizer(
        kernel, logit, likelihood="regression", precision=tau, **options
    )
    constant = 2 / (tau * n) * 10 * np.log(2)
    np.testing.assert_allclose(ours, theirs + constant, rtol=1e-5)
    # For cross-entropy the factor 2 / tau goes.
    classified = concrete_regularizer(kernel, logit, **options)
    np.testing.assert_allclose(classified, ours * tau / 2, rtol=1e-6)
    one_rate = concrete_regularizer(kernel, jnp.float32(-1.0), **options)
    same = concrete_regularizer(kernel, jnp.full(10, -1.0), **options)
    np.testing.assert_allclose(one_rate, same, rtol=1e-6)
    assert concrete_regularizer(0 * kernel, jnp.zeros(10), **options) == 0.0


def test_the_regularizer_of_a_convolution_counts_channels_once():
    kernel = jax.random.normal(jax.random.key(5), (3, 3, 6, 4))
    logit = jnp.linspace(-3.0, 1.0, 6)
    found = concrete_regularizer(kernel, logit, examples=1)
    flat = kernel.reshape(9, 6, 4).transpose(1, 0, 2).reshape(6, 36)
    expected = concrete_regularizer(flat, logit, examples=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"likelihood": "poisson"}, "likelihood is 'poisson'"),
        ({"length_scale": 0.0}, "length_scale is 0.0"),
        ({"precision": -1.0}, "precision is -1.0"),
        ({"examples": 0}, "examples is 0"),
    ],
)
def test_the_regularizer_refuses(options, match):
    with pytest.raises(ValueError, match=match):
        concrete_regularizer(
            jnp.ones((3, 2)), jnp.zeros(3), **{"examples": 9, **options}
        )
    with pytest.raises(ValueError, match="logit_rate has shape"):
        concrete_regularizer(jnp.ones((3, 2)), jnp.zeros(2), examples=9)
