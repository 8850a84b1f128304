# SPDX-License-Identifier: Apache-2.0
"""Every kind of noise that a config can name, in every model that it fits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from dropout_jax.config import defaults, validate
from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import override
from dropout_jax.config.noise_fields import (
    FIXED_RATE_KINDS,
    MODELS_OF_KIND,
    NOISE_KINDS,
)
from dropout_jax.config.noise_rules import noise_sites
from dropout_jax.config.validation import check_fields
from dropout_jax.nn.models import build_model
from dropout_jax.training.hyperparameters import site_rates

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8, 8)), "f4")
MODELS = {
    "mlp": {"model.widths": (16,)},
    "cnn": {"model.channels": (4,), "model.widths": (16,)},
    "rnn": {"model.widths": (8,)},
}
UNFIT = {
    (kind, model)
    for kind, models in MODELS_OF_KIND.items()
    for model in MODELS
    if model not in models
}
PAIRS = [(kind, model) for kind in NOISE_KINDS for model in MODELS]


def configured(kind, model):
    fields = {"model.name": model, **MODELS[model], "noise.kind": kind}
    if kind == "drop_path":
        fields |= {"model.residual": True, "model.widths": (16, 16)}
    if kind in FIXED_RATE_KINDS:
        fields["noise.rates"] = (0.4,)
    return override(defaults(), fields)


@pytest.mark.parametrize(("kind", "model"), PAIRS)
def test_a_kind_fits_or_is_refused(kind, model, variables_of):
    config = configured(kind, model)
    if (kind, model) in UNFIT:
        config = override(config, {"model.residual": False, **MODELS[model]})
        with pytest.raises(UserError, match=f"noise.kind='{kind}': needs config.model"):
            validate(config)
        return
    validate(config)
    module = build_model(config)
    assert noise_sites(check_fields(config)) == len(module.sites) - 1
    rates = jnp.full(len(module.sites), 0.4).at[0].set(0.0)
    variables = variables_of(module, IMAGES, rates, train=False)
    clean = module.apply(variables, IMAGES, rates, train=False)

    def loss(params, key):
        y, _ = module.apply(
            {**variables, "params": params},
            IMAGES,
            rates,
            train=True,
            rngs={"dropout": key},
            mutable=["kl"],
        )
        return jnp.sum(y**2), y

    step = jax.jit(jax.grad(loss, has_aux=True))
    gradient, first = step(variables["params"], jax.random.key(1))
    _, second = step(variables["params"], jax.random.key(2))
    assert not np.allclose(first, second) and not np.allclose(first, clean)
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()


def test_dropblock_has_blocks_on_maps_and_dropout_in_the_head():
    noise = build_model(configured("dropblock", "cnn")).noise
    large, small = jnp.ones((2, 14, 14, 4)), jnp.ones((2, 2, 2, 4))
    assert noise.on_map(large).options["block_size"] == 3
    assert noise.on_map(small).options["block_size"] == 2
    paper = override(configured("dropblock", "cnn"), {"noise.seed_rate": "paper"})
    on_map = build_model(paper).noise.on_map(small)
    assert on_map.options == {"block_size": 2, "seed_rate": "paper"}
    assert noise.in_head.kind == "dropout" and not noise.in_head.options


def test_concrete_dropout_starts_at_the_configured_rate(variables_of):
    config = override(configured("concrete_dropout", "mlp"), {"noise.rate_init": 0.25})
    module = build_model(config)
    variables = module.init(jax.random.key(0), IMAGES, jnp.zeros(2), train=False)
    logit = variables["params"]["noise_hidden_0"]["noise_logit_rate"]
    np.testing.assert_allclose(jax.nn.sigmoid(logit), 0.25, rtol=1e-5)
    assert module.noise.options["temperature"] == 0.1


@pytest.mark.parametrize("field", ["noise.hard", "noise.unbiased"])
def test_options_of_concrete_dropout_reach_its_mask(field, masks_of):
    config = configured("concrete_dropout", "mlp")
    other = not config.noise[field.removeprefix("noise.")]
    before = masks_of(build_model(config))["noise_hidden_0"]
    after = masks_of(build_model(override(config, {field: other})))["noise_hidden_0"]
    assert not np.allclose(before, after)
    # Rounded, a factor is 0 or that of its unit's rate.
    rounded = (after == 0.0) | (after == after.max(0))
    assert rounded.all() == (field == "noise.hard")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("mlp", "between"),
        ("cnn", "between"),
        ("rnn", "between"),
        ("rnn", "state"),
        ("rnn", "candidate"),
    ],
)
def test_a_kernel_reads_every_learned_site(name, where, variables_of):
    """A kernel of as many rows as there are rates, or a row per pixel and rate."""
    config = configured("concrete_dropout", name)
    if where != "between":
        config = override(config, {"model.recurrent_noise": where})
    deep = {"model.widths": (16, 8), "model.channels": (4, 8)}
    config = override(config, deep if name == "cnn" else {"model.widths": (16, 8)})
    module = build_model(config)
    params = variables_of(module, IMAGES, jnp.zeros(len(module.sites)), train=False)
    leaves = flatten_dict(params["params"], sep="/")
    sites = {path.split("/")[0] for path in leaves if path.startswith("noise_")}
    read = {f"noise_{site}" for site in module.readers}
    free = {"noise_recurrent_0", "noise_recurrent_1"} if where == "candidate" else set()
    assert sites - read == free
    assert set(module.sites) <= set(module.readers)
    reached = dict.fromkeys(module.readers.values())
    assert len(reached) == len(module.readers)
    for site, path in module.readers.items():
        if f"noise_{site}" in sites:
            rates = leaves[f"noise_{site}/noise_logit_rate"].size
            rows = leaves[path].size // leaves[path].shape[-1]
            # A 3 x 3 kernel, or what two poolings leave of 8 x 8 pixels.
            pixels = {"conv_0_0": 9, "conv_1_0": 9, "dense_0": 4}
            copies = pixels.get(path.split("/")[0], 1) if name == "cnn" else 1
            assert rows == copies * rates


def test_selu_replaces_relu(variables_of):
    config = override(configured("alpha_dropout", "mlp"), {"model.activation": "selu"})
    relu, selu = build_model(configured("alpha_dropout", "mlp")), build_model(config)
    variables = variables_of(relu, IMAGES, jnp.zeros(2), train=False)
    outputs = [
        m.apply(variables, IMAGES, jnp.zeros(2), train=False) for m in (relu, selu)
    ]
    assert (outputs[0] != outputs[1]).any()
    x = IMAGES.reshape(8, -1)
    layer = variables["params"]["dense_0"]
    x = jax.nn.selu(x @ layer["kernel"] + layer["bias"][None])
    layer = variables["params"]["logits"]
    np.testing.assert_allclose(
        outputs[1], x @ layer["kernel"] + layer["bias"][None], 1e-4, 1e-5
    )


def test_drop_path_leaves_the_residual_stream():
    config = configured("drop_path", "mlp")
    module = build_model(config)
    rates = site_rates(config.noise, module.sites)
    np.testing.assert_allclose(rates, [0.0, 0.2, 0.4], rtol=1e-6)
    params = module.init(jax.random.key(5), IMAGES, rates, train=False)["params"]

    def logits(rates):
        return module.apply(
            {"params": params},
            IMAGES,
            rates,
            train=True,
            rngs={"dropout": jax.random.key(0)},
        )

    def by_hand(second):
        def dense(name, x):
            return x @ params[name]["kernel"] + params[name]["bias"][None]

        x = jax.nn.relu(dense("dense_0", IMAGES.reshape(8, -1)))
        return dense("logits", x + second * jax.nn.relu(dense("dense_1", x)))

    # The first layer has no skip connection and so no noise, whatever its rate.
    gone = logits(jnp.array([0.0, 1.0, 1.0]))
    np.testing.assert_allclose(gone, by_hand(0.0), rtol=1e-4, atol=1e-5)
    whole = logits(jnp.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(whole, by_hand(1.0), rtol=1e-4, atol=1e-5)
