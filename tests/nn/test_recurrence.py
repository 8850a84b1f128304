# SPDX-License-Identifier: Apache-2.0
"""The recurrence's own backward pass against differentiation of the plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dropout_jax.nn import recurrence as recurrence_module
from dropout_jax.nn import recurrent
from dropout_jax.nn.recurrent import InnerNoise, RecurrentLayer

UNITS, TIME, BATCH, FEATURES = 5, 4, 3, 6
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(BATCH, TIME, FEATURES)), jnp.float32)
WEIGHTS = jnp.asarray(RNG.normal(size=(BATCH, TIME, UNITS)), jnp.float32)
DRAWS = jnp.asarray(RNG.uniform(0, 2, (4, TIME, BATCH, UNITS)), jnp.float32)


def plain(read, update, start, x, kernels, bias, steps, shared):
    """The same recurrence, its gradient left to `lax.scan`."""

    def body(carry, inputs):
        x_t, steps_t = inputs
        product = x_t @ kernels[0] + read(carry, steps_t, shared) @ kernels[1]
        carry = update(product + bias[None], carry, steps_t, shared)
        return carry, carry[0]

    last, states = lax.scan(body, start, (x, steps))
    return states, last


def noises():
    tied, fresh = DRAWS[:, 0], DRAWS
    return {
        "none": InnerNoise(),
        "tied state": InnerNoise(state=tied[0]),
        "fresh state and tied candidate": InnerNoise(state=fresh[0], candidate=tied[1]),
        "renewals": InnerNoise(renewal=fresh[2], cell_renewal=tied[3]),
    }


def gradients(params, x, noise):
    layer = RecurrentLayer(UNITS)

    def loss(params, x, noise):
        return jnp.sum(WEIGHTS * layer.apply({"params": params}, x, noise))

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))(params, x, noise)


def check(name, variables_of, monkeypatch):
    params = variables_of(RecurrentLayer(UNITS), X)["params"]
    noise = noises()[name]
    ours = gradients(params, X, noise)
    with monkeypatch.context() as patch:
        patch.setattr(recurrent, "recurrence", plain)
        expected = gradients(params, X, noise)
    assert jax.tree.structure(ours) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        assert np.abs(np.asarray(b)).max() > 1e-3
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", list(noises()))
def test_gradients_are_those_of_the_plain_loop(name, variables_of, monkeypatch):
    """Of every parameter, of the input, and of the noise, which may be learned."""
    check(name, variables_of, monkeypatch)


def test_a_lost_gradient_is_noticed(variables_of, monkeypatch):
    """The same check with the noise's part of the backward pass left out."""

    def forgetful(read, update, start, x, kernels, bias, steps, shared):
        shared = jax.tree.map(lax.stop_gradient, shared)
        return recurrence_module.recurrence(
            read, update, start, x, kernels, bias, steps, shared
        )

    monkeypatch.setattr(recurrent, "recurrence", forgetful)
    with pytest.raises(AssertionError):
        check("tied state", variables_of, monkeypatch)


def test_second_derivatives(variables_of):
    """Reverse over reverse: what a penalty on the input's gradient needs."""
    layer = RecurrentLayer(UNITS)
    params = variables_of(layer, X)["params"]

    def roughness(x):
        inner = jax.grad(
            lambda x: jnp.sum(WEIGHTS * layer.apply({"params": params}, x))
        )
        return jnp.sum(inner(x) ** 2)

    direction, h = jnp.asarray(RNG.normal(size=X.shape), jnp.float32), 1e-2
    slope = jnp.vdot(jax.jit(jax.grad(roughness))(X), direction)
    ahead, behind = (jax.jit(roughness)(X + s * h * direction) for s in (1, -1))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * h), rtol=2e-2)
