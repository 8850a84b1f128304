# SPDX-License-Identifier: Apache-2.0
"""Every transform against its own analytic moments, and planted mistakes against them.

A setting makes 43 comparisons (12 means, variances and fourth moments each, 7
covariances), each a z-score at LIMIT standard errors: for normal laws a false alarm
among the 43 has a probability below 5.2e-7, and below 1e-6 with what averaged squares
and fourth powers over ROWS draws are skewed. The keys are fixed, so the suite passes
or fails once and for all.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import cases
from cases import ARGUMENTS, all_settings, apply, every_sharing, fit, moments
from dropout_jax.transforms import Example, dropout, get

ROWS = 50_000
LIMIT = 5.7
FALSE_ALARM = 1e-6
RATE_STEPS = jnp.array([0.0, 0.2, 0.4])
X = jnp.array(
    [[[1.5, -0.7, 2.0], [0.4, -1.2, 0.8]], [[-0.5, 1.1, 0.6], [1.3, 0.9, -1.8]]]
)


def draw(transform, example, key, **further):
    """Draws the output ROWS times, on a batch of two."""
    x = fit(transform, X)
    keys = jax.random.split(key, ROWS)
    draws = jax.jit(jax.vmap(lambda k: apply(transform, example, k, x, **further)))
    return np.asarray(draws(keys), np.float64).reshape(ROWS, *X.shape)


def analytic(transform, example, **further):
    return moments(transform, example, fit(transform, X), **further)


def violations(y, moments):
    """Names of the moments of `y`, [ROWS, 2, 2, 3], that are not the analytic ones."""
    mean, variance, fourth = (
        np.asarray(part, np.float64).reshape(y.shape[1:])
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

    size = np.maximum(np.abs(mean), np.asarray(jnp.abs(X), np.float64))
    compare("mean", y.mean(0), mean, variance, size)
    second = fourth - variance**2
    compare("variance", squares.mean(0), variance, second, size**2 + 4 * variance)
    scale = size**4 + 8 * fourth
    compare("fourth", fourths.mean(0), fourth, eighth - fourth**2, scale)
    shape = moments.mean.shape  # that of the transform, with the axes it needs
    for a, b in PAIRS:
        product = deviation[(slice(None), *a)] * deviation[(slice(None), *b)]
        expected = 0.0
        if moments.covariance is not None:
            where = [
                np.unravel_index(np.ravel_multi_index(i, X.shape), shape)
                for i in (a, b)
            ]
            expected = float(moments.covariance(*(tuple(map(int, w)) for w in where)))
        compare(
            "covariance", product.mean(), expected, product.var(), size[a] * size[b]
        )
    return found


def uncorrelated(first, second, moments):
    """Whether two layers' noises, [ROWS, 2, 2, 3], could be independent."""
    variance = np.asarray(moments.variance).reshape(X.shape)
    return bool(
        np.all(np.abs(np.mean(first * second, 0)) < LIMIT * variance / np.sqrt(ROWS))
    )


PAIRS = [
    ((0, 0, 0), (0, 1, 0)),
    ((1, 0, 1), (1, 1, 1)),
    ((0, 0, 0), (0, 0, 1)),
    ((0, 1, 1), (0, 1, 2)),
    ((0, 0, 0), (0, 1, 2)),
    ((0, 0, 0), (1, 0, 0)),
    ((0, 1, 2), (1, 0, 2)),
]


@all_settings
def test_moments_hold_and_planted_mistakes_are_caught(transform, example):
    key, other = jax.random.split(jax.random.key(2026))
    moments = analytic(transform, example)
    y = draw(transform, example, key)
    assert violations(y, moments) == set()

    mean = np.asarray(moments.mean).reshape(X.shape)
    noise = y - mean
    relative_std = np.sqrt(np.asarray(moments.variance).ravel()[0]) / abs(
        mean.ravel()[0]
    )
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
    # One mask for the whole batch, or for two rows that ought to share it.
    swapped = np.concatenate([y[:, :1], second[:, 1:] + mean[1:]], 1)
    rows = mean + noise[:, :1] * np.sqrt(
        np.asarray(moments.variance).reshape(X.shape)
        / np.maximum(np.asarray(moments.variance).reshape(X.shape)[:1], 1e-30)
    )
    joined = violations(swapped if shares_rows(moments) else rows, moments)
    assert "covariance" in joined


def shares_rows(moments):
    """Whether the first element of both rows of the batch share a draw."""
    first, second = (0,) * moments.mean.ndim, (1,) + (0,) * (moments.mean.ndim - 1)
    return moments.covariance is not None and moments.covariance(first, second) != 0


@every_sharing
def test_shared_draws_have_their_covariance_and_no_other(transform, example):
    key = jax.random.key(7)
    moments = analytic(transform, example, shared_axes=(0,))
    rows = draw(transform, example, key, shared_axes=(0,))
    assert violations(rows, moments) == set()
    unshared = draw(transform, example, key)
    assert violations(unshared, moments) == {"covariance"}
    assert violations(rows, analytic(transform, example)) == {"covariance"}


@pytest.mark.parametrize("name", ["dropout", "gaussian_dropout", "concrete_dropout"])
def test_sharing_along_the_wrong_axis_is_caught(name):
    transform = get(name)
    for example in transform.examples:
        moments = analytic(transform, example, shared_axes=(1,))
        right, wrong = (
            draw(transform, example, jax.random.key(7), shared_axes=axes)
            for axes in ((1,), (2,))
        )
        assert violations(right, moments) == set()
        assert violations(wrong, moments) == {"covariance"}


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


@pytest.mark.parametrize(ARGUMENTS, cases.distinct(cases.sharing()))
def test_covariance_with_values_per_unit_on_a_shared_draw(transform, example):
    """The draw is shared, the threshold or the scale is not."""
    steps = jnp.array([0.0, 1.0, 2.0]) if transform.learned else RATE_STEPS
    values = tuple(value + steps for value in example.parameters)
    per_unit = Example(values, example.options)
    moments = analytic(transform, per_unit, shared_axes=(2,))
    shared = draw(transform, per_unit, jax.random.key(3), shared_axes=(2,))
    assert violations(shared, moments) == set()
    # Every unit as it was, but with a draw of its own.
    own = np.stack([np.roll(shared[..., c], c, 0) for c in range(3)], -1)
    assert violations(own, moments) == {"covariance"}
    # Every unit with the value of the first, as if the values were shared too.
    first = tuple(value[0] for value in values)
    same = analytic(transform, Example(first, example.options), shared_axes=(2,))
    mixed = moments._replace(covariance=same.covariance)
    assert violations(shared, mixed) == {"covariance"}


@pytest.mark.parametrize("sampling", ["local", "weight", "separate"])
def test_moments_of_a_convolution_with_strides_are_those_of_its_patches(sampling):
    """The patches are cut out here, two rows and one column apart."""
    keys = jax.random.split(jax.random.key(4), 3)
    x = jax.random.normal(keys[0], (2, 5, 3, 3))
    kernel = jax.random.uniform(keys[1], (2, 2, 3, 2), minval=0.3)
    log_sigma2 = jax.random.uniform(keys[2], kernel.shape, minval=-2.0)
    given = {"kernel": kernel, "strides": (2, 1), "padding": "VALID"}
    found = get("variational_conv").moments(x, log_sigma2, sampling=sampling, **given)

    patches = np.zeros((2, 2, 2, 12))
    for n, i, j in np.ndindex(2, 2, 2):
        patches[n, i, j] = np.ravel(x[n, 2 * i : 2 * i + 2, j : j + 2])
    variance = np.exp(np.asarray(log_sigma2, np.float64).reshape(12, 2))
    mean, spread = patches @ np.reshape(kernel, (12, 2)), patches**2 @ variance
    np.testing.assert_allclose(found.mean, mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.variance, spread, rtol=1e-5)
    np.testing.assert_allclose(found.fourth, 3 * spread**2, rtol=1e-5)
    still = {"sampling": sampling, "deterministic": True, **given}
    y = get("variational_conv").apply(None, x, log_sigma2, **still)
    np.testing.assert_allclose(y, mean, rtol=1e-5, atol=1e-5)

    if sampling == "local":
        assert found.covariance is None
        return
    outputs = [(0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 0, 1), (1, 1, 0, 0)]
    for a, b in itertools.product(outputs, outputs):
        together = a[3] == b[3] and (sampling == "weight" or a[0] == b[0])
        product = patches[a[:3]] * patches[b[:3]] * variance[:, a[3]]
        expected = product.sum() if together else 0.0
        np.testing.assert_allclose(found.covariance(a, b), expected, 1e-4, 1e-5)


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
