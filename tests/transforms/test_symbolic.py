# SPDX-License-Identifier: Apache-2.0
"""Every transform is exported with a batch of symbolic size, and draws as before."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from cases import apply, distinct, every, fit, settings

pytestmark = pytest.mark.long

KEY = jax.random.key(7)


def batch(transform, size):
    x = jnp.linspace(-1.0, 2.0, size * 2 * 3).reshape(size, 2, 3)
    return fit(transform, x)


def exported(function, x, *others):
    """`function` exported, that is StableHLO; the first axis of `x` has no size."""
    symbols = export.symbolic_shape("b, ...", like=x.shape)
    arguments = [jax.ShapeDtypeStruct(o.shape, o.dtype) for o in others]
    symbolic = jax.ShapeDtypeStruct(symbols, x.dtype)
    return export.export(jax.jit(function))(symbolic, *arguments).call


@every
def test_the_same_draws_at_every_size(transform, example):
    def noisy(x, key):
        return apply(transform, example, key, x)

    call = exported(noisy, batch(transform, 1), KEY)
    for size in (2, 5):
        x = batch(transform, size)
        direct = jax.jit(noisy)(x, KEY)
        np.testing.assert_allclose(call(x, KEY), direct, rtol=2e-6, atol=1e-7)
        np.testing.assert_array_equal(call(x, KEY) == 0, direct == 0)
    other = call(batch(transform, 5), jax.random.key(8))
    assert (other != direct).any()


@pytest.mark.parametrize(("transform", "example"), settings(examples=slice(1)))
def test_evaluation_and_gradient(transform, example):
    def still(x):
        return apply(transform, example, None, x, deterministic=True)

    def slope(x, key):
        return jax.grad(lambda x: jnp.sum(apply(transform, example, key, x) ** 2))(x)

    x = batch(transform, 3)
    call = exported(still, batch(transform, 1))
    np.testing.assert_allclose(call(x), still(x), rtol=2e-6)
    call = exported(slope, batch(transform, 1), KEY)
    np.testing.assert_allclose(call(x, KEY), slope(x, KEY), rtol=2e-5, atol=1e-6)


def test_raw_keys_are_exported_too():
    from dropout_jax.transforms import dropout

    raw, x = jax.random.PRNGKey(0), jnp.ones((6, 4))
    call = exported(lambda x, key: dropout(key, x, 0.5), x[:1], raw)
    np.testing.assert_array_equal(call(x, raw), dropout(jax.random.key(0), x, 0.5))


def test_the_settings_cover_the_ways_to_draw():
    names = {parameter.values[0].name for parameter in distinct()}
    assert {"dropout", "dropblock", "variational_conv"} <= names
