# SPDX-License-Identifier: Apache-2.0
"""Inputs of every precision, and x64: parameters stay float32, as those of Flax do."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dropout_jax.nn import CNN, MLP, RNN, NNXNoise, NoiseConfig, RecurrentLayer
from dropout_jax.nn.convolution import Conv

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).integers(0, 3, (2, 8, 8))


def models(kind):
    """The three models, and both cells, with noise of that kind everywhere."""
    noise = NoiseConfig(kind)
    return {
        "mlp": MLP(widths=(4,), noise=noise),
        "cnn": CNN(channels=(2,), widths=(4,), noise=noise),
        "cnn with batch_norm": CNN(
            channels=(2,), widths=(4,), batch_norm=True, noise=noise
        ),
        "lstm": RNN(widths=(4, 3), noise=noise, recurrent="state"),
        "gru": RNN(widths=(4,), cell="gru", noise=noise, recurrent="candidate"),
    }


NAMES, FLOAT = list(models("dropout")), np.dtype("f4")


def passed(model, variables, x, change=lambda function: function):
    """Logits and gradients of one noisy pass; `change` is what JAX makes of it."""

    def loss(params):
        logits, _ = model.apply(
            {**variables, "params": params},
            x,
            (0.0,) + (0.5,) * (len(model.sites) - 1),
            train=True,
            rngs={"dropout": KEY},
            mutable=["kl", "batch_stats"],
        )
        return jnp.sum(logits.astype(jnp.float32) ** 2), logits

    gradients, logits = change(jax.grad(loss, has_aux=True))(variables["params"])
    return logits, gradients


def types(model, variables, x):
    """Their dtypes, without computing anything."""

    def abstract(function):
        return lambda params: jax.eval_shape(function, params)

    logits, gradients = passed(model, variables, x, abstract)
    return logits.dtype, {leaf.dtype for leaf in jax.tree.leaves(gradients)}


def filled(variables_of, model, x):
    return variables_of(model, x, (0.0,) * len(model.sites), train=False)


@pytest.mark.parametrize("kind", ["none", "dropout", "variational_dense"])
@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_promoted_to_the_parameters(name, kind, variables_of):
    model = models(kind)[name]
    for dtype in ("float16", "bfloat16", "uint8", "int32", "bool"):
        x = jnp.asarray(IMAGES).astype(dtype)
        variables = filled(variables_of, model, x)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {FLOAT}
        assert types(model, variables, x) == (FLOAT, {FLOAT})


@pytest.mark.parametrize("name", ["cnn", "lstm", "gru"])
def test_pixels_that_are_exact_give_the_same_numbers(name, variables_of):
    """These are exact in half precision and as bytes."""
    model, x = models("dropout")[name], jnp.asarray(IMAGES, jnp.float32)
    variables = filled(variables_of, model, x)
    expected = passed(model, variables, x, jax.jit)
    for dtype in ("float16", "uint8"):
        found = passed(model, variables, x.astype(dtype), jax.jit)
        for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_is_cast_as_a_whole_computes_in_its_precision(name, variables_of):
    model, half = models("dropout")[name], jnp.dtype(jnp.bfloat16)
    x = jnp.asarray(IMAGES, half)
    variables = filled(variables_of, model, x)
    variables = jax.tree.map(lambda leaf: leaf.astype(half), variables)
    assert types(model, variables, x) == (half, {half})


def test_noise_on_integers_is_refused_in_one_line():
    x = jnp.asarray(IMAGES, jnp.uint8)
    model = MLP(widths=(4,), noise=NoiseConfig("dropout", on_input=True))
    with pytest.raises(
        TypeError, match=r"x has dtype uint8; .*x.astype\(jnp.float32\)"
    ):
        model.init(KEY, x, (0.5, 0.5), train=False)


@pytest.mark.parametrize("name", ["lstm", "gru", "cnn"])
def test_gradients_reach_an_input_of_half_precision(name, variables_of):
    """Where the input is an activation, in the middle of a model."""
    layer, x = RecurrentLayer(4, name), jnp.ones((2, 3, 5), jnp.float16)
    if name == "cnn":
        layer, x = Conv(3, 3, pool=True), jnp.ones((2, 4, 4, 1), jnp.float16)
    variables = variables_of(layer, x)
    gradient = jax.grad(lambda x: layer.apply(variables, x).sum())(x)
    assert gradient.dtype == jnp.float16 and (gradient != 0).any()


# --- x64 ------------------------------------------------------------------------------


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("kind", ["dropout", "variational_dropout", "zoneout"])
@pytest.mark.parametrize("name", NAMES)
def test_parameters_under_x64(name, kind, x64):
    """float32 as those of `nn.Dense`, whatever the input; float64 is computed in."""
    if kind == "zoneout" and name not in ("lstm", "gru"):
        kind = "variational_dense"
    model = models(kind)[name]
    rates = (0.0,) * len(model.sites)
    for dtype in (FLOAT, np.dtype("f8"), np.dtype("i8")):
        x = jnp.asarray(IMAGES, dtype)
        variables = jax.eval_shape(
            lambda x=x: model.init(KEY, x, rates, train=False),
        )
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {FLOAT}
        variables = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, FLOAT), variables)
        wide = np.dtype("f8") if dtype == "f8" else FLOAT
        assert types(model, variables, x) == (wide, {FLOAT})


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_first_weights_under_x64_are_those_without(name):
    model, x = models("dropout")[name], jnp.asarray(IMAGES, jnp.float32)

    def values():
        rates = (0.0,) * len(model.sites)
        return jax.jit(lambda: model.init(KEY, x, rates, train=False))()

    with jax.enable_x64(True):
        wide = values()
    for a, b in zip(*map(jax.tree.leaves, (wide, values())), strict=True):
        np.testing.assert_array_equal(a, b)


def test_parameters_of_nnx_under_x64(x64):
    layer = NNXNoise("concrete_dropout", features=3, rngs=nnx.Rngs(0))
    assert layer.noise_logit_rate[...].dtype == jnp.float32
    assert layer(jnp.ones((2, 3), jnp.float32)).dtype == jnp.float32


@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn"])
def test_a_run_under_x64(name, tmp_path, quick_environment):
    command = [sys.executable, "train.py", "--config=configs/smoke.py"]
    command += [f"--config.model.name={name}", f"--workdir={tmp_path / 'run'}"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**quick_environment, "JAX_ENABLE_X64": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "run" / "result.json").exists()
