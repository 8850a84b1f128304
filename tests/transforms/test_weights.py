# SPDX-License-Identifier: Apache-2.0
"""Noise on weights: DropConnect, weight drop, variational layers; and zoneout."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dropout_jax.nn.convolution import convolve
from dropout_jax.transforms import (
    bernoulli_mask,
    dropconnect_dense,
    dropout,
    get,
    kl_log_uniform,
    sparse_kernel,
    sparsity,
    variational_conv,
    variational_dense,
    weight_drop,
    weight_log_alpha,
    zoneout,
)

KEY = jax.random.key(91)
X = jnp.asarray(np.random.default_rng(6).normal(size=(8, 5)), "f4")
# No weight near 0, where log alpha is held at its limit.
KERNEL = jnp.asarray(np.random.default_rng(19).normal(size=(5, 3)), "f4")
IMAGES = jnp.asarray(np.random.default_rng(8).normal(size=(2, 6, 5, 3)), "f4")
KERNELS = jnp.asarray(np.random.default_rng(9).normal(size=(3, 3, 3, 4)), "f4")


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_dropconnect_masks_the_kernel(rate):
    gain = 1 / (1 - rate) if rate < 1 else 0.0
    mask = bernoulli_mask(KEY, rate, KERNEL.shape)
    y = dropconnect_dense(KEY, X, rate, kernel=KERNEL)
    np.testing.assert_allclose(y, X @ jnp.where(mask, KERNEL * gain, 0), 1e-4, 1e-5)
    masks = bernoulli_mask(KEY, rate, (8, *KERNEL.shape))
    y = dropconnect_dense(KEY, X, rate, kernel=KERNEL, sampling="separate")
    rows = [X[i] @ jnp.where(masks[i], KERNEL * gain, 0) for i in range(8)]
    np.testing.assert_allclose(y, jnp.stack(rows), rtol=1e-4, atol=1e-5)


def test_dropconnect_local_is_the_moment_matched_normal():
    y = dropconnect_dense(KEY, X, 0.3, kernel=KERNEL, sampling="local")
    std = jnp.sqrt(0.3 / 0.7 * X**2 @ KERNEL**2)
    expected = X @ KERNEL + std * jax.random.normal(KEY, (8, 3))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"rate is 1\.0"):
        dropconnect_dense(KEY, X, 1.0, kernel=KERNEL, sampling="local")


def test_weight_drop_is_dropout_of_the_weights():
    np.testing.assert_array_equal(
        weight_drop(KEY, KERNEL, 0.4), dropout(KEY, KERNEL, 0.4)
    )
    rows = weight_drop(KEY, jnp.ones((20, 3)), 0.4, shared_axes=(1,))
    np.testing.assert_array_equal(rows, jnp.broadcast_to(rows[:, :1], rows.shape))


def test_the_three_samplings_of_a_variational_layer():
    log_sigma2 = jnp.linspace(-4.0, 0.0, 15).reshape(5, 3)
    sigma = jnp.exp(0.5 * log_sigma2)
    draw = jax.random.normal(KEY, KERNEL.shape)
    y = variational_dense(KEY, X, log_sigma2, kernel=KERNEL, sampling="weight")
    np.testing.assert_allclose(y, X @ (KERNEL + sigma * draw), rtol=1e-3, atol=1e-4)
    draws = jax.random.normal(KEY, (8, *KERNEL.shape))
    y = variational_dense(KEY, X, log_sigma2, kernel=KERNEL, sampling="separate")
    rows = [X[i] @ (KERNEL + sigma * draws[i]) for i in range(8)]
    np.testing.assert_allclose(y, jnp.stack(rows), rtol=1e-3, atol=1e-4)
    y = variational_dense(KEY, X, log_sigma2, kernel=KERNEL)
    std = jnp.sqrt(X**2 @ sigma**2)
    expected = X @ KERNEL + std * jax.random.normal(KEY, (8, 3))
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-4)


def test_local_sampling_has_the_gradient_of_least_variance():
    """Kingma 2015, section 2.3: below separate weights, far below shared ones."""
    x = jax.random.normal(jax.random.key(10), (64, 5))

    def spread(sampling):
        def loss(log_sigma2, key):
            y = variational_dense(key, x, log_sigma2, kernel=KERNEL, sampling=sampling)
            return jnp.mean(jnp.sum(y**2, -1))

        gradients = jax.vmap(jax.grad(loss), (None, 0))(
            jnp.full((5, 3), -1.0), jax.random.split(KEY, 2000)
        )
        return float(gradients.var(0).sum())

    local, separate, weight = map(spread, ("local", "separate", "weight"))
    assert local < 0.8 * separate < 0.1 * weight


def test_convolution_equals_the_dense_layer_on_patches():
    log_sigma2 = jnp.linspace(-4.0, 0.0, 12).reshape(1, 1, 3, 4)
    kernel = KERNELS[:1, :1]
    for sampling in ("local", "weight"):
        y = variational_conv(KEY, IMAGES, log_sigma2, kernel=kernel, sampling=sampling)
        flat = variational_dense(
            KEY,
            IMAGES.reshape(-1, 3),
            log_sigma2.reshape(3, 4),
            kernel=kernel.reshape(3, 4),
            sampling=sampling,
        )
        np.testing.assert_allclose(y.reshape(-1, 4), flat, rtol=1e-4, atol=1e-4)


def test_convolution_with_strides_and_one_kernel_per_image():
    options = {"kernel": KERNELS, "strides": (2, 1), "padding": "VALID"}
    y = variational_conv(KEY, IMAGES, -40.0, sampling="separate", **options)
    still = variational_conv(None, IMAGES, -40.0, deterministic=True, **options)
    assert y.shape == still.shape == (2, 2, 3, 4)
    draws = jax.random.normal(KEY, (2, *KERNELS.shape))
    kernels = (
        KERNELS[None] + math.exp(-4.0) * jnp.abs(KERNELS)[None] * draws
    )  # alpha held at e**-8
    for image, kernel, found in zip(IMAGES, kernels, y, strict=True):
        expected = variational_conv(
            None,
            image[None],
            -40.0,
            kernel=kernel,
            strides=(2, 1),
            padding="VALID",
            deterministic=True,
        )[0]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    twice = jnp.concatenate([IMAGES[:1], IMAGES[:1]])
    y = variational_conv(KEY, twice, -1.0, sampling="separate", **options)
    assert (y[0] != y[1]).any()
    y = variational_conv(KEY, twice, -1.0, sampling="weight", **options)
    np.testing.assert_allclose(y[0], y[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sampling", ["local", "weight", "separate"])
def test_a_convolution_of_ones_own_has_the_same_draws(sampling):
    kernel = jax.random.normal(jax.random.key(3), (3, 3, 3, 4))
    options = {"kernel": kernel, "sampling": sampling}
    fast = variational_conv(KEY, IMAGES, -1.0, convolve=convolve, **options)
    slow = variational_conv(KEY, IMAGES, -1.0, **options)
    np.testing.assert_allclose(fast, slow, rtol=1e-4, atol=1e-4)
    options = {"kernel": kernel, "deterministic": True, "threshold": 0.5}
    fast = variational_conv(None, IMAGES, -1.0, convolve=convolve, **options)
    slow = variational_conv(None, IMAGES, -1.0, **options)
    np.testing.assert_allclose(fast, slow, rtol=1e-4, atol=1e-4)


def test_threshold_sets_noise_to_zero():
    kernel = jnp.array([[1.0, 0.01], [-2.0, 0.5]])
    log_sigma2 = jnp.array([[-3.0, -3.0], [5.0, -3.0]])
    log_alpha = weight_log_alpha(kernel, log_sigma2)
    expected = [
        [-3.0, -3 - math.log(1e-4 + 1e-8)],
        [5 - math.log(4), -3 - math.log(0.25)],
    ]
    np.testing.assert_allclose(log_alpha, expected, rtol=1e-4)
    np.testing.assert_array_equal(
        sparse_kernel(kernel, log_sigma2), [[1.0, 0.0], [0.0, 0.5]]
    )
    assert sparsity(kernel, log_sigma2) == 0.5
    assert sparsity(kernel, log_sigma2, threshold=4.0) == 0.25
    x = jnp.ones((1, 2))
    y = variational_dense(
        None, x, log_sigma2, kernel=kernel, threshold=3.0, deterministic=True
    )
    np.testing.assert_allclose(y, [[1.0, 0.5]])
    whole = variational_dense(None, x, log_sigma2, kernel=kernel, deterministic=True)
    np.testing.assert_allclose(whole, [[-1.0, 0.51]], rtol=1e-5)


@pytest.mark.parametrize("sampling", ["local", "weight", "separate"])
def test_gradients_stay_finite_at_zero(sampling):
    """At x = 0 the spread is 0, and the slope of its square root infinite."""

    def loss(x, log_sigma2, kernel):
        y = variational_dense(KEY, x, log_sigma2, kernel=kernel, sampling=sampling)
        return jnp.sum(y**2)

    gradients = jax.grad(loss, (0, 1, 2))(0 * X, jnp.zeros((5, 3)), 0 * KERNEL)
    assert all(jnp.isfinite(g).all() for g in gradients)


def test_the_kl_of_a_kernel_is_that_of_its_log_alphas():
    kernel, log_sigma2 = jnp.array([[1.0, 0.1], [-2.0, 0.5]]), jnp.full((2, 2), -3.0)
    for name in ("variational_dense", "variational_conv"):
        kl = get(name).kl(log_sigma2, kernel=kernel)
        expected = kl_log_uniform(weight_log_alpha(kernel, log_sigma2))
        np.testing.assert_array_equal(kl, expected)
        assert (kl > 0).all() and (kl != kl_log_uniform(log_sigma2)).any()


def test_the_gain_is_float32_also_for_narrow_kernels():
    """1 / 0.9 in bfloat16 is 1.1094: a bias of -0.16 %."""
    x, kernel = jnp.ones((1, 1)), jnp.ones((1, 64), jnp.bfloat16)
    y = dropconnect_dense(KEY, x, 0.1, kernel=kernel)
    np.testing.assert_allclose(y.max(), 1 / 0.9, rtol=1e-6)


def test_rates_per_weight_with_separate_masks():
    rates = jnp.array([[0.0, 1.0, 0.5]] * 5)
    y = dropconnect_dense(KEY, X, rates, kernel=KERNEL, sampling="separate")
    np.testing.assert_allclose(y[:, 0], (X @ KERNEL)[:, 0], rtol=1e-5, atol=1e-6)
    assert (y[:, 1] == 0).all()


def test_complex_input_is_refused():
    for call in (
        lambda x: dropconnect_dense(KEY, x, 0.5, kernel=KERNEL),
        lambda x: variational_dense(KEY, x, 0.0, kernel=KERNEL),
    ):
        with pytest.raises(TypeError, match="needs a real dtype"):
            call(X + 1j * X)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: dropconnect_dense(KEY, X, 0.5, kernel=KERNEL.T), "x has shape"),
        (lambda: dropconnect_dense(KEY, X, 1.5, kernel=KERNEL), "rate is 1.5"),
        (
            lambda: dropconnect_dense(KEY, X, jnp.full(4, 0.5), kernel=KERNEL),
            "must broadcast to the shape of kernel",
        ),
        (
            lambda: variational_dense(KEY, X, 0.0, kernel=KERNEL, sampling="b"),
            "sampling is 'b'; it must be 'local', 'weight' or 'separate'",
        ),
        (lambda: variational_conv(KEY, X, 0.0, kernel=KERNELS), "x has shape"),
        (
            lambda: variational_conv(
                KEY, IMAGES, 0.0, kernel=KERNELS, convolve=convolve, strides=(2, 2)
            ),
            "strides is .* beside convolve",
        ),
        (
            lambda: variational_conv(KEY, IMAGES, jnp.zeros(3), kernel=KERNELS),
            "log_sigma2 has shape",
        ),
        (lambda: zoneout(KEY, X, 0.5, previous=X[:4]), "previous has shape"),
        (lambda: zoneout(KEY, X, -0.5, previous=X), "rate is -0.5"),
    ],
)
def test_shapes_and_numbers_that_do_not_fit_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_zoneout_keeps_the_previous_value_with_probability_rate():
    """Not with 1 - rate, as in a published script.

    An exact binomial test with a false-alarm rate of 1e-6, on counts of 10**6.
    """
    new, old = jnp.ones((1000, 1000)), jnp.zeros((1000, 1000))
    y = zoneout(KEY, new, 0.2, previous=old)
    held = int((y == 0).sum())
    assert stats.binomtest(held, y.size, 0.2).pvalue > 1e-6
    assert stats.binomtest(held, y.size, 0.202).pvalue < 1e-6
    kept = bernoulli_mask(KEY, 0.2, new.shape)
    np.testing.assert_array_equal(y == 1, kept)


def test_zoneout_selects_and_has_exact_ends():
    bad = jnp.full_like(X, jnp.nan)
    for run in (zoneout, jax.jit(zoneout)):
        np.testing.assert_array_equal(run(KEY, X, 0.0, previous=bad), X)
        np.testing.assert_array_equal(run(KEY, bad, 1.0, previous=X), X)
    for rate, new, old in ((0.0, X, bad), (1.0, bad, X)):
        still = zoneout(None, new, rate, previous=old, deterministic=True)
        np.testing.assert_array_equal(still, X)
    half = zoneout(None, X, 0.25, previous=2 * X, deterministic=True)
    np.testing.assert_allclose(half, 1.25 * X, rtol=1e-6)
    by_new, by_old = jax.grad(
        lambda new, old: zoneout(KEY, new, 0.5, previous=old).sum(), (0, 1)
    )(X, 2 * X)
    np.testing.assert_array_equal(by_new + by_old, jnp.ones_like(X))
    assert set(np.unique(by_new)) == {0.0, 1.0}
