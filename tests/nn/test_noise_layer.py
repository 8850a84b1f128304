# SPDX-License-Identifier: Apache-2.0
"""The noise layer: its key, its name, its learned parameters, its traced rate."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from dropout_jax import transforms
from dropout_jax.nn import MLP, Noise, NoiseConfig

X = jnp.ones((64, 32))
KEY = jax.random.key(3)
LEARNED = ("variational_dropout", "logit_normal_dropout")


class TwoLayers(nn.Module):
    """Two noise layers on the same input."""

    names: tuple = ("first", "second")

    @nn.compact
    def __call__(self, x):
        return [
            Noise(kind="dropout", name=name)(x, 0.5, deterministic=False)
            for name in self.names
        ]


def test_a_layer_named_by_flax_is_refused():
    with pytest.raises(ValueError, match=r"'Noise_0' was named by flax.*name="):
        TwoLayers(names=(None,)).apply({}, X, rngs={"dropout": KEY})


@pytest.mark.parametrize("rngs", [{}, {"params": KEY}, {"other": KEY}])
def test_no_key_is_ever_borrowed(rngs):
    layer = Noise(kind="dropout", name="noise")
    with pytest.raises(ValueError, match=r"needs a key of its own.*never borrowed"):
        layer.apply({}, X, 0.5, deterministic=False, rngs=rngs)


def test_a_model_without_dropout_key_is_refused(variables_of):
    model = MLP(widths=(4,), noise=NoiseConfig("dropout"))
    x, rates = jnp.ones((2, 4, 4)), (0.0, 0.5)
    variables = variables_of(model, x, rates, train=False)
    with pytest.raises(ValueError, match="'noise_hidden_0' needs a key of its own"):
        model.apply(variables, x, rates, train=True, rngs={"params": KEY})


LAYERS = [name for name in transforms.names() if transforms.get(name).layer]


@pytest.mark.parametrize("kind", ["none", *LAYERS])
def test_deterministic_is_the_identity_and_needs_no_key(kind):
    options = {"axes": (1,)} if kind == "dropblock" else {}
    layer = Noise(kind=kind, options=FrozenDict(options), name="noise")
    variables = layer.init(KEY, X, 0.5, deterministic=True)
    assert layer.apply(variables, X, 0.5, deterministic=True) is X


@pytest.mark.parametrize("kind", sorted({*transforms.names()} - {*LAYERS}))
def test_a_transform_that_needs_a_kernel_is_refused(kind):
    layer = Noise(kind=kind, name="noise")
    with pytest.raises(ValueError, match=f"kind is '{kind}', which needs more than"):
        layer.apply({}, X, 0.5, deterministic=True)


def test_two_layers_draw_different_masks():
    first, second = TwoLayers().apply({}, X, rngs={"dropout": KEY})
    # 2048 fair coins agree in half the places; 99 of 128 sigma away is "the same".
    agreement = np.mean(np.asarray(first) == np.asarray(second))
    assert 0.4 < agreement < 0.6
    planted = np.mean(np.asarray(first) == np.asarray(first))
    assert not planted < 0.6


def test_a_layer_alone_draws_what_it_draws_among_others():
    both = TwoLayers().apply({}, X, rngs={"dropout": KEY})
    alone = TwoLayers(names=("second",)).apply({}, X, rngs={"dropout": KEY})
    np.testing.assert_array_equal(both[1], alone[0])


def test_the_mask_changes_with_the_key_alone():
    def draw(key):
        return TwoLayers(names=("noise",)).apply({}, X, rngs={"dropout": key})[0]

    np.testing.assert_array_equal(draw(KEY), draw(KEY))
    assert np.any(np.asarray(draw(KEY)) != np.asarray(draw(jax.random.key(4))))


def test_twelve_rates_are_one_compilation():
    layer, traces = Noise(kind="dropout", name="noise"), []

    @jax.jit
    def apply(rate):
        traces.append(rate)
        return layer.apply({}, X, rate, deterministic=False, rngs={"dropout": KEY})

    kept = [float(jnp.mean(apply(rate) != 0)) for rate in np.linspace(0, 1, 12)]
    assert len(traces) == 1 and apply._cache_size() == 1
    # Common random numbers: the masks are nested, so the kept share only falls.
    assert kept[0] == 1.0 and kept[-1] == 0.0 and sorted(kept, reverse=True) == kept


@pytest.mark.parametrize("kind", LEARNED)
def test_learned_kinds_own_one_value_per_feature(kind):
    transform = transforms.get(kind)
    x = jnp.ones((2, 5, 3))
    layer = Noise(kind=kind, name="noise", initial={transform.learned[0].name: 0.25})
    params = layer.init(KEY, x, deterministic=True)["params"]
    assert set(params) == {f"noise_{leaf.name}" for leaf in transform.learned}
    for leaf in transform.learned:
        start = 0.25 if leaf is transform.learned[0] else leaf.initial
        value = params[f"noise_{leaf.name}"]
        np.testing.assert_array_equal(value, np.full(3, start, np.float32))


@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.parametrize("deterministic", [True, False])
def test_learned_kinds_sow_their_kl_summed_over_features(kind, deterministic):
    transform = transforms.get(kind)
    layer = Noise(kind=kind, name="noise")
    values = [jnp.asarray([-2.0, 0.5, 1.0]) - i for i in range(len(transform.learned))]
    names = [f"noise_{leaf.name}" for leaf in transform.learned]
    variables = {"params": dict(zip(names, values, strict=True))}
    _, sown = layer.apply(
        variables,
        jnp.ones((7, 3)),
        deterministic=deterministic,
        rngs={"dropout": KEY},
        mutable=["kl"],
    )
    (kl,) = jax.tree.leaves(sown["kl"])
    expected = sum(float(transform.kl(*(v[i] for v in values))) for i in range(3))
    np.testing.assert_allclose(float(kl), expected, rtol=1e-6)
    # The mean over features, or a sum over the batch, would be far away.
    assert abs(expected / 3 - float(kl)) > 0.1 and abs(7 * expected - float(kl)) > 0.1


def test_the_kl_of_a_map_is_that_of_the_flattened_map():
    """What a dense layer reads are as many factors, flattened before or behind."""
    log_alpha = jnp.asarray([-2.0, 0.5, 1.0])

    def sown(x, log_alpha, **options):
        layer = Noise(kind="variational_dropout", name="noise", **options)
        variables = {"params": {"noise_log_alpha": log_alpha}}
        state = layer.apply(variables, x, deterministic=True, mutable=["kl"])[1]
        (kl,) = jax.tree.leaves(state["kl"])
        return float(kl)

    x = jnp.ones((7, 4, 5, 3))
    flat = sown(x.reshape(7, -1), jnp.tile(log_alpha, 20))
    np.testing.assert_allclose(sown(x, log_alpha), flat, rtol=1e-6)
    # As under vmap over examples, where the layer sees no batch axis.
    assert sown(x[0], log_alpha, batch_axis=None) == sown(x, log_alpha)
    alone = sown(x, log_alpha, shared_axes=(1, 2))
    np.testing.assert_allclose(20 * alone, flat, rtol=1e-6)


def test_kl_options_reach_the_kl():
    layers = [
        Noise("variational_dropout", kl_options={"method": m}, name="noise")
        for m in ("exact", "kingma")
    ]
    variables = {"params": {"noise_log_alpha": jnp.zeros(4)}}
    exact, kingma = (
        jax.tree.leaves(
            layer.apply(variables, X[:, :4], deterministic=True, mutable=["kl"])[1]
        )[0]
        for layer in layers
    )
    assert abs(float(exact) - float(kingma)) > 1e-3


def test_features_that_share_a_draw_have_no_kl():
    layer = Noise(kind="variational_dropout", shared_axes=(-1,), name="noise")
    with pytest.raises(ValueError, match="kl varies along axis 1"):
        layer.init(KEY, X, deterministic=True)


def test_learned_noise_has_its_own_strength_per_feature():
    layer = Noise(kind="variational_dropout", name="noise")
    variables = {"params": {"noise_log_alpha": jnp.asarray([-20.0, 0.0])}}
    y = layer.apply(
        variables, jnp.ones((4096, 2)), deterministic=False, rngs={"dropout": KEY}
    )
    quiet, loud = np.std(np.asarray(y), axis=0)
    # 4096 normals: the standard deviation is within 6 % at 1e-6 false alarms.
    assert quiet < 1e-4 and abs(loud - 1.0) < 0.06


def test_options_reach_the_transform():
    layer = Noise(kind="dropout", options={"scaling": "test"}, name="noise")
    y = layer.apply({}, X, 0.5, deterministic=False, rngs={"dropout": KEY})
    assert set(np.unique(y)) == {0.0, 1.0}
    np.testing.assert_array_equal(layer.apply({}, X, 0.5, deterministic=True), X / 2)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'dropout'"):
        Noise(kind="dropuot", name="noise").apply({}, X, deterministic=True)
