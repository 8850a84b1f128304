# SPDX-License-Identifier: Apache-2.0
"""Every transform against its own analytic moments, and planted mistakes against them.

Each comparison is a z-score at LIMIT standard errors: two-sided 1e-6 is 4.89 for a
normal law; the rest is room for the skewness of averaged squares and fourth powers
over ROWS draws. The keys are fixed, so the suite passes or fails once and for all.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dropout_jax.transforms import dropout, get, names

ROWS = 50_000
LIMIT = 5.5
FALSE_ALARM = 1e-6
X = jnp.array([[1.5, -0.7, 2.0], [0.4, -1.2, 0.8]])


def settings():
    return [
        pytest.param(get(name), example, id=f"{name}-{index}")
        for name in names()
        for index, example in enumerate(get(name).examples)
    ]


def parameters_of(transform, example):
    """Learned parameters as layers give them: one value per feature."""
    if not transform.learned:
        return example.parameters
    return tuple(jnp.full(X.shape[-1], value) for value in example.parameters)


def draw(transform, example, key, axes=()):
    x = jnp.broadcast_to(X, (ROWS, *X.shape))
    values = parameters_of(transform, example)
    y = transform.apply(key, x, *values, shared_axes=axes, **example.options)
    return np.asarray(y, np.float64)


def analytic(transform, example, axes=()):
    values = parameters_of(transform, example)
    return transform.moments(X[None], *values, shared_axes=axes, **example.options)


def violations(y, moments):
    """Names of the moments of `y`, [ROWS, 2, 3], that are not the analytic ones."""
    mean, variance, fourth = (
        np.asarray(part, np.float64)[0]
        for part in (moments.mean, moments.variance, moments.fourth)
    )
    deviation = y - mean
    squares = deviation * deviation
    fourths = squares * squares
    eighth = np.mean(fourths * fourths, 0)
    found = set()

    def compare(name, estimate, expected, spread, scale):
        # Rounding in float32 is not a deviation (a two-point law can have spread 0).
        error = LIMIT * np.sqrt(np.maximum(spread, 0) / ROWS) + 2e-6 * scale
        if np.any(np.abs(estimate - expected) > error):
            found.add(name)

    size = np.asarray(jnp.abs(X), np.float64)
    compare("mean", y.mean(0), mean, variance, size)
    second = fourth - variance**2
    compare("variance", squares.mean(0), variance, second, size**2 + 4 * variance)
    scale = size**4 + 8 * fourth
    compare("fourth", fourths.mean(0), fourth, eighth - fourth**2, scale)
    for a, b in PAIRS:
        product = deviation[(slice(None), *a)] * deviation[(slice(None), *b)]
        expected = 0.0
        if moments.covariance is not None:
            expected = float(moments.covariance((0, *a), (0, *b)))
        scale = float(size[a] * size[b])
        compare("covariance", product.mean(), expected, product.var(), scale)
    return found


def uncorrelated(first, second, moments):
    """Whether two layers' noises, [ROWS, 2, 3], could be independent."""
    error = np.asarray(moments.variance)[0] / np.sqrt(ROWS)
    return bool(np.all(np.abs(np.mean(first * second, 0)) < LIMIT * error))


PAIRS = [
    ((0, 0), (1, 0)),
    ((0, 1), (1, 1)),
    ((0, 0), (0, 1)),
    ((1, 1), (1, 2)),
    ((0, 0), (1, 2)),
]


@pytest.mark.parametrize(("transform", "example"), settings())
def test_moments_hold_and_planted_mistakes_are_caught(transform, example):
    key, other = jax.random.split(jax.random.key(2026))
    moments = analytic(transform, example)
    y = draw(transform, example, key)
    assert violations(y, moments) == set()

    mean = np.asarray(moments.mean)[0]
    noise = y - mean
    relative_std = np.sqrt(np.asarray(moments.variance)[0, 0, 0]) / abs(mean[0, 0])
    # The printed variance of the textbook's theorem 9.4.5, k sigma**2 with k = 1/2.
    assert "variance" in violations(mean + noise * np.sqrt(0.5), moments)
    # The noise without its mean: x * std * e, for x * (1 + std * e).
    assert "mean" in violations(noise, moments)
    # No rescale, by a tenth.
    assert "mean" in violations(0.9 * y, moments)
    if abs(relative_std - 1) > 0.1:  # at alpha = 1 both are the same
        assert "variance" in violations(mean + noise * relative_std, moments)
    # One mask for two layers, where each has its own key.
    second = draw(transform, example, other) - mean
    assert uncorrelated(noise, second, moments)
    assert not uncorrelated(noise, noise, moments)


@pytest.mark.parametrize(("transform", "example"), settings())
def test_shared_draws_have_their_covariance_and_no_other(transform, example):
    rows = draw(transform, example, jax.random.key(7), axes=(1,))
    moments = analytic(transform, example, axes=(1,))
    assert violations(rows, moments) == set()
    wrong = draw(transform, example, jax.random.key(7), axes=(2,))
    assert violations(wrong, moments) == {"covariance"}
    unshared = draw(transform, example, jax.random.key(7))
    assert violations(unshared, moments) == {"covariance"}
    assert violations(rows, analytic(transform, example)) == {"covariance"}


def test_a_swapped_or_unscaled_mask_is_caught():
    transform = get("dropout")
    example = next(e for e in transform.examples if e.parameters == (0.1,))
    moments = analytic(transform, example)
    y = draw(transform, example, jax.random.key(5))
    assert violations(y, moments) == set()
    full = np.asarray(X, np.float64) / 0.9
    assert "mean" in violations(np.where(y == 0, full, 0), moments)
    assert "mean" in violations(y * 0.9, moments)
    # The mean alone would not tell this one: swapped, and rescaled for it.
    assert "variance" in violations(np.where(y == 0, 9 * full, 0), moments)


def test_covariance_with_rates_per_unit_on_a_shared_draw():
    """The draw is shared, the threshold is not: P(both kept) is the smaller keep."""
    rates = jnp.array([[0.2, 0.5, 0.7]])
    x = jnp.broadcast_to(X, (ROWS, *X.shape))
    y = np.asarray(dropout(jax.random.key(3), x, rates, shared_axes=(2,)), np.float64)
    moments = get("dropout").moments(X[None], rates, shared_axes=(2,))
    assert violations(y, moments) == set()
    independent = np.asarray(dropout(jax.random.key(3), x, rates), np.float64)
    assert violations(independent, moments) == {"covariance"}


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_exact(rate):
    """An exact binomial test: a rate wrong by one part in a hundred is rejected."""
    n = 2**23

    def p_value(drop_rate):
        y = dropout(jax.random.key(8), jnp.ones(n), drop_rate)
        return stats.binomtest(int((y == 0).sum()), n, rate).pvalue

    assert p_value(rate) > FALSE_ALARM
    assert p_value(rate * 1.01) < FALSE_ALARM
    if rate != 0.5:
        assert p_value(1 - rate) < FALSE_ALARM  # keep and drop swapped


def test_dropout_is_independent_between_units_and_rows():
    """Counts of joint patterns of four neighbours against the product law."""
    y = dropout(jax.random.key(9), jnp.ones((100_000, 4)), 0.3)
    code = np.asarray((y > 0) @ jnp.array([1, 2, 4, 8]))

    def p_value(codes):
        kept = np.array([bin(value).count("1") for value in range(16)])
        expected = codes.size * 0.7**kept * 0.3 ** (4 - kept)
        return stats.chisquare(np.bincount(codes, minlength=16), expected).pvalue

    assert p_value(code) > FALSE_ALARM
    assert p_value(np.where(code & 1, code | 2, code & ~2)) < FALSE_ALARM
