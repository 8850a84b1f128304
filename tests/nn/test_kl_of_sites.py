# SPDX-License-Identifier: Apache-2.0
"""The KL that each site of a model sows: a term for every factor of one example."""

import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import transforms
from dropout_jax.nn import CNN, MLP, RNN, NoiseConfig

SHAPE = (3, 8, 8)  # images
IMAGES = jnp.asarray(np.random.default_rng(0).random(SHAPE), "f4")
# Under which no two draws are equal.
SOFT = {"concrete_dropout": {"temperature": 2.0}}
KINDS = ("variational_dropout", "logit_normal_dropout", "concrete_dropout")


def noise(kind, sharing="element"):
    options = SOFT.get(kind, {})
    return NoiseConfig(kind, on_input=True, sharing=sharing, options=options)


def mlp(kind):
    return MLP(widths=(5, 4), noise=noise(kind))


def cnn(kind, sharing):
    return CNN(channels=(2, 3), widths=(5,), noise=noise(kind, sharing))


def rnn(kind, sharing, recurrent="auto", cell="gru"):
    place = {"noise": noise(kind, sharing), "recurrent": recurrent}
    return RNN(widths=(5, 4), cell=cell, **place)


# How many factors of one feature there are: 8 x 8 pixels or 8 steps of 8 pixels at the
# input, maps of 4 x 4 and 2 x 2, and what layers pass on at 8 steps or at the last.
MODELS = {
    "mlp": (mlp, (), {"input": 1, "hidden_0": 1, "hidden_1": 1}),
    "cnn": (cnn, ("element",), {"input": 64, "block_0": 16, "block_1": 4, "head_0": 1}),
    "cnn, spatial": (
        cnn,
        ("spatial",),
        # The input is never shared: it has one channel, which would be the image.
        {"input": 64, "block_0": 1, "block_1": 1, "head_0": 1},
    ),
    "rnn": (rnn, ("element",), {"input": 8, "layer_0": 8, "layer_1": 1}),
    "rnn, state": (
        rnn,
        ("element", "state"),
        {"input": 8, "layer_0": 8, "layer_1": 1, "recurrent_0": 8, "recurrent_1": 8},
    ),
    "rnn, tied": (
        rnn,
        ("tied",),
        {"input": 1, "layer_0": 1, "layer_1": 1, "recurrent_0": 1, "recurrent_1": 1},
    ),
    "rnn, tied candidate": (
        rnn,
        ("tied", "candidate", "lstm"),
        {"input": 1, "layer_0": 1, "layer_1": 1, "recurrent_0": 1, "recurrent_1": 1},
    ),
    "rnn, tied between layers": (
        rnn,
        ("tied", "none"),
        {"input": 1, "layer_0": 1, "layer_1": 1},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_every_site_counts_the_factors_of_one_example(
    name, kind, variables_of, masks_of
):
    make, arguments, copies = MODELS[name]
    model, transform = make(kind, *arguments), transforms.get(kind)
    rates = jnp.zeros(len(model.sites))
    params = variables_of(model, IMAGES, rates, train=False)["params"]
    _, state = model.apply(
        {"params": params}, IMAGES, rates, train=False, mutable=["kl"]
    )
    sown, masks = state["kl"], masks_of(model, SHAPE)
    assert set(sown) == set(masks) == {f"noise_{site}" for site in copies}
    for site, count in copies.items():
        layer = f"noise_{site}"
        values = [params[layer][f"noise_{leaf.name}"] for leaf in transform.learned]
        terms = np.asarray(transform.kl(*values), "f8")
        (value,) = sown[layer]["value"]
        np.testing.assert_allclose(value, count * terms.sum(), rtol=1e-5)
        # And so many are drawn.
        factors = masks[layer][1].reshape(-1, terms.size)
        drawn = [len(np.unique(one)) for one in factors.T]
        assert drawn == [count] * terms.size, layer
