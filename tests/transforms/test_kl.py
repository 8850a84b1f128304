# SPDX-License-Identifier: Apache-2.0
"""The KLs against integration of their definitions in thirty digits."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import special

from dropout_jax.transforms import get, kl_bernoulli, kl_gaussian, kl_log_uniform

LOG_ALPHA = np.linspace(-10.0, 10.0, 81)


@functools.cache
@mpmath.workdps(30)
def integrated(log_alpha):
    """KL(N(1, alpha) || log-uniform), from the definition, KL -> 0 as alpha -> inf.

    -H(q) + E_q[log |w|], w = 1 + sqrt(alpha) z, is E[log |z + 1/sqrt(alpha)|] up to
    a constant, which is fixed by its limit E[log |z|] = -(gamma + log 2) / 2. The
    error is below 1e-20.
    """
    shift = mpmath.exp(-mpmath.mpf(float(log_alpha)) / 2)

    def integrand(z):
        return mpmath.npdf(z) * mpmath.log(abs(z + shift))

    # Singular at -shift: the tanh-sinh rule never evaluates an end point.
    ends = sorted({mpmath.mpf(-16), max(-shift, mpmath.mpf(-16)), mpmath.mpf(16)})
    constant = (mpmath.euler + mpmath.log(2)) / 2
    value, error = mpmath.quad(integrand, ends, error=True)
    assert error < 1e-20
    return value + constant


def reference():
    return np.array([integrated(value) for value in LOG_ALPHA], np.float64)


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
    step = 2.0**-20
    points = np.float64(np.float32(LOG_ALPHA[::8]))
    slope = [(integrated(p + step) - integrated(p - step)) / (2 * step) for p in points]
    slope = np.array(slope, np.float64)
    assert np.abs(derivative("exact", points) - slope).max() < 1e-6
    assert np.abs(derivative("molchanov", points) - slope).max() > 1e-3
    fine = np.float64(np.linspace(-10.0, 10.0, 4001, dtype=np.float32))
    root = np.sqrt(0.5) * np.exp(-0.5 * fine)
    dawson = -root * special.dawsn(root)
    np.testing.assert_allclose(derivative("exact", fine), dawson, rtol=0, atol=1e-6)
    np.testing.assert_allclose(derivative("exact", fine), dawson, rtol=2e-6)


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
    q, p = (
        functools.partial(mpmath.npdf, mu=mu, sigma=mpmath.exp(log_sigma))
        for mu, log_sigma in ((mu_q, log_sigma_q), (mu_p, log_sigma_p))
    )
    spread = 16 * mpmath.exp(log_sigma_q)
    with mpmath.workdps(30):
        expected = mpmath.quad(
            lambda z: q(z) * mpmath.log(q(z) / p(z)),
            [mu_q - spread, mu_q, mu_q + spread],
        )
    found = float(kl_gaussian(*setting))
    assert abs(found - expected) < 1e-6 + 1e-5 * expected
    swapped = float(kl_gaussian(mu_p, log_sigma_p, mu_q, log_sigma_q))
    assert abs(swapped - expected) > 0.1


@pytest.mark.parametrize("rate_p", [0.5, 0.2])
def test_bernoulli_kl_is_the_sum_over_both_outcomes(rate_p):
    logits = np.linspace(-20.0, 20.0, 41, dtype=np.float32)
    with mpmath.workdps(30):
        prior, expected = mpmath.mpf(rate_p), []
        for logit in logits:
            rate = 1 / (1 + mpmath.exp(-mpmath.mpf(float(logit))))
            pairs = ((rate, prior), (1 - rate, 1 - prior))
            expected.append(sum(q * mpmath.log(q / p) for q, p in pairs))
    expected = np.array(expected, np.float64)
    found = np.asarray(kl_bernoulli(logits, rate_p), np.float64)
    assert np.all(np.abs(found - expected) < 1e-6 + 1e-5 * expected)
    other = np.asarray(kl_bernoulli(-logits, rate_p), np.float64)
    assert rate_p == 0.5 or np.abs(other - expected).max() > 0.1
    for impossible in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="rate_p is"):
            kl_bernoulli(0.0, impossible)


@pytest.mark.parametrize(("mu", "log_sigma"), [(2.0, -1.0), (-1.0, 0.5)])
def test_the_kl_of_soft_masks_is_the_integral_over_the_masks(mu, log_sigma):
    """Both laws of sigmoid(z) on (0, 1), with the slope of the sigmoid in each."""
    with mpmath.workdps(30):
        sigma = mpmath.exp(log_sigma)

        def density(m, mean, deviation):
            logit = mpmath.log(m / (1 - m))
            return mpmath.npdf(logit, mean, deviation) / (m * (1 - m))

        def integrand(m):
            q, p = density(m, mu, sigma), density(m, 0, 1)
            return q * mpmath.log(q / p) if q > 0 else mpmath.mpf(0)

        ends = [1 / (1 + mpmath.exp(-mu - k * sigma)) for k in (-12, -4, 0, 4, 12)]
        expected = float(mpmath.quad(integrand, ends))
    found = float(get("logit_normal_dropout").kl(mu, log_sigma))
    assert abs(found - expected) < 1e-6 + 1e-5 * expected


def test_gaussian_kl_near_equality_is_not_negative():
    offsets = jnp.linspace(-1e-3, 1e-3, 4001)
    values = kl_gaussian(0.0, 0.5 + offsets, 0.0, 0.5)
    assert (values >= 0).all()
    np.testing.assert_allclose(values, offsets**2, atol=1e-7)
    assert float(kl_gaussian(0.7, 0.2, 0.7, 0.2)) == 0.0
