# SPDX-License-Identifier: Apache-2.0
"""Noise on the weights of the models: where it acts, from where it starts."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.config.noise_fields import MODELS_OF_KIND, WEIGHT_KINDS
from dropout_jax.nn import NoiseConfig, NoisyConv, NoisyDense, build_model, sparsity
from dropout_jax.nn.convolution import max_pool
from dropout_jax.transforms import (
    kl_log_uniform,
    sparse_kernel,
    variational_conv,
    weight_log_alpha,
)

KEY = jax.random.key(7)
IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(4, 8, 8)), "f4")
ON_WEIGHTS = [
    (kind, model)
    for kind in WEIGHT_KINDS
    for model in MODELS_OF_KIND[kind]
    if model != "rnn"  # test_noisy_kernels.py
]
LEARNED = [(kind, model) for kind, model in ON_WEIGHTS if kind != "dropconnect_dense"]
# In the order of the rates that reach them.
DENSE = ("dense_0", "dense_1", "logits")
CONVOLUTIONS = ("conv_0_0", "conv_1_0")


def model_of(kind, name, **noise):
    fields = {
        "model.name": name,
        "model.channels": (4, 8) if name == "cnn" else defaults().model.channels,
        "model.widths": (16, 8),
        "noise.kind": kind,
    }
    return build_model(
        override(
            defaults(), fields | {f"noise.{key}": value for key, value in noise.items()}
        )
    )


def noisy_layers(kind):
    return DENSE + CONVOLUTIONS * (kind == "variational_conv")


def noisy(model, params, rates, key, images):
    y, state = model.apply(
        {"params": params},
        images,
        rates,
        train=True,
        rngs={"dropout": key},
        mutable=["kl"],
    )
    return y, state.get("kl", {})


def logits_of(model):
    """A function of parameters, rates and key, compiled once for many calls."""
    return jax.jit(lambda *given: noisy(model, *given, IMAGES)[0])


def still(model, params):
    rates = jnp.zeros(len(model.sites))
    return model.apply({"params": params}, IMAGES, rates, train=False)


def initial(model):
    rates = jnp.zeros(len(model.sites))
    return model.init(KEY, IMAGES, rates, train=False)["params"]


@pytest.fixture
def params_of(variables_of):
    """Returns random parameters of a model, biases included."""

    def of(model):
        blank = jnp.zeros(len(model.sites))
        return variables_of(model, IMAGES, blank, train=False)["params"]

    return of


def without_noise(params):
    return {
        layer: {k: v for k, v in leaves.items() if not k.startswith("noise_")}
        for layer, leaves in params.items()
    }


@pytest.mark.parametrize(("kind", "name"), ON_WEIGHTS)
def test_the_layers_are_those_of_the_model_without_noise(kind, name, params_of):
    plain, other = (model_of(k, name) for k in ("none", kind))
    start = [initial(model) for model in (plain, other)]
    jax.tree.map(np.testing.assert_array_equal, start[0], without_noise(start[1]))
    params = params_of(other)
    found, expected = still(other, params), still(plain, without_noise(params))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_batch_normalisation_stands_in_for_the_bias():
    model = build_model(
        override(
            defaults(),
            {
                "model.name": "cnn",
                "model.batch_norm": True,
                "noise.kind": "variational_conv",
            },
        )
    )
    blank = jnp.zeros(len(model.sites))
    shapes = jax.eval_shape(lambda k: model.init(k, IMAGES, blank, train=False), KEY)
    assert set(shapes["params"]["conv_0_0"]) == {"kernel", "noise_log_sigma2"}


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_rates_of_dropconnect_go_to_the_kernels_behind_their_sites(name, params_of):
    """Rate 1 of one site empties the kernel behind it and no other."""
    model = model_of("dropconnect_dense", name)
    params = params_of(model)
    rates, logits = jnp.zeros(len(model.sites)), logits_of(model)
    behind = DENSE if name == "mlp" else (None, *DENSE)  # a convolution reads the input
    assert len(behind) == len(rates)
    for site, layer in enumerate(behind):
        emptied = dict(params)
        if layer is not None:
            emptied[layer] = {**params[layer], "kernel": 0.0 * params[layer]["kernel"]}
        found = logits(params, rates.at[site].set(1.0), KEY)
        expected = still(model, emptied)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "name"), [("dropconnect_dense", "mlp"), ("variational_conv", "cnn")]
)
def test_the_way_of_sampling_reaches_the_layers(kind, name, params_of):
    twice = jnp.concatenate([IMAGES[:1], IMAGES[:1]])
    drawn = {}
    for sampling in ("weight", "separate", "local"):
        model = model_of(kind, name, sampling=sampling)
        rates = jnp.full(len(model.sites), 0.5)
        drawn[sampling] = noisy(model, params_of(model), rates, KEY, twice)[0]
    for first, second in itertools.combinations(drawn.values(), 2):
        assert np.abs(first - second).max() > 1e-3
    spread = {name: np.abs(y[0] - y[1]).max() for name, y in drawn.items()}
    assert spread["weight"] < 1e-4 < spread["separate"]
    assert spread["local"] > 1e-4


@pytest.mark.parametrize(("kind", "name"), LEARNED)
def test_every_noisy_layer_and_no_other_draws(kind, name, params_of):
    model = model_of(kind, name)
    params, rates = params_of(model), jnp.zeros(len(model.sites))
    for layer in noisy_layers(kind):
        # Without kernels the others pass on their biases alone, and no noise.
        quiet = {
            other: leaves
            if other == layer
            else {
                k: v - 80.0 if "noise" in k else v * ("kernel" not in k)
                for k, v in leaves.items()
            }
            for other, leaves in params.items()
        }

        def output(key, quiet=quiet, layer=layer):
            _, state = model.apply(
                {"params": quiet},
                IMAGES,
                rates,
                train=True,
                rngs={"dropout": key},
                mutable=["intermediates"],
                capture_intermediates=lambda module, _: module.name == layer,
            )
            return state["intermediates"][layer]["__call__"][0]

        first, second = (output(jax.random.key(i)) for i in (1, 2))
        assert np.abs(first - second).max() > 1e-2, layer
    noisy = {n for n, leaves in params.items() if "noise_log_sigma2" in leaves}
    assert noisy == set(noisy_layers(kind))


@pytest.mark.parametrize("method", ["exact", "molchanov"])
@pytest.mark.parametrize(("kind", "name"), LEARNED)
def test_the_kl_of_every_noisy_layer_is_sown_once(kind, name, method, params_of):
    model = model_of(kind, name, kl=method)
    params = params_of(model)
    _, found = noisy(model, params, jnp.zeros(len(model.sites)), KEY, IMAGES)
    assert set(found) == set(noisy_layers(kind))
    for layer, sown in found.items():
        kernel, log_sigma2 = (params[layer][k] for k in ("kernel", "noise_log_sigma2"))
        (value,) = sown["value"]
        log_alpha = weight_log_alpha(kernel, log_sigma2)
        expected = jnp.sum(kl_log_uniform(log_alpha, method))
        np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("pool", [False, True])
def test_a_noisy_convolution_is_the_transform_then_pooling_then_bias(pool):
    noise = NoiseConfig("variational_conv")
    layer = NoisyConv(3, 3, noise=noise, pool=pool, name="conv")
    images = IMAGES[..., None]
    kernel, bias = jax.random.normal(KEY, (3, 3, 1, 3)), jnp.arange(3.0)
    log_sigma2 = jnp.linspace(-4.0, 1.0, kernel.size).reshape(kernel.shape)
    params = {"kernel": kernel, "bias": bias, "noise_log_sigma2": log_sigma2}
    variables, rngs = {"params": params}, {"dropout": KEY}
    found = layer.apply(variables, images, deterministic=False, rngs=rngs)
    own = layer.apply(variables, rngs=rngs, method=lambda m: m.make_rng("dropout"))
    expected = variational_conv(own, images, log_sigma2, kernel=kernel)
    expected = max_pool(expected) if pool else expected
    expected = expected + bias.reshape(1, 1, 1, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kind", "name"), LEARNED)
def test_sparsity_per_layer_and_thresholded_predictions(kind, name, params_of):
    model = model_of(kind, name, threshold=3.0)
    params = params_of(model)
    shares = sparsity(params)
    assert set(shares) == set(noisy_layers(kind))
    emptied = dict(params)
    for layer in shares:
        kernel, log_sigma2 = (params[layer][k] for k in ("kernel", "noise_log_sigma2"))
        removed = weight_log_alpha(kernel, log_sigma2) >= 3.0
        assert 0 < shares[layer] < 1
        np.testing.assert_allclose(shares[layer], removed.mean(), rtol=1e-6)
        emptied[layer] = {
            **params[layer],
            "kernel": sparse_kernel(kernel, log_sigma2),
        }
    whole = model_of(kind, name)
    found, expected = still(model, params), still(whole, emptied)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(still(whole, params) - found).max() > 1e-3


@pytest.mark.parametrize(
    "layer",
    [
        NoisyDense(3, noise=NoiseConfig("variational_dense"), name="mine"),
        NoisyConv(3, 3, noise=NoiseConfig("variational_conv"), name="mine"),
    ],
)
def test_a_missing_key_is_named(layer):
    x = IMAGES[..., None]
    variables = layer.init(KEY, x, deterministic=True)
    with pytest.raises(ValueError, match="'mine' needs a key of its own"):
        layer.apply(variables, x, deterministic=False)
