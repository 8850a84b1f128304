# SPDX-License-Identifier: Apache-2.0
"""Models and layers are exported with a batch of symbolic size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from dropout_jax.nn import CNN, MLP, RNN, NNXNoise, Noise, NoiseConfig, RecurrentLayer

pytestmark = pytest.mark.long

KEY = jax.random.key(1)
IMAGES = jnp.asarray(np.random.default_rng(0).random((5, 8, 8)), jnp.float32)


def model_of(name, kind):
    noise = NoiseConfig(kind)
    if kind == "dropblock":
        noise = NoiseConfig(kind, options={"block_size": 2})
    return {
        "mlp": lambda: MLP(widths=(6,), noise=noise),
        "cnn": lambda: CNN(channels=(2, 3), widths=(6,), batch_norm=True, noise=noise),
        "lstm": lambda: RNN(widths=(4, 3), noise=noise),
        "gru": lambda: RNN(widths=(4,), cell="gru", noise=noise, recurrent="state"),
    }[name]()


CASES = [
    *((name, "dropout") for name in ("mlp", "cnn", "lstm", "gru")),
    ("mlp", "variational_dropout"),
    ("mlp", "dropconnect_dense"),
    ("cnn", "dropblock"),
    ("cnn", "variational_conv"),
    ("cnn", "concrete_dropout"),
    ("lstm", "zoneout"),
    ("lstm", "variational_dense"),
    ("gru", "weight_drop"),
]


def exported(function, x, *others):
    """`function` exported, that is StableHLO; the first axis of `x` has no size."""
    symbolic = jax.ShapeDtypeStruct(
        export.symbolic_shape("b, ...", like=x.shape), x.dtype
    )
    arguments = [jax.ShapeDtypeStruct(o.shape, o.dtype) for o in others]
    return export.export(jax.jit(function))(symbolic, *arguments).call


def training(model, variables):
    """What a step computes of images and a key, and the prediction."""
    rates = (0.0,) + (0.5,) * (len(model.sites) - 1)

    def loss(params, x, key):
        given = {**variables, "params": params}
        keys = {"dropout": key}
        return jnp.sum(model.apply(given, x, rates, train=True, rngs=keys) ** 2)

    def compute(x, key):
        found = jax.value_and_grad(loss, argnums=(0, 1))(variables["params"], x, key)
        return model.apply(variables, x, rates, train=False), found

    return compute


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_model_is_lowered(name, kind, variables_of):
    """Prediction, loss under noise, gradients; no comparison needs the size."""
    model = model_of(name, kind)
    variables = variables_of(model, IMAGES, (0.0,) * len(model.sites), train=False)
    exported(training(model, variables), IMAGES[:1], KEY)


@pytest.mark.parametrize("name", ["mlp", "cnn", "lstm", "gru"])
def test_a_model_at_two_sizes(name, variables_of):
    model = model_of(name, "dropout")
    variables = variables_of(model, IMAGES, (0.0,) * len(model.sites), train=False)
    compute = training(model, variables)
    call = exported(compute, IMAGES[:1], KEY)
    for size in (2, 5):
        args = IMAGES[:size], KEY
        pairs = zip(*map(jax.tree.leaves, (call(*args), compute(*args))), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_layers(variables_of):
    x = jnp.linspace(0.0, 1.0, 60).reshape(4, 3, 5)
    noise = Noise("dropout", 0.5, deterministic=False)
    layer = RecurrentLayer(4)
    variables = variables_of(layer, x)

    def carried(x):
        return layer.apply(
            variables, x, seq_lengths=jnp.full(x.shape[0], 2), return_carry=True
        )[1][0]

    for function, others in (
        (lambda x, key: noise.apply({}, x, rngs={"dropout": key}), (KEY,)),
        (lambda x, key: NNXNoise("dropout", 0.5)(x, rngs=key), (KEY,)),
        (lambda x: layer.apply(variables, x), ()),
        (carried, ()),
    ):
        call = exported(function, x[:1], *others)
        np.testing.assert_allclose(
            call(x, *others), function(x, *others), rtol=2e-6, atol=1e-6
        )
