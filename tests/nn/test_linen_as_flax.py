# SPDX-License-Identifier: Apache-2.0
"""`Noise` stands where `linen.Dropout` does: cases with the meaning of Flax's own.

Those are google/flax, tests/linen/linen_test.py, StochasticTest; and `nn.Sequential`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import transforms
from dropout_jax.nn import NNXNoise, Noise, NoiseConfig, NoisyConv, NoisyDense

KEY = jax.random.key(0)
ONES = jnp.ones((20, 20))
LAYERS = [name for name in transforms.names() if transforms.get(name).layer]
NOISY = {
    "NoisyDense": NoisyDense(3, noise=NoiseConfig("dropconnect_dense"), rate=0.5),
    "learned NoisyDense": NoisyDense(3, noise=NoiseConfig("variational_dense")),
    "NoisyConv": NoisyConv(3, 3, noise=NoiseConfig("variational_conv")),
}


def masks(layer, x=ONES, key=KEY, **options):
    """What the layer and Flax's dropout of the same settings make of `x`."""
    return layer.apply({}, x, rngs={"dropout": key}, **options)


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("where", ["layer", "call"])
def test_two_keys_differ_while_training_alone(where, deterministic):
    setting = {"deterministic": deterministic}
    layer = Noise("dropout", 0.5, **(setting if where == "layer" else {}))
    keys = jax.random.split(KEY)
    call = setting if where == "call" else {}
    first, second = (masks(layer, key=key, **call) for key in keys)
    assert (first == second).all() == deterministic


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_the_share_that_is_kept(rate):
    layer = Noise("dropout", rate, deterministic=False)
    ones = jnp.ones((100, 100))
    kept = np.mean([masks(layer, ones, key) > 0 for key in jax.random.split(KEY, 10)])
    # 5.7 standard errors: a false alarm below 1e-7.
    assert abs(kept - (1 - rate)) < 5.7 * np.sqrt(rate * (1 - rate) / 1e5)


def test_the_ends_of_the_rate():
    assert (masks(Noise("dropout", 0.0, deterministic=False)) == ONES).all()
    layer = Noise("dropout", 1.0, deterministic=False)
    assert (masks(layer) == 0).all()
    gradient = jax.grad(lambda x: masks(layer, x).sum())(ONES)
    assert (gradient == 0).all()


@pytest.mark.parametrize(
    ("ndim", "axes"),
    [
        (2, (1,)),
        (2, (0,)),
        (3, (1, 2)),
        (3, (1,)),
        (4, (0, 2, 3)),
        (4, (0, 1)),
        (4, (3,)),
    ],
)
def test_draws_shared_along_axes(ndim, axes):
    """Each slice along the axes is 0 or 2 as a whole; Flax draws the same."""
    x = jnp.ones((6,) * ndim)
    y = masks(Noise("dropout", 0.5, shared_axes=axes, deterministic=False), x)
    theirs = nn.Dropout(0.5, broadcast_dims=axes, deterministic=False)
    np.testing.assert_array_equal(y, theirs.apply({}, x, rngs={"dropout": KEY}))
    sums = np.asarray(y).sum(axes)
    assert set(np.unique(sums)) == {0.0, 2.0 * 6 ** len(axes)}


def test_a_key_of_the_call():
    class Twice(nn.Module):
        @nn.compact
        def __call__(self, x):
            key = self.make_rng("dropout")
            layers = (
                Noise("dropout", 0.5, deterministic=False, name=name) for name in "ab"
            )
            return [layer(x, rng=key) for layer in layers]

    first, second = Twice().apply({}, ONES, rngs={"dropout": KEY})
    np.testing.assert_array_equal(first, second)
    # Without a stream; also a raw key.
    layer = Noise("dropout", 0.5, deterministic=False)
    expected = transforms.dropout(KEY, ONES, 0.5)
    for key in (KEY, jax.random.PRNGKey(0)):
        np.testing.assert_array_equal(layer.apply({}, ONES, rng=key), expected)


def test_the_rate_of_the_call_goes_before_that_of_the_layer():
    layer = Noise("dropout", 0.5, deterministic=False)
    assert (masks(layer, rate=0.0) == ONES).all() and (masks(layer) != ONES).any()


def test_another_stream():
    layer = Noise("dropout", 0.5, deterministic=False, rng_collection="noise")
    theirs = nn.Dropout(0.5, deterministic=False, rng_collection="noise")
    y = layer.apply({}, ONES, rngs={"noise": KEY})
    np.testing.assert_array_equal(y, theirs.apply({}, ONES, rngs={"noise": KEY}))
    with pytest.raises(ValueError, match=r"call apply\(..., rngs=\{'noise': key\}\)"):
        masks(layer)


def test_the_rate_zero_needs_no_key():
    x = jnp.ones((2, 3))
    assert (Noise("dropout", 0.0, deterministic=False).apply({}, x) == x).all()
    with pytest.raises(ValueError, match="'Noise' needs a key of its own"):
        Noise("dropout", 0.1, deterministic=False).apply({}, x)


@pytest.mark.parametrize(
    "make",
    [
        lambda **s: Noise("dropout", 0.5, **s),
        lambda **s: NoisyDense(3, noise=NoiseConfig("variational_dense"), **s),
    ],
)
def test_deterministic_is_given_once(make):
    variables = make().init(KEY, ONES, deterministic=True)
    with pytest.raises(ValueError, match=r"given to neither, layer '.*Nois.*once:"):
        make().apply(variables, ONES)
    with pytest.raises(ValueError, match=r"given to both, layer '.*Nois.*once:"):
        make(deterministic=True).apply(variables, ONES, deterministic=True)
    for wrong in ("False", 1):
        with pytest.raises(TypeError, match="must be True or False"):
            make(deterministic=wrong).apply(variables, ONES)
    still = make(deterministic=np.True_).apply(variables, ONES)
    np.testing.assert_array_equal(
        still, make(deterministic=True).apply(variables, ONES)
    )


def test_deterministic_as_the_second_argument():
    """As it stands in Flax: it is no rate of 1."""
    for layer in (
        Noise("dropout", 0.5),
        Noise("dropout", 0.5, deterministic=False),
        NoisyDense(3, noise=NoiseConfig("dropconnect_dense"), rate=0.5),
    ):
        with pytest.raises(TypeError, match=r"rate is True; .*deterministic=True"):
            layer.init(KEY, ONES, True)
    with pytest.raises(TypeError, match=r"rate is False; .*deterministic=False"):
        NNXNoise("dropout", 0.5)(ONES, False)


def test_a_rate_that_is_nowhere():
    for layer in (
        Noise("dropout", deterministic=True),
        NoisyDense(3, noise=NoiseConfig("dropconnect_dense"), deterministic=True),
    ):
        with pytest.raises(ValueError, match="has no rate; give one to the layer or"):
            layer.init(KEY, ONES)
    with pytest.raises(ValueError, match="has no std; give one"):
        Noise("gaussian_noise", deterministic=True).apply({}, ONES)


# --- nn.Sequential --------------------------------------------------------------------


@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_stands_in_sequential(kind):
    learned = bool(transforms.get(kind).learned)
    options = {"axes": (1,), "block_size": 2} if kind == "dropblock" else {}

    def model(deterministic):
        noise = Noise(
            kind,
            None if learned else 0.5,
            options=options,
            deterministic=deterministic,
        )
        return nn.Sequential([nn.Dense(4), noise, nn.relu, nn.Dense(2)])

    x = jax.random.normal(KEY, (5, 3))
    variables = model(True).init(KEY, x)
    still = model(True).apply(variables, x)
    draws = [
        model(False).apply(variables, x, rngs={"dropout": key})
        for key in jax.random.split(KEY)
    ]
    assert still.shape == (5, 2)
    assert (draws[0] != still).any() and (draws[0] != draws[1]).any()


def test_masks_in_sequential_are_those_of_flax():
    """The key follows the place in the list, `layers_1`, as for every layer there."""
    x = jax.random.normal(KEY, (5, 3))
    ours, theirs = (
        nn.Sequential([nn.Dense(4), dropout, nn.Dense(2)])
        for dropout in (
            Noise("dropout", 0.5, deterministic=False),
            nn.Dropout(0.5, deterministic=False),
        )
    )
    variables = theirs.init({"params": KEY, "dropout": KEY}, x)
    assert jax.tree.structure(ours.init(KEY, x)) == jax.tree.structure(variables)
    y, same = (m.apply(variables, x, rngs={"dropout": KEY}) for m in (ours, theirs))
    np.testing.assert_array_equal(y, same)


@pytest.mark.parametrize("name", list(NOISY))
def test_noise_on_weights_stands_in_sequential(name):
    model = nn.Sequential([NOISY[name].clone(deterministic=False), nn.relu])
    x = jax.random.normal(KEY, (2, 4, 4, 5))
    variables = model.init(KEY, x)
    first, second = (
        model.apply(variables, x, rngs={"dropout": key})
        for key in jax.random.split(KEY)
    )
    assert first.shape == (2, 4, 4, 3) and (first != second).any()


class Named(nn.Module):
    """A noise layer made by `make` inside a compact method."""

    make: object

    @nn.compact
    def __call__(self, x):
        return self.make()(x)


class Mine(Noise):
    """A user's own class."""


def test_a_name_of_flax_is_refused_whatever_the_class():
    """The key follows the name: `Noise_1` is another layer's when one is removed."""
    lifted = nn.vmap(Noise, variable_axes={}, split_rngs={"dropout": True})
    for layer in (Noise, Mine, lifted, nn.remat(Noise)):
        with pytest.raises(ValueError, match=r"_0' was named by flax.*name="):
            Named(lambda layer=layer: layer("dropout", 0.5, deterministic=False)).apply(
                {}, ONES, rngs={"dropout": KEY}
            )
    for name in ("noise", "noise_0", "my_noise_12"):
        Named(
            lambda name=name: Noise("dropout", 0.5, deterministic=False, name=name)
        ).apply({}, ONES, rngs={"dropout": KEY})


def test_removing_a_named_layer_leaves_the_masks_of_the_others():
    class Two(nn.Module):
        first: bool

        @nn.compact
        def __call__(self, x):
            if self.first:
                Noise("dropout", name="first")(x, 0.5, deterministic=False)
            return Noise("dropout", name="second")(x, 0.5, deterministic=False)

    with_it, without = (
        Two(first).apply({}, ONES, rngs={"dropout": KEY}) for first in (True, False)
    )
    np.testing.assert_array_equal(with_it, without)
    assert (with_it != ONES).any()
