# SPDX-License-Identifier: Apache-2.0
"""Logit-normal dropout: its integrals, its rescaling, its textbook form."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from dropout_jax.transforms import (
    logit_normal_dropout,
    logit_normal_dropout_moments,
    logit_normal_integrals,
)

ROOT_TWO_PI = math.sqrt(2 * math.pi)
KEY = jax.random.key(41)
X = jnp.asarray(np.random.default_rng(1).normal(size=(16, 10)), "f4")
# Both sides of the switch between the two quadratures, and far out.
WIDTHS = [0.01, 0.3, 1.0, 1.99, 2.01, 4.0, 10.0, 40.0, 400.0]
LOCATIONS = [-25.0, -8.0, -3.0, 0.0, 1.3, 6.0, 15.0]


def soft_mask(location, width):
    return lambda z: special.expit(location + width * z)


def integral(function, location, width):
    """E[function(z)], z ~ N(0, 1), with break points where the sigmoid turns."""
    points = [-location / width, min(width, 13.0)]
    return integrate.quad(
        lambda z: function(z) * math.exp(-0.5 * z * z) / ROOT_TWO_PI,
        -14,
        14,
        points=[point for point in points if abs(point) < 14],
        epsabs=0,
        epsrel=1e-9,
        limit=400,
    )[0]


@pytest.mark.parametrize("width", WIDTHS)
def test_mean_is_right_for_every_width(width):
    for location in LOCATIONS:
        expected = integral(soft_mask(location, width), location, width)
        found = float(logit_normal_integrals.mean(jnp.float32(location), width))
        assert abs(found / expected - 1) < 3e-6, location


def test_gauss_hermite_alone_would_fail_for_wide_logits():
    """The planted mistake: 64 nodes straddle the step of a wide sigmoid."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    weights = weights / np.sqrt(2 * np.pi)
    naive = np.sum(weights * special.expit(6.0 + 40.0 * nodes))
    expected = integral(soft_mask(6.0, 40.0), 6.0, 40.0)
    assert abs(naive / expected - 1) > 1e-3


@pytest.mark.parametrize("width", [0.01, 1.0, 4.0, 40.0])
@pytest.mark.parametrize("order", [2, 4])
def test_central_moments(width, order):
    for location in (-3.0, 0.0, 1.3):
        mask = soft_mask(location, width)
        mean = integral(mask, location, width)

        def power(z, mask=mask, mean=mean):
            return (mask(z) - mean) ** order

        expected = integral(power, location, width)
        found = logit_normal_integrals.central(jnp.float32(location), width, order)
        assert abs(float(found) / expected - 1) < 1e-3, location


def test_covariance_of_one_shared_draw():
    a, b = (0.5, 1.2), (-1.0, 3.0)
    first, second = soft_mask(*a), soft_mask(*b)
    means = integral(first, *a), integral(second, *b)

    def product(z):
        return (first(z) - means[0]) * (second(z) - means[1])

    found = logit_normal_integrals.covariance(*map(jnp.float32, (*a, *b)))
    np.testing.assert_allclose(found, integral(product, *a), rtol=1e-4)


@pytest.mark.parametrize("sigma", [1e-3, 1.0, 3.0, 30.0])
def test_the_textbook_mask_has_mean_one_half_for_every_sigma(sigma):
    """Equation 9.4.14 has no location, so the level cannot be set."""
    moments = logit_normal_dropout_moments(
        jnp.float32(1.0), 0.0, jnp.log(sigma), rescale=False
    )
    np.testing.assert_allclose(moments.mean, 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("sigma", "variance"), [(0, 0.0434), (1, 0.0684), (2, 0.1088), (4, 0.1611)]
)
def test_the_textbook_mask_has_the_known_variance(sigma, variance):
    log_sigma = math.log(sigma) if sigma else -40.0
    m = logit_normal_dropout_moments(jnp.float32(1.0), 0.0, log_sigma, rescale=False)
    np.testing.assert_allclose(m.variance, variance, atol=6e-5)


def test_in_float32_the_mask_is_exactly_one_from_a_logit_of_seventeen_on():
    """So it does not lie inside (0, 1), as the textbook has it, and learns no more."""
    options = {"epsilon_std": 0.0, "rescale": False}

    def y(mu, log_sigma):
        return logit_normal_dropout(KEY, jnp.ones(()), mu, log_sigma, **options)

    assert y(15.0, -30.0) < 1.0
    assert y(17.5, -30.0) == 1.0
    assert jax.grad(y)(17.5, -30.0) < 1e-7


def test_value():
    normals = jax.random.normal(KEY, X.shape)
    mask = jax.nn.sigmoid(1.0 + np.sqrt(0.5**2 + 0.2**2) * normals)
    options = {"epsilon_std": 0.2, "rescale": False}
    y = logit_normal_dropout(KEY, X, 1.0, np.log(0.5), **options)
    np.testing.assert_allclose(y, X * mask, rtol=1e-5)
    still = logit_normal_dropout(
        None, X, 1.0, np.log(0.5), deterministic=True, **options
    )
    rescaled = logit_normal_dropout(KEY, X, 1.0, np.log(0.5), epsilon_std=0.2)
    np.testing.assert_allclose(rescaled * still, X * y, rtol=1e-5)


def test_gradient_flows_through_the_normaliser():
    """The mean of y is x whatever mu and log_sigma: its gradient must vanish."""
    x = jnp.ones(400_000)

    def mean(mu, log_sigma, rescale):
        y = logit_normal_dropout(KEY, x, mu, log_sigma, rescale=rescale)
        return y.mean()

    gradient = jax.jit(jax.grad(mean, (0, 1)), static_argnums=2)
    for rescale, vanishes in ((True, True), (False, False)):
        by_mu, by_sigma = gradient(1.0, -0.5, rescale)
        limit = 5.5 * 1.0 / np.sqrt(x.size)  # the gradients have std below 1
        assert (abs(by_mu) < limit) == vanishes
        assert (abs(by_sigma) < limit) == vanishes


@pytest.mark.parametrize("width", [0.5, 1.9, 2.1, 20.0])
def test_gradient_of_the_mean(width):
    """Against the integral of the derivative."""

    def slope(z):
        s = special.expit(0.7 + width * z)
        return s * (1 - s)

    gradient = jax.jit(jax.grad(logit_normal_integrals.mean, (0, 1)))
    by_location, by_width = gradient(0.7, width)
    np.testing.assert_allclose(by_location, integral(slope, 0.7, width), rtol=1e-4)
    expected = integral(lambda z: z * slope(z), 0.7, width)
    np.testing.assert_allclose(by_width, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("epsilon_std", [0.0, 1.0])
def test_values_and_gradients_are_finite(epsilon_std):
    def loss(mu, log_sigma):
        y = logit_normal_dropout(KEY, X, mu, log_sigma, epsilon_std=epsilon_std)
        return y.sum()

    mu, log_sigma = jnp.meshgrid(
        jnp.array([-20.0, 0.0, 20.0]), jnp.array([-60.0, -1.0, 3.0, 6.0])
    )
    everywhere = jax.jit(jax.vmap(jax.value_and_grad(loss, (0, 1))))
    value, gradients = everywhere(mu.ravel(), log_sigma.ravel())
    assert all(jnp.isfinite(part).all() for part in (value, *gradients))


@pytest.mark.parametrize("epsilon_std", [-1.0, float("nan"), float("inf")])
def test_epsilon_must_be_a_deviation(epsilon_std):
    with pytest.raises(ValueError, match="epsilon_std is"):
        logit_normal_dropout(KEY, X, 0.0, 0.0, epsilon_std=epsilon_std)
