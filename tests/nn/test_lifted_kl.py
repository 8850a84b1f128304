# SPDX-License-Identifier: Apache-2.0
"""The KL of learned noise in nn.scan, nn.vmap and nn.remat: whole, or an error."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import transforms
from dropout_jax.nn import Noise, NoiseConfig, NoisyDense, NoisyKernel, total_kl

KEY, X, STEPS = jax.random.key(0), jnp.ones((2, 3)), 5
WEIGHTS = NoiseConfig("variational_dense")
ONE = float(jnp.sum(transforms.kl_log_uniform(jnp.full(3, -3.0))))


class OnUnits(nn.Module):
    """Noise with learned variances, as a body of nn.scan."""

    @nn.compact
    def __call__(self, x, _=None):
        noise = Noise(kind="variational_dropout", name="noise")
        return noise(x, deterministic=False), None


class OnWeights(nn.Module):
    @nn.compact
    def __call__(self, x, _=None):
        dense = NoisyDense(3, noise=WEIGHTS, name="dense")
        return dense(x, deterministic=False), None


class OnKernel(nn.Module):
    @nn.compact
    def __call__(self, x, _=None):
        kernel = self.param("kernel", nn.initializers.ones_init(), (3, 3))
        noise = NoisyKernel(noise=WEIGHTS, name="noise")
        return x @ noise(kernel, deterministic=False), None


BODIES = (OnUnits, OnWeights, OnKernel)


def scanned(body, **kl):
    axes = {"params": 0, **kl}
    rngs = {"params": True, "dropout": True}
    return nn.scan(body, variable_axes=axes, split_rngs=rngs, length=STEPS)


def mapped(body, **kl):
    rngs = {"params": False, "dropout": True}
    axes = {"params": None, **kl}
    return nn.vmap(body, variable_axes=axes, split_rngs=rngs, in_axes=0)


class Around(nn.Module):
    """A lifted body inside of a module, under a name."""

    lifted: type

    @nn.compact
    def __call__(self, x):
        return self.lifted(name="lifted")(x)[0]


def sown(model, variables, x=X, mutable=("kl",)):
    """What the layers of `model` leave in "kl"."""
    rngs = {"dropout": KEY}
    return model.apply(variables, x, rngs=rngs, mutable=list(mutable))[1]["kl"]


LOST = r"KL of layer .* would be lost.*\"kl\""


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("lift", [scanned, mapped])
def test_a_kl_that_would_be_lost_is_an_error(body, lift):
    for around in (lambda lifted: lifted(), Around):
        with pytest.raises(ValueError, match=LOST):
            around(lift(body)).init(KEY, X)
    # Of parameters from elsewhere, where the KL is asked for; there is no other loss.
    model = Around(lift(body))
    variables = {"params": Around(lift(body, kl=0)).init(KEY, X)["params"]}
    with pytest.raises(ValueError, match=LOST):
        sown(model, variables)
    model.apply(variables, X, rngs={"dropout": KEY})


@pytest.mark.parametrize("body", BODIES)
def test_a_collection_that_is_passed_on_has_the_kl_of_every_step(body):
    alone = Around(body)
    variables = alone.init(KEY, X)
    one = float(total_kl(sown(alone, variables)))
    model = Around(scanned(body, kl=0))
    stacked = model.init(KEY, X)
    found = sown(model, stacked)
    assert [leaf.shape for leaf in jax.tree.leaves(found)] == [(STEPS,)]
    repeated = jax.tree.map(lambda v: jnp.stack([v] * STEPS), variables)
    np.testing.assert_allclose(total_kl(sown(model, repeated)), STEPS * one, rtol=1e-6)
    if body is OnUnits:
        np.testing.assert_allclose(one, ONE, rtol=1e-6)


@pytest.mark.parametrize("lift", [nn.remat, nn.jit])
@pytest.mark.parametrize("body", BODIES)
def test_what_passes_everything_on_loses_nothing(body, lift):
    plain, lifted = Around(body), Around(lift(body))
    variables = plain.init(KEY, X)
    expected = float(total_kl(sown(plain, variables)))
    assert float(total_kl(sown(lifted, variables))) == expected


class Teacher(nn.Module):
    """Asks another module, by an `apply` of its own that wants no KL."""

    @nn.compact
    def __call__(self, x):
        Noise(kind="variational_dropout", name="own")(x, deterministic=True)
        other = OnUnits()
        variables = {"params": {"noise": {"noise_log_alpha": jnp.zeros(3)}}}
        return other.apply(variables, x, rngs={"dropout": KEY})[0]


def test_an_apply_inside_of_a_module_is_asked_by_itself():
    variables = Teacher().init(KEY, X)
    (kl,) = jax.tree.leaves(sown(Teacher(), variables))
    np.testing.assert_allclose(kl, ONE, rtol=1e-6)


@pytest.mark.parametrize("body", BODIES)
def test_init_leaves_no_kl_that_apply_would_count_again(body):
    model = Around(body)
    variables = model.init(KEY, X)
    assert "kl" not in variables
    once = float(total_kl(sown(model, {"params": variables["params"]})))
    assert float(total_kl(sown(model, variables))) == once > 0


def test_the_sum_is_over_all_layers_and_steps():
    assert float(total_kl({})) == 0.0
    assert float(total_kl({"a": (jnp.ones(()),), "b": jnp.full(3, 2.0)})) == 7.0
