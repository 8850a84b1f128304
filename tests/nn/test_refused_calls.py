# SPDX-License-Identifier: Apache-2.0
"""What layers and models refuse, each in one line: flags, axes, sizes, shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dropout_jax.nn import (
    CNN,
    MLP,
    RNN,
    NNXNoise,
    Noise,
    NoiseConfig,
    NoisyConv,
    NoisyDense,
)
from dropout_jax.nn.convolution import Conv
from dropout_jax.nn.recurrent import RecurrentLayer

KEY, X = jax.random.key(0), jnp.ones((2, 4, 4))
MODELS = (
    MLP(widths=(3,), noise=NoiseConfig("dropout")),
    CNN(channels=(2,), widths=(3,), noise=NoiseConfig("dropout")),
    RNN(widths=(3,), noise=NoiseConfig("dropout")),
)
NO_FLAGS = ("False", 0, 1, None, np.array([True]))


def shapes(model, images=X, rates=None, train=False, key=KEY):
    """Traces `init`, without a computation."""
    rates = jnp.zeros(len(model.sites)) if rates is None else rates
    return jax.eval_shape(lambda: model.init(key, images, rates, train=train))


def says(error, pattern, call):
    with pytest.raises(error, match=pattern) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


@pytest.mark.parametrize("value", NO_FLAGS, ids=repr)
def test_a_flag_of_a_layer_or_model_is_a_boolean(value):
    dense = NoisyDense(2, noise=NoiseConfig("variational_dense"))
    # None is no value there: then the layer's attribute says it, or nobody does.
    error, pattern = TypeError, "deterministic is .*True or False"
    if value is None:
        error, pattern = ValueError, "deterministic is given to neither"
    for call in (
        lambda: Noise(kind="dropout").apply({}, X, 0.5, deterministic=value),
        lambda: Noise(kind="none").apply({}, X, 0.5, deterministic=value),
        lambda: dense.init(KEY, X, deterministic=value),
    ):
        says(error, pattern, call)
    layer = RecurrentLayer(2)
    says(
        TypeError,
        "deterministic is .*True or False",
        lambda: layer.init(KEY, X, deterministic=value),
    )
    for model in MODELS:
        says(TypeError, "train is .*", lambda m=model: shapes(m, train=value))
    says(TypeError, "on_input is", lambda: NoiseConfig("dropout", on_input=value))
    residual = MLP(widths=(3,), residual=value)
    says(TypeError, "residual is", lambda: shapes(residual))
    normal = CNN(channels=(2,), widths=(), batch_norm=value)
    says(TypeError, "batch_norm is", lambda: shapes(normal))
    conv = Conv(2, 3, pool=value)
    says(TypeError, "pool is", lambda: conv.init(KEY, X[..., None]))


def test_a_flag_of_numpy_is_one():
    for model in MODELS:
        shapes(model, train=np.False_)
    assert Noise(kind="dropout").apply({}, X, 0.5, deterministic=np.True_) is X


def test_a_traced_flag_is_told_where_to_be_named():
    def traced(train):
        return MODELS[0].init(KEY, X, jnp.zeros(2), train=train)

    says(TypeError, "train is .*static_argnames", lambda: jax.jit(traced)(True))


@pytest.mark.parametrize("axes", ["0", 0.5, (1.5,), (True,), None], ids=repr)
def test_axes_of_a_layer_are_whole_numbers(axes):
    says(
        TypeError,
        "shared_axes is .*whole number",
        lambda: Noise("dropout", shared_axes=axes).apply(
            {}, X, 0.5, deterministic=True
        ),
    )


def test_an_axis_of_a_layer_may_be_a_number():
    """Also 0, which a truth test would take for no axis."""

    def noisy(axes):
        layer = Noise("dropout", shared_axes=axes, name="noise")
        rngs = {"dropout": KEY}
        return layer.apply({}, X, 0.5, deterministic=False, rngs=rngs)

    for axis in (0, 1):
        np.testing.assert_array_equal(noisy(axis), noisy((axis,)))
    assert (noisy(0) == noisy(0)[:1]).all() and (noisy(()) != noisy(())[:1]).any()


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("kind", ["dropout", "spatial_dropout", "gaussian_noise"])
def test_a_layer_without_a_rate_says_so(kind, deterministic):
    layer, rngs = Noise(kind=kind, name="noise"), {"dropout": KEY}
    says(
        ValueError,
        "'noise' of kind .* has no (rate|std); give one to the layer or to its call",
        lambda: layer.apply({}, X, deterministic=deterministic, rngs=rngs),
    )


SHAPES = {
    (2, 4, 4, 3): r"\(2, 4, 4, 3\); .*\[batch, height, width\]; .*images\.mean\(-1\)",
    (4, 4): r"\(4, 4\); .*images\[None\]",
    (4,): r"\(4,\)",
    (0, 4, 4): r"\(0, 4, 4\), in which there is no pixel; give at least one",
    (2, 0, 4): r"\(2, 0, 4\), in which there is no pixel",
}


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_images_of_another_shape_are_told_by_it(model, shape):
    if isinstance(model, MLP) and 0 not in shape and len(shape) > 1:
        shapes(model, jnp.ones(shape))  # it flattens whatever an example is
        return
    found = "images have shape " + SHAPES[shape]
    says(ValueError, found, lambda: shapes(model, jnp.ones(shape)))


WRONG = {
    "widths is 8.0": lambda: MLP(widths=(8.0,)),
    "widths is True": lambda: RNN(widths=(True,)),
    "widths is 0; it must be at least 1": lambda: MLP(widths=(4, 0)),
    r"widths is \(\); an RNN has": lambda: RNN(widths=()),
    "classes is '10'": lambda: MLP(widths=(), classes="10"),
    "channels is 1.5": lambda: CNN(channels=(1.5,), widths=()),
    "convs_per_block is 0": lambda: CNN((2,), (), convs_per_block=0),
    "kernel_size is 2; it must be odd": lambda: CNN((2,), (), kernel_size=2),
    "kernel_size is 3.0": lambda: CNN((2,), (), kernel_size=3.0),
    "activation is 'rleu'; it must be one": lambda: MLP((2,), activation="rleu"),
    "cell is 'gur'; it must be one of 'lstm', 'gru'": lambda: RNN((2,), cell="gur"),
    "recurrent is 'stat'; it must be": lambda: RNN((2,), recurrent="stat"),
    "sharing is 'spatail'; it must be": lambda: NoiseConfig(sharing="spatail"),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_attribute_is_told(message):
    says((TypeError, ValueError), message, lambda: shapes(WRONG[message]()))


def test_an_even_kernel_of_noisy_weights_is_refused():
    layer = NoisyConv(2, 4, noise=NoiseConfig("variational_conv"))
    images = X[..., None]
    says(
        ValueError,
        "kernel_size is 4; it must be odd",
        lambda: layer.init(KEY, images, deterministic=True),
    )


def test_the_adapter_for_nnx_refuses_the_same():
    rngs = nnx.Rngs(dropout=0)
    for axes in (0.5, "0", (True,)):
        says(
            TypeError,
            "shared_axes is",
            lambda a=axes: NNXNoise("dropout", 0.5, shared_axes=a, rngs=rngs),
        )
    layer = NNXNoise("dropout", 0.5, shared_axes=0, rngs=rngs)
    y = layer(X)
    assert (y == y[:1]).all()
    says(TypeError, "deterministic is", lambda: layer(X, deterministic="False"))
