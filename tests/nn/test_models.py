# SPDX-License-Identifier: Apache-2.0
"""MLP, CNN and RNN: where noise acts, what shares a draw, and models by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import nn
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.nn import CNN, MLP, RNN, NoiseConfig

IMAGES = jnp.asarray(np.random.default_rng(9).random((3, 8, 8)), jnp.float32)
DROPOUT = NoiseConfig("dropout", on_input=True)


def small(model, noise=DROPOUT, **options):
    if model is CNN:
        options = {"channels": (4, 6), "widths": (16,), **options}
    else:
        options = {"widths": (16, 12), **options}
    return model(noise=noise, **options)


def half(model):
    return (0.5,) * len(model.sites)


@pytest.mark.parametrize("model", [MLP, CNN, RNN])
def test_every_site_has_a_layer_with_a_mask_of_its_own(model, masks_of):
    model = small(model)
    masks = masks_of(model)
    assert set(masks) == {f"noise_{site}" for site in model.sites}
    for mask in masks.values():
        assert set(np.unique(mask)) == {0.0, 2.0}
    for name, mask in masks.items():
        for other, theirs in masks.items():
            if name < other:
                size = min(mask.size, theirs.size)
                assert np.any(mask.ravel()[:size] != theirs.ravel()[:size])


@pytest.mark.parametrize("model", [MLP, CNN, RNN])
def test_rates_reach_their_own_site(model, masks_of):
    model = small(model)
    sites = model.sites
    rates = tuple(float(i % 2) for i in range(len(sites)))
    masks = masks_of(model, rates=rates)
    for site, rate in zip(sites, rates, strict=True):
        expected = np.full_like(masks[f"noise_{site}"], 1.0 - rate)
        np.testing.assert_array_equal(masks[f"noise_{site}"], expected)


@pytest.mark.parametrize("model", [MLP, CNN, RNN])
def test_removing_a_layer_leaves_the_other_masks_alone(model, masks_of):
    full = small(model)
    without = small(model, noise=NoiseConfig("dropout", on_input=False))
    masks = masks_of(full)
    fewer = masks_of(without)
    assert set(masks) - set(fewer) == {"noise_input"}
    for name, mask in fewer.items():
        np.testing.assert_array_equal(mask, masks[name])
    other = masks_of(full, seed=2)
    assert all(np.any(other[name] != mask) for name, mask in masks.items())


def test_a_longer_model_keeps_the_masks_of_the_shorter(masks_of):
    short, long = small(MLP), small(MLP, widths=(16, 12, 10))
    masks = masks_of(long)
    for name, mask in masks_of(short).items():
        np.testing.assert_array_equal(mask, masks[name])


def is_shared(mask, axis):
    first = np.take(mask, [0], axis)
    return bool(np.all(mask == first))


@pytest.mark.parametrize(
    "model, sharing, shared",
    [
        (CNN, "element", {}),
        # Whole feature maps vanish; pixels of the input and head units do not share.
        (CNN, "spatial", {"noise_block_0": {1, 2}, "noise_block_1": {1, 2}}),
        (RNN, "element", {}),
        (RNN, "tied", {"noise_input": {1}, "noise_layer_0": {1}}),
    ],
)
def test_draws_are_shared_along_exactly_the_right_axes(
    model, sharing, shared, masks_of
):
    model = small(model, noise=NoiseConfig("dropout", on_input=True, sharing=sharing))
    masks = masks_of(model, shape=(16, 8, 8))
    for name, mask in masks.items():
        axes = {a for a in range(mask.ndim) if mask.shape[a] > 1 and is_shared(mask, a)}
        assert axes == shared.get(name, set()), name


def test_only_tied_noise_reaches_the_recurrent_state(masks_of):
    for sharing in ("element", "tied"):
        noise = NoiseConfig("dropout", on_input=True, sharing=sharing)
        model = small(RNN, noise=noise)
        masks = masks_of(model)
        recurrent = {name for name in masks if "recurrent" in name}
        expected = {"noise_recurrent_0", "noise_recurrent_1"}
        assert recurrent == (expected if sharing == "tied" else set())
        # The last layer passes on one state, so its mask has no time axis.
        assert masks["noise_layer_0"].shape == (3, 8, 16)
        assert masks["noise_layer_1"].shape == (3, 12)


@pytest.mark.parametrize(
    "model, kind",
    [
        (MLP, "dropout"),
        (MLP, "variational_dropout"),
        (CNN, "logit_normal_dropout"),
        (RNN, "gaussian_dropout"),
    ],
)
def test_evaluation_needs_no_key_and_is_the_network_without_noise(
    model, kind, variables_of
):
    model = small(model, noise=NoiseConfig(kind, on_input=True))
    plain = small(model.__class__, noise=NoiseConfig())
    variables = variables_of(model, IMAGES, half(model), train=False)

    def logits(model):
        # Parameters of noise layers are simply not read by the plain model.
        apply = jax.jit(lambda v: model.apply(v, IMAGES, half(model), train=False))
        return apply(variables)

    assert logits(model).shape == (3, 10)
    np.testing.assert_array_equal(logits(model), logits(plain))


def test_batch_norm_replaces_the_biases_of_convolutions(variables_of):
    model = small(CNN, batch_norm=True, convs_per_block=2)
    variables = variables_of(model, IMAGES, half(model), train=False)
    assert set(variables["params"]["conv_1_1"]) == {"kernel"}
    assert set(variables["batch_stats"]) == {
        f"batch_norm_{i}_{j}" for i in range(2) for j in range(2)
    }
    assert variables["params"]["conv_1_1"]["kernel"].shape == (3, 3, 6, 6)


def test_too_many_blocks_are_refused_with_their_number(variables_of):
    model = CNN(channels=(2, 2, 2, 2), widths=())
    with pytest.raises(ValueError, match=r"model.channels has 4 blocks.*8x8.*fewer"):
        variables_of(model, IMAGES, half(model), train=False)
    exactly = CNN(channels=(2, 2, 2), widths=())
    variables = variables_of(exactly, IMAGES, half(exactly), train=False)
    assert variables["params"]["logits"]["kernel"].shape == (2, 10)


def test_a_wrong_number_of_rates_is_refused(variables_of):
    for model in (small(MLP), small(CNN), small(RNN)):
        right = half(model)
        for rates in (right[:-1], (*right, 0.5), jnp.asarray(right[:-1])):
            with pytest.raises(ValueError, match=r"\d rates and \d sites.*of input"):
                variables_of(model, IMAGES, rates, train=False)
        with pytest.raises(TypeError, match=r"rates is 0\.5; give one rate for each"):
            variables_of(model, IMAGES, 0.5, train=False)


def test_models_by_name():
    config = override(
        defaults(),
        {
            "model.name": "cnn",
            "model.channels": (3,),
            "model.widths": (7, 5),
            "model.kernel_size": 5,
            "model.batch_norm": True,
            "model.convs_per_block": 2,
            "noise.kind": "dropout",
            "noise.rates": (0.5,),
            "noise.sharing": "spatial",
        },
    )
    model = nn.build_model(config, classes=4)
    assert model == CNN((3,), (7, 5), 5, 2, True, 4, model.noise)
    assert model.noise == NoiseConfig("dropout", on_input=False, sharing="spatial")
    assert nn.build_model(defaults()) == MLP((256, 256))
    gru = override(defaults(), {"model.name": "rnn", "model.cell": "gru"})
    assert nn.build_model(gru) == RNN((256, 256), "gru")


@pytest.mark.parametrize(
    "fields, on_input",
    [
        ({"noise.kind": "dropout"}, False),
        ({"noise.kind": "dropout", "noise.input_rate": 0.1}, True),
        ({"noise.kind": "variational_dropout"}, True),
        ({"noise.kind": "variational_dropout", "noise.learned_input": False}, False),
    ],
)
def test_noise_on_the_input(fields, on_input):
    config = override(defaults(), fields)
    assert nn.noise_from_config(config.noise).on_input is on_input


def test_variational_settings_reach_the_layer():
    fields = {
        "noise.kind": "variational_dropout",
        "noise.log_alpha_init": -1.5,
        "noise.kl": "molchanov",
    }
    noise = nn.noise_from_config(override(defaults(), fields).noise)
    layer = noise.layer("input")
    assert layer.name == "noise_input"
    params = layer.init(jax.random.key(0), jnp.ones((1, 2)), deterministic=True)
    np.testing.assert_array_equal(params["params"]["noise_log_alpha"], [-1.5, -1.5])
    assert dict(layer.kl_options) == {"method": "molchanov"}


def test_an_unknown_model_names_the_nearest():
    config = override(defaults(), {"plugin": "x", "model.name": "mpl"})
    with pytest.raises(ValueError, match=r"'mpl' is not registered.*mean mlp\?"):
        nn.build_model(config)


def test_a_registered_model_is_found_and_its_name_is_taken():
    @nn.register_model("test_models_linear")
    def build(model, noise, classes):
        return MLP(widths=(), classes=classes, noise=noise)

    config = override(defaults(), {"plugin": "x", "model.name": "test_models_linear"})
    assert nn.build_model(config, 3) == MLP((), 3)
    with pytest.raises(ValueError, match="'test_models_linear' is taken"):
        nn.register_model("test_models_linear")(build)
    with pytest.raises(ValueError, match="'mlp' is taken"):
        nn.register_model("mlp")(build)


def test_models_are_hashable_so_that_they_may_be_static():
    fields = {"noise.kind": "variational_dropout"}
    first, second = (nn.build_model(override(defaults(), fields)) for _ in range(2))
    assert hash(first) == hash(second) and first == second
    changed = {**fields, "noise.log_alpha_init": -1.0}
    other = nn.build_model(override(defaults(), changed))
    assert first != other
