# SPDX-License-Identifier: Apache-2.0
"""`NNXNoise("dropout")` stands wherever `nnx.Dropout` does, with the same masks.

The scenes have the meaning of Flax's own tests of its Dropout and of the modules and
rngs in which one occurs (google/flax: tests/nnx/nn/stochastic_test.py, rngs_test.py,
module_test.py); tests/nn/test_nnx_lifted.py has those of its transformations.
"""

import jax
import numpy as np
import pytest
from flax import nnx

from twins import Block, X, check

SCENES = []


def scene(play):
    SCENES.append(pytest.param(play, id=play.__name__))
    return play


# --- where the key comes from ---------------------------------------------------------


@scene
def own_stream_and_stream_of_the_call(dropout):
    """Under one compilation each, the counts going on from call to call."""
    inside = dropout(0.5, deterministic=False, rngs=nnx.Rngs(dropout=0))
    outside, rngs = dropout(0.5, deterministic=False), nnx.Rngs(dropout=0).fork()
    traces = []

    @nnx.jit
    def apply(layer, rngs=None):
        traces.append(layer)
        return layer(X, rngs=rngs)

    ys = [(apply(inside), apply(outside, rngs)) for _ in range(3)]
    for y, same in ys:
        np.testing.assert_array_equal(y, same)
    assert len(traces) == 2 and (ys[0][0] != ys[1][0]).any()
    return ys, inside.rngs.count[...], rngs.dropout.count[...]


@scene
def the_call_goes_before_the_layer(dropout):
    first = dropout(0.5, rngs=nnx.Rngs(dropout=0))
    second = dropout(0.5, rngs=nnx.Rngs(dropout=1))
    y, other = first(X), second(X)
    assert (y != other).any()
    np.testing.assert_array_equal(y, second(X, rngs=nnx.Rngs(dropout=0).fork()))
    return y, other, second.rngs.count[...]


@scene
def every_form_of_rngs_at_the_call(dropout):
    layer, key = dropout(0.5), jax.random.key(3)
    rngs = nnx.Rngs(dropout=3)
    forms = (rngs, rngs.dropout, key, jax.random.PRNGKey(3), nnx.Rngs(3))
    return [layer(X, rngs=form) for form in forms], rngs.dropout.count[...]


@scene
def a_stream_at_construction(dropout):
    stream = nnx.RngStream(5, tag="dropout")
    layers = [dropout(0.5, rngs=stream) for _ in range(2)]
    ys = [layer(X) for layer in layers]
    assert (ys[0] != ys[1]).any()
    return (
        ys,
        stream.count[...],
        [layer.rngs.tag for layer in layers] == ["dropout"] * 2,
    )


@scene
def another_collection(dropout):
    rngs = nnx.Rngs(dropout=0, noise=1)
    layer = dropout(0.5, rng_collection="noise", rngs=rngs)
    given = dropout(0.5, rng_collection="noise")
    return layer(X), given(X, rngs=rngs), rngs.noise.count[...], rngs.dropout.count[...]


@scene
def the_default_stream_stands_in(dropout):
    rngs = nnx.Rngs(7)
    return dropout(0.5, rngs=rngs)(X), rngs.default.count[...]


@scene
def a_stream_of_the_model_in_several_layers(dropout):
    """The counts of a stream that is given to each call, under jit."""

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(10, 2, rngs=rngs)
            self.dropout = dropout(0.5, deterministic=False)

        def __call__(self, x, rngs):
            return self.dropout(self.linear(x), rngs=rngs)

    rngs = nnx.Rngs(0)
    model = Model(rngs)
    before = int(rngs.default.count[...])
    apply = nnx.jit(lambda model, rngs: [model(X, rngs) for _ in range(2)])
    y = apply(model, rngs)
    return y, before, rngs.default.count[...]


# --- on and off -----------------------------------------------------------------------


@scene
def without_noise_no_key_is_needed(dropout):
    layer = dropout(0.5)
    assert layer(X, deterministic=True) is X
    layer.set_attributes(deterministic=True)
    assert layer(X) is X
    noisy = layer(X, deterministic=False, rngs=nnx.Rngs(dropout=0))
    layer.set_attributes(deterministic=False)
    with pytest.raises(ValueError, match="deterministic"):
        layer(X)
    assert dropout(0.0)(X) is X
    return noisy


@scene
def a_view_without_rngs(dropout):
    layer = dropout(0.5, deterministic=False)
    still = nnx.view(layer, deterministic=True)
    assert still(X) is X and layer.deterministic is False
    noisy = still(X, deterministic=False, rngs=nnx.Rngs(dropout=0))
    with pytest.raises(ValueError, match="deterministic"):
        nnx.view(still, deterministic=False)(X)
    return noisy


@scene
def a_view_of_a_model(dropout):
    block = Block(dropout, nnx.Rngs(0))
    view = nnx.view(block, deterministic=True, use_running_average=True)
    assert view.linear.kernel is block.linear.kernel
    assert view.dropout.rngs.count is block.dropout.rngs.count
    x = X[:, :3]
    np.testing.assert_array_equal(view(x), view(x))
    some = nnx.view(block, only=type(block.dropout), deterministic=True)
    states = [
        (m.dropout.deterministic, m.norm.use_running_average)
        for m in (block, view, some)
    ]
    assert states == [(False, False), (True, True), (True, False)]
    return view(x), some(x), block(x)


@scene
def a_view_of_what_is_not_there(dropout):
    block = Block(dropout, nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"Unused keys .*\['unknown'\]"):
        nnx.view(block, deterministic=True, use_running_average=True, unknown=True)
    nnx.view(dropout(0.5), deterministic=True)  # alone it is found, too


@scene
def attributes_are_set_in_a_model(dropout):
    block = Block(dropout, nnx.Rngs(0))
    block.set_attributes(type(block.dropout), deterministic=True)
    some = block.dropout.deterministic, block.norm.use_running_average
    with pytest.raises(ValueError, match="unknown"):
        block.set_attributes(deterministic=True, unknown=True)
    block.set_attributes(unknown=True, raise_if_not_found=False)
    return some


@scene
def train_and_eval(dropout):
    block = Block(dropout, nnx.Rngs(0), deterministic=True)
    x, found = X[:, :3], [block.dropout.deterministic]
    block.train()
    ys = [block(x), block(x)]
    found.append(block.dropout.deterministic)
    block.eval()
    found.append(block.dropout.deterministic)
    assert found == [True, False, True] and (ys[0] != ys[1]).any()
    np.testing.assert_array_equal(block(x), block(x))
    return ys, block(x), block.dropout.rngs.count[...]


@scene
def neither_layer_nor_call_says_it(dropout):
    layer = dropout(0.5, deterministic=None, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="deterministic"):
        layer(X)
    return layer(X, deterministic=False), nnx.view(layer, deterministic=True)(X)


# --- states ---------------------------------------------------------------------------


@scene
def streams_in_the_state_of_a_model(dropout):
    block = Block(dropout, nnx.Rngs(params=0, dropout=1))
    _, params, counts, keys, rest = nnx.split(
        block, nnx.Param, nnx.RngCount, "dropout", ...
    )
    paths = [nnx.to_flat_state(s).paths for s in (params, counts, keys)]
    kinds = [(path, type(module).__name__) for path, module in nnx.iter_modules(block)]
    names = [name for name, _ in nnx.iter_children(block)]
    assert len(rest) == 1 and len(kinds) == 4 and names == ["dropout", "linear", "norm"]
    assert kinds[0][0] == ("dropout",)
    assert paths[2] == (("dropout", "rngs", "key"),)
    return len(paths[0]), len(paths[1])


@scene
def reseeded(dropout):
    block, ys = Block(dropout, nnx.Rngs(params=0, dropout=42)), []
    for _ in range(2):
        ys.append(block(X[:, :3]))
        nnx.reseed(block, dropout=42)
    np.testing.assert_array_equal(*ys)
    return ys


@scene
def cloned_and_merged(dropout):
    layer = dropout(0.5, rngs=nnx.Rngs(dropout=0))
    layer(X)
    graph, state = nnx.split(layer)
    copies = (
        nnx.clone(layer),
        nnx.merge(graph, jax.tree.map(lambda leaf: leaf.copy(), state)),
    )
    y = layer(X)
    for copy in copies:
        np.testing.assert_array_equal(copy(X), y)
    return y


@scene
def in_the_abstract(dropout):
    layer = nnx.eval_shape(lambda: dropout(0.5, rngs=nnx.Rngs(0)))
    dtype = jax.random.key(0).dtype
    assert layer.rngs.key.get_value() == jax.ShapeDtypeStruct((), dtype)
    assert nnx.eval_shape(lambda: dropout(0.5)).rngs is None


@scene
def described(dropout):
    block = Block(dropout, nnx.Rngs(0))
    name = type(block.dropout).__name__
    info = nnx.view_info(block)
    assert info.count(f"{name}:\n  deterministic: bool | None = None") == 1
    only = nnx.view_info(block, only=type(block.dropout))
    assert f"{name}:" in only and "BatchNorm:" not in only
    assert name in repr(block)


@pytest.mark.parametrize("play", SCENES)
def test_a_scene_ends_as_with_flax(play):
    check(play)


def test_a_difference_is_noticed():
    with pytest.raises(AssertionError):
        check(lambda dropout: float(dropout is nnx.Dropout))
