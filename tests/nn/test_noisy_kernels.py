# SPDX-License-Identifier: Apache-2.0
"""Learned noise on the kernels of a recurrent network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.nn import build_model, sparsity
from dropout_jax.transforms import kl_log_uniform, sparse_kernel, weight_log_alpha

KEY = jax.random.key(7)
IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(4, 8, 8)), "f4")
RATES = jnp.zeros(3)
CELLS = ("lstm", "gru")
NOISE = "/noise_log_sigma2"
# The kernel of each noise, by what sparsity calls it.
KERNELS = {
    "layer_0/projection": "layer_0/projection/kernel",
    "layer_0/recurrent": "layer_0/recurrent_kernel",
    "layer_1/projection": "layer_1/projection/kernel",
    "layer_1/recurrent": "layer_1/recurrent_kernel",
    "logits": "logits/kernel",
}
# Noise of a layer that is a module of its own.
BESIDE = {
    place: f"{place[:7]}/noise_{place[8:]}" for place in KERNELS if place != "logits"
}
NOISES = {place: BESIDE.get(place, place) + NOISE for place in KERNELS}


def model_of(kind, cell, **noise):
    fields = {"model.name": "rnn", "model.widths": (6, 5), "model.cell": cell}
    noise = {f"noise.{name}": value for name, value in noise.items()}
    return build_model(override(defaults(), {**fields, "noise.kind": kind, **noise}))


def still(model, leaves):
    params = unflatten_dict(leaves, sep="/")
    return model.apply({"params": params}, IMAGES, RATES, train=False)


def train(model, leaves, key, collection, **options):
    """Returns logits, and what the model left in a collection by path."""
    logits, state = model.apply(
        {"params": unflatten_dict(leaves, sep="/")},
        IMAGES,
        RATES,
        train=True,
        rngs={"dropout": key},
        mutable=[collection],
        **options,
    )
    return logits, flatten_dict(state[collection], sep="/")


@pytest.fixture
def leaves_of(variables_of):
    """Returns random parameters of a model by path, biases included."""

    def of(model):
        params = variables_of(model, IMAGES, RATES, train=False)["params"]
        return flatten_dict(params, sep="/")

    return of


def plain(leaves):
    return {path: leaf for path, leaf in leaves.items() if "noise_" not in path}


@pytest.mark.long
@pytest.mark.parametrize("cell", CELLS)
def test_the_layers_are_those_of_the_model_without_noise(cell, leaves_of):
    quiet, noisy = (model_of(kind, cell) for kind in ("none", "variational_dense"))
    start = [
        flatten_dict(m.init(KEY, IMAGES, RATES, train=False)["params"], sep="/")
        for m in (quiet, noisy)
    ]
    jax.tree.map(np.testing.assert_array_equal, start[0], plain(start[1]))
    assert set(start[1]) - set(start[0]) == set(NOISES.values())
    leaves = leaves_of(noisy)
    np.testing.assert_array_equal(still(noisy, leaves), still(quiet, plain(leaves)))


@pytest.mark.parametrize("cell", CELLS)
def test_one_draw_of_every_kernel_holds_for_all_rows_and_steps(cell, leaves_of):
    """Training is the quiet network with the kernels that were drawn."""
    noisy = model_of("variational_dense", cell)
    leaves = leaves_of(noisy)
    leaves[NOISES["logits"]] = leaves[NOISES["logits"]] - 80.0  # local: per row
    drawn = set(BESIDE.values())

    @jax.jit
    def run(key):
        return train(
            noisy,
            leaves,
            key,
            "intermediates",
            capture_intermediates=lambda module, _: "/".join(module.path) in drawn,
        )

    logits, captured = run(KEY)
    replaced = plain(leaves)
    for place, module in BESIDE.items():
        (kernel,) = captured[f"{module}/__call__"]
        assert np.abs(kernel - leaves[KERNELS[place]]).max() > 0.05, place
        replaced[KERNELS[place]] = kernel
    expected = still(model_of("none", cell), replaced)
    # The local noise of the head is held at alpha = exp(-8), not at 0.
    scale = np.abs(np.asarray(expected)).max()
    np.testing.assert_allclose(logits, expected, atol=0.15 * scale)
    assert np.abs(logits - still(noisy, leaves)).max() > 0.3 * scale
    other = run(jax.random.key(8))[1]
    for name in (f"{module}/__call__" for module in drawn):
        assert np.abs(captured[name][0] - other[name][0]).max() > 0.05, name


@pytest.mark.parametrize("cell", CELLS)
def test_the_kl_of_every_kernel_is_sown_once_and_has_gradients(cell, leaves_of):
    model = model_of("variational_dense", cell, kl="molchanov")
    leaves = leaves_of(model)

    @jax.jit
    def kl(leaves):
        return train(model, leaves, KEY, "kl")[1]

    found = kl(leaves)
    assert set(found) == {path.replace(NOISE, "/value") for path in NOISES.values()}
    for place, path in NOISES.items():
        (value,) = found[path.replace(NOISE, "/value")]
        log_alpha = weight_log_alpha(leaves[KERNELS[place]], leaves[path])
        expected = jnp.sum(kl_log_uniform(log_alpha, "molchanov"))
        np.testing.assert_allclose(value, expected, rtol=1e-5)
    slopes = jax.grad(lambda given: sum(jax.tree.leaves(kl(given))))(leaves)
    assert all(np.abs(slopes[path]).max() > 0 for path in NOISES.values())


@pytest.mark.parametrize("cell", CELLS)
def test_sparsity_per_kernel_and_thresholded_predictions(cell, leaves_of):
    model = model_of("variational_dense", cell, threshold=3.0)
    leaves = leaves_of(model)
    for path in NOISES.values():
        leaves[path] = leaves[path] + 2.0
    shares = sparsity(unflatten_dict(leaves, sep="/"))
    assert set(shares) == set(KERNELS)
    emptied = plain(leaves)
    for place, path in KERNELS.items():
        noise = leaves[NOISES[place]]
        removed = weight_log_alpha(leaves[path], noise) >= 3.0
        assert 0 < shares[place] < 1
        np.testing.assert_allclose(shares[place], removed.mean(), rtol=1e-6)
        emptied[path] = sparse_kernel(leaves[path], noise)
    found, whole = still(model, leaves), still(model_of("none", cell), plain(leaves))
    expected = still(model_of("none", cell), emptied)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(found - whole).max() > 1e-3


def test_a_layer_may_have_noise_in_its_name():
    log_sigma2, kernel = jnp.full((2, 2), 4.0), jnp.ones((2, 2))
    layer = {"kernel": kernel, "noise_log_sigma2": log_sigma2}
    params = {"denoise_0": layer, "noise_of_mine": layer, "a": {"noise_b": layer}}
    assert set(sparsity(params)) == {"denoise_0", "noise_of_mine", "a/noise_b"}
    alone = {"noise_recurrent": {"noise_log_sigma2": log_sigma2}}
    found = sparsity({**alone, "recurrent_kernel": kernel})
    assert found == {"recurrent": 1.0}
