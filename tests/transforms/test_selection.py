# SPDX-License-Identifier: Apache-2.0
"""Dropping selects, at every rate from 0 to 1, and each unit follows its own rate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cases import every_sharing, options
from dropout_jax.transforms import (
    bernoulli_mask,
    concrete_dropout,
    dropconnect_dense,
    get,
    names,
    zoneout,
)

KEY = jax.random.key(17)
X = jnp.linspace(-2.0, 3.0, 96).reshape(8, 4, 3)
BAD = pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])

# Masks of which each entry is 0 or a gain; one may also be rounded to that.
MASKS = ("dropout", "spatial_dropout", "drop_path", "dropblock", "weight_drop")
MASKED = {name: get(name).apply for name in MASKS} | {
    "concrete_dropout, hard": lambda key, x, rate, **kwargs: concrete_dropout(
        key, x, jax.scipy.special.logit(rate), hard=True, **kwargs
    )
}


def masked(name, x, rate, key=KEY):
    given = {"block_size": 2, "axes": (1,)} if name == "dropblock" else {}
    return MASKED[name](key, x, rate, **given)


def slopes(name, x, rate):
    return jax.grad(lambda x: masked(name, x, rate).sum())(x)


@BAD
@pytest.mark.parametrize("name", MASKED)
def test_what_is_dropped_does_not_come_through(name, bad):
    slope = slopes(name, X, 0.5)
    dropped = slope == 0
    assert 0 < dropped.sum() < X.size
    poisoned = jnp.where(dropped, bad, X)
    np.testing.assert_array_equal(masked(name, poisoned, 0.5), masked(name, X, 0.5))
    np.testing.assert_array_equal(slopes(name, poisoned, 0.5), slope)
    # What is kept comes through: nothing is cleaned in passing.
    kept = masked(name, jnp.where(dropped, X, bad), 0.5)
    np.testing.assert_array_equal(np.isfinite(kept), dropped)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_rate_one_drops_everything(name, traced):
    def both(rate):
        x = X.at[0, 0, 0].set(jnp.nan)
        return masked(name, x, rate), slopes(name, x, rate)

    for result in jax.jit(both)(1.0) if traced else both(1.0):
        np.testing.assert_array_equal(result, jnp.zeros_like(X))


@BAD
def test_the_state_that_zoneout_leaves_out_does_not_come_through(bad):
    new = bernoulli_mask(KEY, 0.5, X.shape)
    assert 0 < new.sum() < X.size
    x, previous = jnp.where(new, X, bad), jnp.where(new, bad, -X)

    def total(x, previous):
        y = zoneout(KEY, x, 0.5, previous=previous)
        return y.sum(), y

    gradients, y = jax.grad(total, (0, 1), has_aux=True)(x, previous)
    np.testing.assert_array_equal(y, jnp.where(new, X, -X))
    np.testing.assert_array_equal(gradients[0], new)
    np.testing.assert_array_equal(gradients[1], ~new)
    for rate, expected in ((0.0, x), (1.0, previous)):
        for run in (zoneout, jax.jit(zoneout)):
            np.testing.assert_array_equal(
                run(KEY, x, rate, previous=previous), expected
            )


@pytest.mark.parametrize("sampling", ["weight", "separate"])
def test_a_weight_that_dropconnect_drops_does_not_come_through(sampling):
    kernel, x = jnp.linspace(0.5, 2.0, 12).reshape(3, 4), jnp.ones((1, 3))

    def y(kernel, rate=0.5):
        return dropconnect_dense(KEY, x, rate, kernel=kernel, sampling=sampling)

    dropped = jax.grad(lambda k: y(k).sum())(kernel) == 0
    assert 0 < dropped.sum() < kernel.size
    poisoned = jnp.where(dropped, jnp.nan, kernel)
    np.testing.assert_array_equal(y(poisoned), y(kernel))
    for everything in (y(poisoned, 1.0), jax.jit(y)(poisoned, 1.0)):
        np.testing.assert_array_equal(everything, jnp.zeros((1, 4)))
    slope = jax.grad(lambda kernel, rate: y(kernel, rate).sum())
    for gradient in (slope(poisoned, 1.0), jax.jit(slope)(poisoned, 1.0)):
        np.testing.assert_array_equal(gradient, jnp.zeros_like(kernel))


@pytest.mark.parametrize("sampling", ["local", "weight", "separate"])
@pytest.mark.parametrize(
    "name", [n for n in names() if "sampling" in get(n).examples[0].options]
)
def test_gradients_of_the_layers_are_those_of_differences(name, sampling):
    """To the input, the kernel and, where it is learned, the noise."""
    transform = get(name)
    example = transform.examples[0]
    kernel = jnp.asarray(example.options["kernel"])
    shape = (2, 3, 2, 3) if kernel.ndim == 4 else (2, 3)
    x = jax.random.normal(KEY, shape)
    noise = example.parameters[0] if transform.learned else None

    def function(x, kernel, noise=noise):
        parameter = example.parameters[0] if noise is None else noise
        return transform.apply(KEY, x, parameter, kernel=kernel, sampling=sampling)

    args = (x, kernel) if noise is None else (x, kernel, jnp.full(kernel.shape, noise))
    check_grads(function, args, order=1, modes=["rev"], atol=5e-2, rtol=5e-2, eps=1e-2)


@every_sharing
def test_each_unit_follows_its_own_strength(transform, example):
    """A column with a strength of its own is that column with that strength for all."""
    steps = jnp.array([0.0, 0.1, 0.2])
    arrays = [value + steps for value in example.parameters]
    given = options(example, X)
    y = transform.apply(KEY, X, *arrays, **given)
    for column in range(3):
        scalars = [array[column] for array in arrays]
        alone = transform.apply(KEY, X, *scalars, **given)
        np.testing.assert_allclose(
            y[..., column], alone[..., column], rtol=1e-5, atol=1e-6
        )
    assert not np.allclose(y, transform.apply(KEY, X, *example.parameters, **given))
