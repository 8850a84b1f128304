# SPDX-License-Identifier: Apache-2.0
"""The KLs against numerical integration of their definitions."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from dropout_jax.transforms import kl_gaussian, kl_log_uniform

ROOT_TWO_PI = math.sqrt(2 * math.pi)
LOG_ALPHA = np.linspace(-10.0, 10.0, 81)


@functools.cache
def integrated(log_alpha):
    """KL(N(1, alpha) || log-uniform), from the definition, KL -> 0 as alpha -> inf.

    -H(q) + E_q[log |w|], w = 1 + sqrt(alpha) z, is E[log |z + 1/sqrt(alpha)|] up to
    a constant, which is fixed by its limit E[log |z|] = -(gamma + log 2) / 2.
    """
    shift = math.exp(-0.5 * log_alpha)

    def integrand(z):
        return math.exp(-0.5 * z * z) / ROOT_TWO_PI * math.log(abs(z + shift))

    # The integrand is singular at -shift: quad never evaluates an end point.
    ends = sorted({-12.0, max(-shift, -12.0), 0.0, 12.0})
    parts = [
        integrate.quad(integrand, low, high, limit=400, epsabs=1e-11, epsrel=1e-11)[0]
        for low, high in itertools.pairwise(ends)
    ]
    return sum(parts) + 0.5 * (np.euler_gamma + np.log(2))


def reference():
    return np.array([integrated(value) for value in LOG_ALPHA])


def worst(method):
    """Largest error in units of the tolerance, 1e-6 + 1e-5 KL."""
    found = np.asarray(kl_log_uniform(LOG_ALPHA, method), np.float64)
    return np.max(np.abs(found - reference()) / (1e-6 + 1e-5 * reference()))


def derivative(method, log_alpha):
    one = jax.grad(lambda value: kl_log_uniform(value, method))
    return np.asarray(jax.vmap(one)(jnp.asarray(log_alpha, jnp.float32)), np.float64)


def test_exact_kl_is_the_integral():
    assert worst("exact") < 1.0
    assert worst("molchanov") > 100.0, "the test must be able to fail"


def test_exact_gradient():
    """Against differences of the integral, and against Dawson's function."""
    step = 1e-3
    points = LOG_ALPHA[::8]
    slope = [(integrated(p + step) - integrated(p - step)) / (2 * step) for p in points]
    np.testing.assert_allclose(derivative("exact", points), slope, atol=2e-6)
    root = np.sqrt(0.5) * np.exp(-0.5 * np.float64(np.float32(LOG_ALPHA)))
    dawson = -root * special.dawsn(root)
    np.testing.assert_allclose(derivative("exact", LOG_ALPHA), dawson, rtol=2e-6)


def test_exact_kl_far_outside():
    """Finite values and gradients wherever a step of an optimiser may land."""
    far = jnp.array([-150.0, -80.0, -20.0, 20.0, 80.0, 150.0])
    expected = np.maximum(0.635181 - 0.5 * np.asarray(far), 0)
    expected[3:] = 0.0
    np.testing.assert_allclose(kl_log_uniform(far), expected, atol=1e-5)
    slopes = [-0.5, -0.5, -0.5, 0.0, 0.0, 0.0]
    np.testing.assert_allclose(derivative("exact", far), slopes, atol=1e-6)


def test_joint_of_integral_and_series_does_not_show():
    """At sqrt(u) = 5 two formulas meet."""
    joint = -np.log(50.0)
    values = np.asarray(kl_log_uniform(np.linspace(joint - 1e-3, joint + 1e-3, 101)))
    assert np.all(np.abs(np.diff(values) + 2e-5 * 0.51) < 1.5e-6)


@pytest.mark.parametrize("method", ["exact", "molchanov", "kingma"])
def test_kl_is_positive_and_falls_with_alpha(method):
    """A flipped sign, as in a public library, would rise."""
    values = np.asarray(kl_log_uniform(np.linspace(-10.0, 10.0, 2001), method))
    assert np.all(values >= 0) and np.all(np.diff(values) <= 1e-6)
    assert values[0] > values[-1] + 4


def test_approximations_stay_within_their_stated_errors():
    error = np.abs(kl_log_uniform(LOG_ALPHA, "molchanov") - reference())
    assert 0.008 < error.max() < 0.01
    inside = LOG_ALPHA <= 0
    error = np.abs(kl_log_uniform(LOG_ALPHA[inside], "kingma") - reference()[inside])
    assert 0.03 < error.max() < 0.05


def test_approximations_are_the_published_formulas():
    """In double precision; copies with 1.48675 for 1.48695 are in circulation."""
    log_alpha = np.linspace(-6.0, 0.0, 25)
    alpha = np.exp(log_alpha)
    step = special.expit(1.87320 + 1.48695 * log_alpha)
    molchanov = 0.63576 - 0.63576 * step + 0.5 * np.log1p(1 / alpha)
    found = kl_log_uniform(log_alpha, "molchanov")
    np.testing.assert_allclose(found, molchanov, rtol=1e-6)
    cubic = 1.16145124 * alpha - 1.50204118 * alpha**2 + 0.58629921 * alpha**3
    kingma = 0.5 * (np.euler_gamma + np.log(2)) - 0.5 * log_alpha - cubic
    np.testing.assert_allclose(kl_log_uniform(log_alpha, "kingma"), kingma, rtol=1e-6)


def test_kingma_holds_its_value_above_its_range():
    held = kl_log_uniform(jnp.array([0.0, 1.0, 5.0]), "kingma")
    np.testing.assert_array_equal(held, held[:1].repeat(3))
    np.testing.assert_array_equal(derivative("kingma", [1.0, 5.0]), 0.0)


def test_all_methods_agree_for_small_alpha():
    values = [kl_log_uniform(-10.0, m) for m in ("exact", "molchanov", "kingma")]
    np.testing.assert_allclose(values, values[0], atol=1e-3)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="'exact', 'molchanov' or 'kingma'"):
        kl_log_uniform(0.0, "cubic")


@pytest.mark.parametrize("setting", [(0.3, -1.0, 0.0, 0.0), (2.0, 0.7, -1.0, 0.4)])
def test_gaussian_kl_is_the_integral(setting):
    mu_q, log_sigma_q, mu_p, log_sigma_p = setting
    q = stats.norm(mu_q, np.exp(log_sigma_q))
    p = stats.norm(mu_p, np.exp(log_sigma_p))
    expected = integrate.quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), *q.interval(1 - 1e-15)
    )[0]
    found = float(kl_gaussian(*setting))
    assert abs(found - expected) < 1e-6 + 1e-5 * expected
    swapped = float(kl_gaussian(mu_p, log_sigma_p, mu_q, log_sigma_q))
    assert abs(swapped - expected) > 0.1


def test_gaussian_kl_near_equality_is_not_negative():
    offsets = jnp.linspace(-1e-3, 1e-3, 4001)
    values = kl_gaussian(0.0, 0.5 + offsets, 0.0, 0.5)
    assert (values >= 0).all()
    np.testing.assert_allclose(values, offsets**2, atol=1e-7)
    assert float(kl_gaussian(0.7, 0.2, 0.7, 0.2)) == 0.0
