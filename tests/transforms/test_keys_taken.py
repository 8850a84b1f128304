# SPDX-License-Identifier: Apache-2.0
"""Every key that `jax.random` takes is taken; some promises are threefry's alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import apply, every, fit
from dropout_jax.transforms import bernoulli_mask, dropout

X = jnp.linspace(-2.0, 3.0, 24).reshape(4, 2, 3)
OTHERS = ("rbg", "unsafe_rbg")


@every
def test_a_raw_key_is_the_typed_key(transform, example):
    x = fit(transform, X)
    found, expected = (
        apply(transform, example, key, x)
        for key in (jax.random.PRNGKey(3), jax.random.key(3))
    )
    np.testing.assert_array_equal(found, expected)


def test_raw_keys_under_vmap_and_in_a_loop():
    raw = jax.random.split(jax.random.PRNGKey(0), 3)
    together = jax.vmap(lambda key: dropout(key, X, 0.5))(raw)
    for key, y in zip(raw, together, strict=True):
        np.testing.assert_array_equal(dropout(key, X, 0.5), y)
    np.testing.assert_array_equal(dropout(np.asarray(raw[0]), X, 0.5), together[0])
    mapped = jax.lax.map(lambda key: dropout(key, X, 0.5), raw)
    np.testing.assert_array_equal(mapped, together)


@pytest.mark.parametrize("impl", OTHERS)
def test_a_raw_key_of_the_default_kind(impl):
    with jax.default_prng_impl(impl):
        raw, key = jax.random.PRNGKey(0), jax.random.key(0)
        assert raw.shape == (4,)
        np.testing.assert_array_equal(dropout(raw, X, 0.5), dropout(key, X, 0.5))
    with pytest.raises(TypeError, match=r"but is a uint32 array of shape \(4,\)"):
        dropout(raw, X, 0.5)


@every
def test_numpy_booleans(transform, example):
    x = fit(transform, X)
    found, expected = (
        apply(transform, example, None, x, deterministic=d) for d in (np.True_, True)
    )
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match="key must be one key"):
        apply(transform, example, None, x, deterministic=np.False_)


@pytest.mark.parametrize("impl", OTHERS)
def test_what_holds_for_keys_of_every_kind(impl):
    """A mask is that of `jax.random`, nested in the rate, the same under jit."""
    key, x = jax.random.key(1, impl=impl), jnp.ones((50, 8))
    masks = [dropout(key, x, rate) != 0 for rate in (0.2, 0.5, 0.8)]
    for rate, mask in zip((0.2, 0.5, 0.8), masks, strict=True):
        expected = jax.random.bernoulli(key, 1 - rate, x.shape)
        np.testing.assert_array_equal(mask, expected)
        np.testing.assert_array_equal(bernoulli_mask(key, rate, x.shape), expected)
    assert (masks[0] >= masks[1]).all() and (masks[1] >= masks[2]).all()
    jitted = jax.jit(lambda key: dropout(key, x, 0.5))(key)
    np.testing.assert_array_equal(jitted, dropout(key, x, 0.5))


def test_under_vmap_over_keys_threefry_alone_draws_as_in_a_loop():
    for impl, same in (("threefry2x32", True), *((other, False) for other in OTHERS)):
        keys = jax.random.split(jax.random.key(0, impl=impl), 4)
        together = jax.vmap(lambda key: dropout(key, X, 0.5))(keys)
        loop = jnp.stack([dropout(key, X, 0.5) for key in keys])
        assert bool((together == loop).all()) == same, impl
