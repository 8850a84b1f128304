# SPDX-License-Identifier: Apache-2.0
"""The nnx adapter: every transform, fresh keys, train and eval, learned parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dropout_jax import transforms
from dropout_jax.nn import NNXNoise, Noise

X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3)), "f4")
NAMES = transforms.names()


def layer_of(name):
    """A layer with the transform's first example, its input and what else it needs."""
    entry = transforms.get(name)
    example = entry.examples[0]
    x, arrays = X, dict(example.options)
    options = {k: v for k, v in arrays.items() if not isinstance(v, np.ndarray)}
    arrays = {k: v for k, v in arrays.items() if isinstance(v, np.ndarray)}
    if "previous" in arrays:
        arrays["previous"] = -0.5 * x
    if name == "variational_conv":
        x = x[:, None]
    rate = None if entry.learned else example.parameters[0]
    layer = NNXNoise(name, rate, features=3, options=options, rngs=nnx.Rngs(dropout=1))
    return layer, x, arrays


@pytest.mark.parametrize("name", NAMES)
def test_every_transform_draws_afresh_and_is_still_in_evaluation(name):
    layer, x, arrays = layer_of(name)
    draws = [layer(x, **arrays) for _ in range(4)]
    assert any((draw != draws[0]).any() for draw in draws[1:])
    layer.eval()
    still = layer(x, **arrays)
    np.testing.assert_array_equal(still, layer(x, **arrays))
    layer.train()
    assert any((layer(x, **arrays) != still).any() for _ in range(4))


def test_it_is_the_transform_with_the_key_of_its_stream():
    layer = NNXNoise("dropout", 0.4, rngs=nnx.Rngs(dropout=5))
    key = nnx.Rngs(dropout=5)["dropout"].fork()()
    np.testing.assert_array_equal(layer(X), transforms.dropout(key, X, 0.4))


def test_layers_of_one_model_differ_and_the_rate_may_be_traced():
    rngs = nnx.Rngs(dropout=0)
    first, second = (NNXNoise("dropout", rngs=rngs) for _ in range(2))
    ones = jnp.ones(1000)
    assert (first(ones, 0.5) != second(ones, 0.5)).any()
    dropped = nnx.jit(lambda layer, rate: (layer(ones, rate) == 0).mean())
    assert dropped(first, 0.9) > 0.8 and dropped(first, 0.1) < 0.2


def test_noise_on_every_weight_of_a_kernel():
    kernel = jax.random.normal(jax.random.key(3), (3, 5))
    layer = NNXNoise("variational_dense", features=(3, 5), rngs=nnx.Rngs(dropout=0))
    log_sigma2 = layer.noise_log_sigma2[...]
    assert log_sigma2.shape == kernel.shape
    assert layer(X, kernel=kernel).shape == (4, 2, 5)
    log_alpha = transforms.weight_log_alpha(kernel, log_sigma2)
    for method in ("exact", "molchanov"):
        expected = transforms.kl_log_uniform(log_alpha, method).sum()
        found = layer.kl(kernel=kernel, method=method)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_learned_noise_is_a_parameter_with_a_kl():
    layer = NNXNoise(
        "variational_dropout",
        features=3,
        initial={"log_alpha": -1.0},
        rngs=nnx.Rngs(dropout=0),
    )
    np.testing.assert_array_equal(layer.noise_log_alpha[...], -jnp.ones(3))
    # Each example of X has two rows of three features.
    expected = 2 * 3 * transforms.kl_log_uniform(-1.0)
    np.testing.assert_allclose(layer.kl(X.shape), expected, rtol=1e-6)

    def loss(layer):
        return jnp.sum(layer(X) ** 2) + layer.kl(X.shape)

    gradient = nnx.grad(loss)(layer)
    assert (jax.tree.leaves(gradient)[0] != 0).all()
    assert NNXNoise("dropout", 0.5, rngs=nnx.Rngs(0)).kl() == 0


@pytest.mark.parametrize("options", [{}, {"shared_axes": (1,)}, {"batch_axis": None}])
@pytest.mark.parametrize("kind", ["variational_dropout", "concrete_dropout"])
def test_the_kl_is_that_of_the_linen_layer(kind, options):
    layer = NNXNoise(kind, features=3, rngs=nnx.Rngs(dropout=0), **options)
    twin = Noise(kind=kind, name="noise", **options)
    variables = twin.init(jax.random.key(0), X, deterministic=True)
    _, state = twin.apply(variables, X, deterministic=True, mutable=["kl"])
    (expected,) = jax.tree.leaves(state["kl"])
    np.testing.assert_allclose(layer.kl(X.shape), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda r: NNXNoise("dropout", 0.5)(X),
            r"no stream 'dropout', .* rngs=nnx.Rngs\(dropout=0\)",
        ),
        (
            lambda r: NNXNoise("dropout", 0.5, rngs=nnx.Rngs(params=0))(X),
            "no stream 'dropout'",
        ),
        (
            lambda r: NNXNoise("dropout", 0.5, rngs=r)(X, rngs=nnx.Rngs(noise=0)),
            "no stream 'dropout'",
        ),
        (
            lambda r: NNXNoise("dropout", 0.5, deterministic=None, rngs=r)(X),
            "deterministic is given to neither",
        ),
        (
            lambda r: NNXNoise("concrete_dropout", features=3, rngs=r).kl(),
            r"no shape was given; .* kl\(x.shape\)",
        ),
        (lambda r: NNXNoise("dropuot", 0.5, rngs=r), "did you mean 'dropout'"),
        (lambda r: NNXNoise("concrete_dropout", rngs=r), "give features"),
        (lambda r: NNXNoise("dropout", rngs=r)(X), "no rate was given"),
    ],
)
def test_what_is_missing_is_said(make, match):
    with pytest.raises(ValueError, match=match):
        make(nnx.Rngs(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda r: NNXNoise("dropout", 0.5, rngs=jax.random.key(0)),
        lambda r: NNXNoise("dropout", 0.5, rngs=0),
        lambda r: NNXNoise("dropout", 0.5)(X, rngs="key"),
        lambda r: NNXNoise("dropout", 0.5, deterministic="False", rngs=r),
        lambda r: NNXNoise("dropout", 0.5, rngs=r)(X, deterministic="False"),
        lambda r: nnx.view(NNXNoise("dropout", 0.5, rngs=r), deterministic="False"),
    ],
)
def test_arguments_of_another_type_are_refused(make):
    with pytest.raises(TypeError, match=r"rngs is of type|must be True or False"):
        make(nnx.Rngs(0))


def test_numpy_booleans_switch_it():
    layer = NNXNoise("dropout", 0.5, deterministic=np.False_, rngs=nnx.Rngs(0))
    assert layer(X, deterministic=np.True_) is X
    assert nnx.view(layer, deterministic=np.True_)(X) is X
