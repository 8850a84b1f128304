# SPDX-License-Identifier: Apache-2.0
"""The noise of a training step is drawn once, or again where memory counts more."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dropout_jax.transforms import bits, dropout, gaussian_dropout

X = jnp.asarray(np.random.default_rng(0).normal(size=(64, 128)), jnp.float32)
KEY = jax.random.key(0)
TRANSFORMS = {"dropout": dropout, "gaussian_dropout": gaussian_dropout}


@pytest.fixture(autouse=True)
def _optimized(compile_as_users_do):
    compile_as_users_do()


def both_passes(transform, rate):
    """Output and gradient of what a layer does: activation, then noise."""

    def run(key, x, dy, rate=rate):
        y, pull = jax.vjp(lambda x: transform(key, jnp.tanh(x), rate), x)
        return y, pull(dy)[0]

    return run


def draws(run, *arguments):
    """Returns how many loops of the compiled program have threefry's twenty rounds."""
    program = jax.jit(run).lower(KEY, X, X, *arguments).compile().as_text()
    return sum(part.count(" xor(") >= 20 for part in re.split(r"\n\n", program))


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_both_passes_read_one_draw(name, monkeypatch):
    run = both_passes(TRANSFORMS[name], 0.3)
    assert draws(run) == 1
    assert draws(run, jnp.float32(0.3)) == 1  # a traced rate
    monkeypatch.setattr(bits, "draw_once", lambda key, acts, draw, otherwise: draw())
    jax.clear_caches()
    assert draws(both_passes(TRANSFORMS[name], 0.3)) > 1
    jax.clear_caches()


def full_loops(run):
    """Returns how many loops outside of conditionals make an array like X."""
    entry = run.lower(KEY, X).compile().as_text().partition("\nENTRY")[2]
    return len(re.findall(r"= \w+\[64,128\]\S* fusion\(", entry))


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_where_noise_acts_nothing_is_filled(name, monkeypatch):
    """One loop outside of the conditional: what was drawn, times the input."""
    run = jax.jit(lambda key, x: TRANSFORMS[name](key, x, 0.3))
    assert full_loops(run) == 1

    def filled(key, acts, draw, otherwise):
        drawn = jax.eval_shape(draw)
        value = jnp.where(jax.random.key_data(key)[0] == 0, otherwise, otherwise)
        array = jnp.full(drawn.shape, value, drawn.dtype)
        return lax.cond(lax.optimization_barrier(jnp.any(acts)), draw, lambda: array)

    monkeypatch.setattr(bits, "draw_once", filled)
    jax.clear_caches()
    assert full_loops(jax.jit(lambda key, x: TRANSFORMS[name](key, x, 0.3))) == 2
    jax.clear_caches()


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_where_nothing_acts_nothing_is_drawn(name):
    """Rate 0 takes the other branch, whose values are those of the draw."""
    run = jax.jit(both_passes(TRANSFORMS[name], None))
    y, dx = run(KEY, X, X, jnp.float32(0.0))
    np.testing.assert_array_equal(y, jax.jit(jnp.tanh)(X))
    some = jnp.zeros(128).at[3].set(0.9)  # one unit alone has noise
    y, dx = run(KEY, X, X, some)
    changed = np.flatnonzero((np.asarray(y) != np.asarray(jax.jit(jnp.tanh)(X))).any(0))
    np.testing.assert_array_equal(changed, [3])
    assert np.isfinite(dx).all()


def test_a_key_instead_of_a_mask():
    """Under `jax.checkpoint` the backward pass draws again: no array is kept."""

    def layer(x, key):
        return dropout(key, x, 0.3)

    def kept(function):
        residuals = jax.tree.leaves(jax.vjp(lambda x: function(x, KEY), X)[1])
        return sum(leaf.size for leaf in residuals)

    again = jax.checkpoint(layer)
    assert kept(layer) >= X.size
    assert kept(again) < 10
    gradients = [jax.grad(lambda x, f=f: f(x, KEY).sum())(X) for f in (layer, again)]
    np.testing.assert_array_equal(*gradients)


def test_lanes_with_and_without_noise():
    """vmap over the rate evaluates both branches: each lane gets its own."""
    rates = jnp.asarray([0.0, 0.5, 1.0])
    lanes = jax.jit(jax.vmap(lambda rate: dropout(KEY, X, rate)))(rates)
    for lane, rate in zip(lanes, rates, strict=True):
        np.testing.assert_array_equal(lane, dropout(KEY, X, rate))
    mapped = jax.jit(lambda: lax.map(lambda rate: dropout(KEY, X, rate), rates))()
    np.testing.assert_array_equal(lanes, mapped)
