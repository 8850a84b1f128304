# SPDX-License-Identifier: Apache-2.0
"""`NNXNoise("dropout")` under the transformations and bridges of nnx, as `nnx.Dropout`.

The scenes have the meaning of Flax's own tests in which a Dropout occurs (google/flax:
tests/nnx/transforms_test.py, rngs_test.py, bridge/wrappers_test.py).
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.nnx import bridge

from dropout_jax.nn import Noise
from twins import Block, X, check

pytestmark = pytest.mark.long

SCENES = []


def scene(play):
    SCENES.append(pytest.param(play, id=play.__name__))
    return play


# --- transformations ------------------------------------------------------------------


@scene
def lifted_by_hand(dropout):
    """`jax.vmap` over copies of the parameters and split keys."""

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.rngs = rngs
            self.dropout = dropout(0.5)
            self.linear = nnx.Linear(2, 3, rngs=rngs)

        def __call__(self, x):
            return self.dropout(self.linear(x), rngs=self.rngs)

    model = Model(nnx.Rngs(params=0, dropout=1))
    graph, params, counts, keys, others = nnx.split(
        model, nnx.Param, nnx.RngCount, "dropout", "params"
    )
    split = jax.tree.map(lambda key: jax.random.split(key, 4), keys)
    params = jax.tree.map(lambda value: jnp.stack([value] * 4), params)

    @functools.partial(jax.vmap, in_axes=(0, 0, None, None, 0), out_axes=(0, None))
    def apply(params, keys, others, counts, x):
        model = nnx.merge(graph, params, keys, others, counts)
        y = model(x)
        return y, nnx.state(model, nnx.RngCount)

    y, counts = apply(params, split, others, counts, jnp.ones((4, 1, 2)))
    nnx.update(model, counts)
    assert any((y[0] != row).any() for row in y)
    return y, model.rngs.dropout.count[...], model.rngs.params.count[...]


@scene
def vmap_over_examples(dropout):
    """A key for each: split for the call, then as before."""
    layer = dropout(0.5, rngs=nnx.Rngs(dropout=0))
    axes = nnx.StateAxes({nnx.RngState: 0, ...: None})

    @nnx.split_rngs(splits=4)
    @nnx.vmap(in_axes=(axes, 0))
    def apply(layer, row):
        return layer(row)

    y = apply(layer, X)
    assert layer.rngs.key.shape == () and (y[0] != y[1]).any()
    return y, apply(layer, X), layer.rngs.count[...]


@scene
def vmap_over_layers_and_scan_through_them(dropout):
    class Layers(nnx.Module):
        @nnx.split_rngs(splits=5)
        @nnx.vmap(in_axes=(0, 0))
        def __init__(self, rngs):
            self.linear = nnx.Linear(3, 3, rngs=rngs)
            self.norm = nnx.BatchNorm(3, rngs=rngs)
            self.dropout = dropout(0.5, rngs=rngs)

        @nnx.scan(in_axes=(0, nnx.Carry), out_axes=nnx.Carry)
        def __call__(self, x):
            return nnx.gelu(self.dropout(self.norm(self.linear(x))))

    model, x = Layers(nnx.Rngs(0)), X[:, :3]
    assert model.linear.kernel.shape == (5, 3, 3)
    assert model.dropout.rngs.key.shape == (5,)
    model(x)
    return model(x), model.dropout.rngs.count[...]


@scene
def vmap_over_layers_with_the_key_of_the_call(dropout):
    """Layers without a stream; every scanned step has its own part of the call's."""

    class Layer(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(3, 3, rngs=rngs)
            self.dropout = dropout(0.5)

        def __call__(self, x, rngs):
            return self.dropout(self.linear(x), rngs=rngs)

    create = nnx.split_rngs(splits=5)(nnx.vmap(Layer, in_axes=0, out_axes=0))
    layers = create(nnx.Rngs(0))

    @nnx.split_rngs(splits=5)
    @nnx.scan(in_axes=(0, nnx.Carry, 0), out_axes=nnx.Carry)
    def forward(layer, x, rngs):
        return layer(x, rngs)

    rngs = nnx.Rngs(dropout=1)
    return [forward(layers, X[:, :3], rngs) for _ in range(2)], rngs.dropout.count[...]


@scene
def scan_over_time(dropout):
    """Fresh at every step, or one mask for all of them."""
    layer, xs = dropout(0.5, rngs=nnx.Rngs(dropout=0)), jnp.ones((6, 10))
    carried = nnx.StateAxes({...: nnx.Carry})

    @nnx.scan(in_axes=(carried, 0), out_axes=0)
    def fresh(layer, x):
        return layer(x)

    @nnx.scan(in_axes=(None, None, 0), out_axes=0)
    def tied(layer, key, x):
        return layer(x, rngs=key)

    moving, still = fresh(layer, xs), tied(dropout(0.5), jax.random.key(0), xs)
    assert (moving[0] != moving[1]).any() and (still == still[:1]).all()
    return moving, still, layer.rngs.count[...]


@scene
def forked_and_split(dropout):
    rngs = nnx.Rngs(params=0, dropout=1)
    layer = dropout(0.5, rngs=rngs.fork())
    split = nnx.with_rngs(layer, split=3, graph=False)
    forked = nnx.with_rngs(layer, fork=..., graph=False)
    assert split.rngs.key.shape == (3,) and forked.rngs.key.shape == ()
    with pytest.raises((TypeError, ValueError)):
        split(X)
    ys = jax.vmap(lambda layer: layer(X))(split)
    assert (ys[0] != ys[1]).any()
    return ys, forked(X), layer(X)


@scene
def gradients(dropout):
    block, x = Block(dropout, nnx.Rngs(0)), X[:, :3] + jnp.arange(4.0).reshape(4, 1)

    @nnx.jit
    def step(block):
        loss, gradient = nnx.value_and_grad(lambda block: jnp.sum(block(x) ** 2))(block)
        return loss, gradient

    loss, gradient = step(block)
    remat = nnx.remat(lambda layer, x: layer(x))(block.dropout, x)
    return loss, jax.tree.leaves(gradient), remat, block.dropout.rngs.count[...]


@scene
def a_branch(dropout):
    layer = dropout(0.5, rngs=nnx.Rngs(dropout=0))
    choose = nnx.jit(
        lambda layer, wet: nnx.cond(wet, lambda m, x: m(x), lambda m, x: x, layer, X)
    )
    return choose(layer, True), choose(layer, False)


# --- bridges --------------------------------------------------------------------------


@scene
def functional(dropout):
    function = bridge.functional(dropout)(0.5)
    state = function.init(rngs=nnx.Rngs(0))
    y, _ = function.apply(state)(X)
    return y


class Inner(nnx.Module):
    def __init__(self, dropout, size, rngs):
        self.w = nnx.Param(rngs.params.normal((size, 3)))
        self.dropout = dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(x @ self.w[...])


class Middle(nn.Module):
    dropout: object

    @nn.compact
    def __call__(self, x):
        inner = bridge.to_linen(Inner, self.dropout, x.shape[-1], name="inner")
        return inner(x)


@scene
def in_a_linen_model(dropout):
    model, keys = Middle(dropout), jax.random.split(jax.random.key(0), 3)
    first, variables = model.init_with_output(
        {"params": keys[0], "dropout": keys[1]}, X
    )
    ys = [model.apply(variables, X, rngs={"dropout": key}) for key in keys]
    assert list(variables) == ["params"] and (ys[0] != ys[1]).any()
    return first, ys, variables["params"]["inner"]["w"]


@scene
def in_linen_in_nnx(dropout):
    class Outer(nnx.Module):
        def __init__(self, rngs):
            self.inner = bridge.ToNNX(Middle(dropout), rngs=rngs)

        def __call__(self, x):
            return self.inner(x)

    model = bridge.lazy_init(Outer(nnx.Rngs(default=1, dropout=2)), X)
    ys = []
    for _ in range(2):
        nnx.reseed(model, dropout=2)
        ys.append((model(X), model(X)))
    np.testing.assert_array_equal(ys[0][0], ys[1][0])
    assert (ys[0][0] != ys[0][1]).any()
    return ys


@pytest.mark.parametrize("play", SCENES)
def test_a_scene_ends_as_with_flax(play):
    check(play)


def test_a_linen_layer_in_nnx():
    def play(layer):
        model = bridge.ToNNX(layer, rngs=nnx.Rngs(0, dropout=1)).lazy_init(X)
        return model(X), model(X)

    ours = play(Noise("dropout", 0.5, deterministic=False))
    assert (ours[0] != ours[1]).any()
    theirs = play(nn.Dropout(0.5, deterministic=False))
    np.testing.assert_array_equal(ours, theirs)
