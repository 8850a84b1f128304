# SPDX-License-Identifier: Apache-2.0
"""Models and layers are exported with a batch of symbolic size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from dropout_jax.nn import CNN, MLP, RNN, NNXNoise, Noise, NoiseConfig, RecurrentLayer

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


def round_trip(function, x, *others):
    """`function` through bytes, the first axis of `x` without a size."""
    symbolic = jax.ShapeDtypeStruct(
        export.symbolic_shape("b, ...", like=x.shape), x.dtype
    )
    arguments = [jax.ShapeDtypeStruct(o.shape, o.dtype) for o in others]
    made = export.export(jax.jit(function))(symbolic, *arguments)
    return export.deserialize(made.serialize()).call


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_model_at_two_sizes(name, kind, variables_of):
    """Prediction, noisy passes and their gradient by the image."""
    model = model_of(name, kind)
    rates = (0.0,) + (0.5,) * (len(model.sites) - 1)
    variables = variables_of(model, IMAGES, rates, train=False)

    def predict(x):
        return model.apply(variables, x, rates, train=False)

    def noisy(x, key):
        return model.apply(variables, x, rates, train=True, rngs={"dropout": key})

    def slope(x, key):
        return jax.grad(lambda x: jnp.sum(noisy(x, key) ** 2))(x)

    calls = (
        round_trip(predict, IMAGES[:1]),
        *(round_trip(f, IMAGES[:1], KEY) for f in (noisy, slope)),
    )
    for size in (1, 5):
        x = IMAGES[:size]
        given = ((x,), (x, KEY), (x, KEY))
        for call, function, args in zip(
            calls, (predict, noisy, slope), given, strict=True
        ):
            direct = jax.jit(function)(*args)
            np.testing.assert_allclose(call(*args), direct, rtol=2e-5, atol=2e-5)
    assert (calls[1](x, jax.random.key(2)) != calls[1](x, KEY)).any()


def test_gradients_of_the_parameters(variables_of):
    """A whole training step's gradient, whose products know no number of rows."""
    for name in ("mlp", "cnn", "lstm", "gru"):
        model = model_of(name, "dropout")
        rates = (0.0,) + (0.5,) * (len(model.sites) - 1)
        variables = variables_of(model, IMAGES, rates, train=False)

        def gradient(x, key, model=model, variables=variables, rates=rates):
            def loss(params):
                logits = model.apply(
                    {**variables, "params": params},
                    x,
                    rates,
                    train=True,
                    rngs={"dropout": key},
                )
                return jnp.sum(logits**2)

            return jax.grad(loss)(variables["params"])

        call = round_trip(gradient, IMAGES[:1], KEY)
        for size in (2, 5):
            args = (IMAGES[:size], KEY)
            pairs = zip(
                *map(jax.tree.leaves, (call(*args), jax.jit(gradient)(*args))),
                strict=True,
            )
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
        call = round_trip(function, x[:1], *others)
        np.testing.assert_allclose(
            call(x, *others), function(x, *others), rtol=2e-6, atol=1e-6
        )
