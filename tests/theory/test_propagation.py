# SPDX-License-Identifier: Apache-2.0
"""Moments carried through layers against numerical integration and sampled masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from dropout_jax import transforms
from dropout_jax.theory import propagation
from dropout_jax.theory.propagation import Normal

CASES = [(-3.0, 1.0), (-0.5, 0.3), (0.0, 1.0), (0.7, 2.0), (4.0, 0.5), (1.0, 5.0)]


def integrated(function, mean, std):
    """Mean and variance of function(z), z ~ N(mean, std**2), by quadrature."""
    law = stats.norm(mean, std)
    low, high = mean - 12 * std, mean + 12 * std
    options = {"points": [0.0], "limit": 200, "epsabs": 1e-13}

    def moment(f):
        return integrate.quad(lambda z: f(z) * law.pdf(z), low, high, **options)[0]

    first = moment(function)
    return first, moment(lambda z: (function(z) - first) ** 2)


@pytest.mark.parametrize(("mean", "std"), CASES)
@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (propagation.relu, lambda z: max(z, 0.0)),
        (propagation.tanh, np.tanh),
        (propagation.sigmoid, lambda z: 1 / (1 + np.exp(-z))),
    ],
    ids=["relu", "tanh", "sigmoid"],
)
def test_activations_of_normal_inputs(layer, function, mean, std):
    found = layer(Normal(jnp.float32(mean), jnp.float32(std**2)))
    first, variance = integrated(function, mean, std)
    np.testing.assert_allclose(found.mean, first, rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_inputs_without_variance_pass_as_numbers(name):
    x, layer = jnp.array([-2.0, 0.0, 3.0]), getattr(propagation, name)
    found = layer(propagation.certain(x))
    np.testing.assert_allclose(found.mean, getattr(jax.nn, name)(x), atol=1e-5)
    np.testing.assert_allclose(found.variance, 0.0, atol=1e-5)

    def total(x):  # 0 keeps its variance 0 under dropout
        return sum(part.sum() for part in layer(propagation.dropout(x, 0.5)))

    assert jnp.isfinite(jax.grad(lambda x: total(propagation.certain(x)))(x)).all()


@pytest.mark.parametrize("gap", [0.0, 1.0, 4.0])
def test_the_larger_of_two_is_exact(gap):
    law = stats.norm(0, 1)
    other = stats.norm(gap, 2)

    def density(z):
        return law.pdf(z) * other.cdf(z) + law.cdf(z) * other.pdf(z)

    first = integrate.quad(lambda z: z * density(z), -30, 30)[0]
    variance = integrate.quad(lambda z: (z - first) ** 2 * density(z), -30, 30)[0]
    both = Normal(jnp.array([[0.0, gap]]), jnp.array([[1.0, 4.0]]))
    found = propagation.max_pool(both)
    np.testing.assert_allclose(found.mean[0], first, rtol=1e-5)
    np.testing.assert_allclose(found.variance[0], variance, rtol=1e-4)
    along_rows = propagation.max_pool(Normal(both.mean.T, both.variance.T), axis=0)
    np.testing.assert_array_equal(along_rows.mean, found.mean)


def test_max_pool_of_four_is_close():
    draws = jax.random.normal(jax.random.key(0), (400_000, 4)).max(-1)
    found = propagation.max_pool(Normal(jnp.zeros(4), jnp.ones(4)))
    assert abs(float(found.mean - draws.mean())) < 0.02
    assert abs(float(found.variance - draws.var())) < 0.03


def test_dropout_then_dense_are_the_exact_moments_of_independent_inputs():
    state = Normal(jnp.array([1.0, -2.0]), jnp.array([0.5, 0.0]))
    std = jnp.sqrt(state.variance)[None]
    x = state.mean[None] + std * jax.random.normal(jax.random.key(1), (400_000, 2))
    y = transforms.dropout(jax.random.key(2), x, 0.3)
    kernel = jnp.array([[1.0, 0.5], [-1.0, 2.0]])
    found = propagation.dense(propagation.dropout(state, 0.3), kernel, jnp.ones(2))
    np.testing.assert_allclose(found.mean, (y @ kernel).mean(0) + 1, atol=0.02)
    np.testing.assert_allclose(found.variance, (y @ kernel).var(0), rtol=0.02)


def test_a_relu_network_under_dropout():
    """Better than the network without dropout as an estimate of the mean output."""
    keys = jax.random.split(jax.random.key(3), 4)
    sizes = (20, 200, 200, 1)
    layers = [
        (jax.random.normal(k, (a, b)) * np.sqrt(2 / a), jnp.zeros(b))
        for k, a, b in zip(keys, sizes, sizes[1:], strict=False)
    ]
    x = jax.random.normal(keys[3], (20,))
    rates = (0.2, 0.5, 0.5)

    def network(key):
        h = x
        for i, ((kernel, bias), rate) in enumerate(zip(layers, rates, strict=True)):
            h = jax.nn.relu(h) if i else h
            h = transforms.dropout(jax.random.fold_in(key, i), h, rate) @ kernel + bias
        return h

    draws = jax.lax.map(network, jax.random.split(jax.random.key(4), 20_000))
    found = propagation.multilayer(x, layers, rates)
    plain = propagation.multilayer(x, layers, (0.0, 0.0, 0.0)).mean
    error = abs(float(found.mean[0] - draws.mean()))
    assert error < 0.25 * abs(float(plain[0] - draws.mean()))
    np.testing.assert_allclose(found.variance[0], draws.var(), rtol=0.25)
    with pytest.raises(ValueError, match="there are 3 layers and 2 rates"):
        propagation.multilayer(x, layers, (0.5, 0.5))
