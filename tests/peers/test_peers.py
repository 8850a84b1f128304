# SPDX-License-Identifier: Apache-2.0
"""Other libraries against our analytic moments: where they are right, and where not.

Run by `make test-peers`, which installs them (the `bench` extra). Limits as in
tests/transforms/test_moments.py: 5.7 standard errors, false alarms below 1e-6 each.
"""

import os
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import transforms

pytestmark = pytest.mark.peers

ROWS, LIMIT = 200_000, 5.7
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


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_channel_dropouts_drop_whole_maps_at_the_rate(dimensions, torch, keras):
    """A map has two values: with their shares they fix every moment."""
    sides = (2,) * dimensions
    shape, key = (2000, *sides, 50), jax.random.key(0)
    ours = transforms.spatial_dropout(key, jnp.ones(shape), RATE)
    alpha = transforms.alpha_dropout(
        key, jnp.ones(shape), RATE, shared_axes=tuple(range(1, dimensions + 1))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = getattr(keras.layers, f"SpatialDropout{dimensions}D")(RATE)
        theirs = layer(jnp.ones(shape), training=True)
    layers = [
        getattr(torch.nn, f"Dropout{dimensions}d")(RATE),
        torch.nn.FeatureAlphaDropout(RATE),
    ]
    last = [
        np.moveaxis(layer(torch.ones(2000, 50, *sides)).numpy(), 1, -1)
        for layer in layers
    ]
    for y, same in zip((theirs, *last), (ours, ours, alpha), strict=True):
        np.testing.assert_allclose(np.unique(y), np.unique(same), rtol=1e-6)
    for y in (ours, alpha, theirs, *last):
        maps = np.asarray(y).reshape(2000, -1, 50)
        np.testing.assert_array_equal(maps, np.broadcast_to(maps[:, :1], maps.shape))
        dropped = (maps[:, 0] == maps.min()).mean()
        assert abs(dropped - RATE) < LIMIT * np.sqrt(RATE * (1 - RATE) / 100_000)


@pytest.mark.parametrize("axes", [(), (0,), (1,)], ids=str)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_flax_draws_our_mask_bit_for_bit(rate, axes):
    from flax import linen, nnx

    x, key = jnp.ones((1000, 100)), jax.random.key(3)
    ours = transforms.dropout(key, x, rate, shared_axes=axes)
    layer = linen.Dropout(rate, broadcast_dims=axes, deterministic=False)
    np.testing.assert_array_equal(layer.apply({}, x, rng=key), ours)
    layer = nnx.Dropout(rate, broadcast_dims=axes, deterministic=False)
    np.testing.assert_array_equal(layer(x, rngs=key), ours)


def test_keras_fails_at_the_rate_one_that_it_accepts(keras):
    """GaussianDropout and AlphaDropout accept the rate 1 and fail when called."""
    for layer in (keras.layers.GaussianDropout(1.0), keras.layers.AlphaDropout(1.0)):
        with pytest.raises(ZeroDivisionError):
            by_keras(layer)
    assert (transforms.alpha_dropout(jax.random.key(0), X, 1.0) == 0).all()


def test_keras_takes_the_rate_one_of_an_lstm_for_no_dropout(keras):
    """Its LSTM alone: GRU and SimpleRNN drop the whole input."""
    x = jax.random.normal(jax.random.key(0), (2, 3, 5))
    for name in ("LSTM", "GRU", "SimpleRNN"):
        layer = getattr(keras.layers, name)(4, dropout=1.0)
        with warnings.catch_warnings(), jax.numpy_rank_promotion("allow"):
            warnings.simplefilter("ignore")
            still, trained = (np.asarray(layer(x, training=t)) for t in (False, True))
            blank = np.asarray(layer(jnp.zeros_like(x), training=False))
        np.testing.assert_array_equal(trained, still if name == "LSTM" else blank)
        assert not np.allclose(still, blank)
    assert (transforms.dropout(jax.random.key(0), x, 1.0) == 0).all()


def test_keras_refuses_a_noise_wider_than_one(keras):
    """Its check is that of a probability; a standard deviation has no such bound."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        keras.layers.GaussianNoise(2.0)
    noise = transforms.gaussian_noise(jax.random.key(0), jnp.zeros(ROWS), 2.0)
    assert abs(float(noise.std()) - 2.0) < LIMIT * np.sqrt(2.0 / ROWS)


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
