# SPDX-License-Identifier: Apache-2.0
"""Other libraries against our analytic moments: where they are right, and where not.

Run by `make test-peers`, which installs them (the `bench` extra). Limits as in
tests/transforms/test_moments.py: 5.5 standard errors, false alarms below 1e-6.
"""

import os
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import transforms

pytestmark = pytest.mark.peers

ROWS, LIMIT = 200_000, 5.5
X = np.array([1.5, -0.7, 2.0, 0.4, -1.2, 0.8], np.float32)
RATE = 0.3


@pytest.fixture(scope="module")
def torch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
    torch.manual_seed(0)
    return torch


@pytest.fixture(scope="module")
def keras():
    os.environ["KERAS_BACKEND"] = "jax"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    keras.utils.set_random_seed(0)
    return keras


def differs(y, moments):
    """Names of the moments of `y` [ROWS, 6] that are not the analytic ones."""
    y = np.asarray(y, np.float64)
    mean, variance, fourth = (np.asarray(part, np.float64) for part in moments[:3])
    deviation = y - mean
    found = set()
    for name, estimate, expected, spread in (
        ("mean", y.mean(0), mean, variance),
        ("variance", (deviation**2).mean(0), variance, fourth - variance**2),
    ):
        error = LIMIT * np.sqrt(np.maximum(spread, 0) / ROWS) + 1e-5 * np.abs(X)
        if np.any(np.abs(estimate - expected) > error):
            found.add(name)
    return found


def by_keras(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return layer(jnp.broadcast_to(X, (ROWS, 6)), training=True)


def by_torch(torch, layer):
    layer.train()
    return layer(torch.tensor(np.broadcast_to(X, (ROWS, 6)).copy())).numpy()


def test_keras_layers_have_our_moments(keras):
    layers = keras.layers
    for name, layer, parameter in (
        ("dropout", layers.Dropout(RATE), RATE),
        ("gaussian_dropout", layers.GaussianDropout(RATE), RATE),
        ("gaussian_noise", layers.GaussianNoise(0.5), 0.5),
        ("alpha_dropout", layers.AlphaDropout(RATE), RATE),
    ):
        y = by_keras(layer)
        entry = transforms.get(name)
        assert differs(y, entry.moments(jnp.asarray(X), parameter)) == set(), name
        # Another strength is told apart.
        assert differs(y, entry.moments(jnp.asarray(X), 0.9 * parameter)), name


def test_torch_layers_have_our_moments(torch):
    for name, layer in (
        ("dropout", torch.nn.Dropout(RATE)),
        ("alpha_dropout", torch.nn.AlphaDropout(RATE)),
    ):
        y = by_torch(torch, layer)
        entry = transforms.get(name)
        assert differs(y, entry.moments(jnp.asarray(X), RATE)) == set(), name
        assert differs(y, entry.moments(jnp.asarray(X), 0.9 * RATE)), name


def test_channel_dropouts_drop_whole_maps_at_the_rate(torch, keras):
    shape = (2000, 4, 4, 50)
    ours = transforms.spatial_dropout(jax.random.key(0), jnp.ones(shape), RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = keras.layers.SpatialDropout2D(RATE)(jnp.ones(shape), training=True)
    first = torch.nn.Dropout2d(RATE)(torch.ones(2000, 50, 4, 4))
    alpha = torch.nn.FeatureAlphaDropout(RATE)(torch.ones(2000, 50, 4, 4))
    last = [np.moveaxis(y.numpy(), 1, -1) for y in (first, alpha)]
    for y in (ours, theirs, *last):
        y = np.asarray(y)
        np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
        dropped = (y[:, 0, 0] == y.min()).mean()
        assert abs(dropped - RATE) < LIMIT * np.sqrt(RATE * (1 - RATE) / 100_000)


def test_flax_draws_our_mask_bit_for_bit():
    from flax import linen

    x = jnp.ones((1000, 100))
    for rate in (0.1, 0.5, 0.75):
        key = jax.random.key(3)
        layer = linen.Dropout(rate, deterministic=False)
        theirs = layer.apply({}, x, rng=key)
        np.testing.assert_array_equal(theirs, transforms.dropout(key, x, rate))


def test_keras_fails_at_the_rate_one_that_it_accepts(keras):
    """GaussianDropout and AlphaDropout accept the rate 1 and fail when called."""
    for layer in (keras.layers.GaussianDropout(1.0), keras.layers.AlphaDropout(1.0)):
        with pytest.raises(ZeroDivisionError):
            by_keras(layer)
    assert (transforms.alpha_dropout(jax.random.key(0), X, 1.0) == 0).all()


def test_flax_accepts_impossible_rates():
    from flax import linen

    x = jnp.ones(1000)
    for rate, outcome in ((1.5, 0.0), (-0.5, np.float32(1 / 1.5))):
        layer = linen.Dropout(rate, deterministic=False)
        theirs = layer.apply({}, x, rng=jax.random.key(0))
        np.testing.assert_allclose(theirs, outcome, rtol=1e-6)
        with pytest.raises(ValueError, match="rate is"):
            transforms.dropout(jax.random.key(0), x, rate)


def test_torch_keeps_nan_in_dropped_slots_on_cpu(torch):
    torch.manual_seed(0)
    theirs = torch.nn.Dropout(0.5)(torch.full((1000,), float("nan")))
    assert bool(theirs.isnan().all())
    ours = transforms.dropout(jax.random.key(0), jnp.full(1000, jnp.nan), 0.5)
    assert 0.4 < float(jnp.isnan(ours).mean()) < 0.6
