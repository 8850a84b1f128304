# SPDX-License-Identifier: Apache-2.0
"""LSTM and GRU against Flax's cells, with and without noise on the state."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.nn.rnn import RNN, RecurrentLayer

UNITS, TIME, BATCH, FEATURES = 5, 4, 3, 6
X = jnp.asarray(np.random.default_rng(0).normal(size=(BATCH, TIME, FEATURES)), "f4")
NOISE = jnp.asarray(np.random.default_rng(1).uniform(0, 2, (BATCH, UNITS)), "f4")


def flax_lstm(params):
    kernels = np.split(params["projection"]["kernel"], 4, axis=1)
    biases = np.split(params["projection"]["bias"], 4)
    recurrent = np.split(params["recurrent_kernel"], 4, axis=1)
    cell = {}
    for gate, kernel, bias, own in zip("ifgo", kernels, biases, recurrent, strict=True):
        cell[f"i{gate}"] = {"kernel": kernel}
        cell[f"h{gate}"] = {"kernel": own, "bias": bias}
    return nn.OptimizedLSTMCell(UNITS), {"params": cell}


def flax_gru(params):
    kernels = np.split(params["projection"]["kernel"], 3, axis=1)
    biases = np.split(params["projection"]["bias"], 3)
    recurrent = np.split(params["recurrent_kernel"], 3, axis=1)
    cell = {}
    for gate, kernel, bias, own in zip("rzn", kernels, biases, recurrent, strict=True):
        cell[f"i{gate}"] = {"kernel": kernel, "bias": bias}
        cell[f"h{gate}"] = {"kernel": own}
    cell["hn"]["bias"] = params["candidate_bias"]
    return nn.GRUCell(UNITS), {"params": cell}


@pytest.mark.parametrize("noise", [None, NOISE], ids=["plain", "noise"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_layer_agrees_with_flax(name, noise, variables_of):
    layer = RecurrentLayer(UNITS, name)
    params = variables_of(layer, X, None)["params"]  # biases are not zero
    cell, variables = {"lstm": flax_lstm, "gru": flax_gru}[name](params)
    factors = 1.0 if noise is None else noise

    @jax.jit
    def by_hand(x):
        zeros = jnp.zeros((BATCH, UNITS))
        carry, states = ((zeros, zeros) if name == "lstm" else zeros), []
        for t in range(TIME):
            # The same factors at every step, on the state that is fed back alone:
            # neither on the LSTM's cell nor on what goes to the next layer.
            if name == "lstm":
                carry = (carry[0], carry[1] * factors)
            else:
                carry = carry * factors
            carry, state = cell.apply(variables, carry, x[:, t])
            states.append(state)
        return jnp.stack(states, axis=1)

    ours = jax.jit(layer.apply)({"params": params}, X, noise)
    np.testing.assert_allclose(ours, by_hand(X), atol=2e-6)
    other = jax.jit(layer.apply)({"params": params}, X, 0.5 * NOISE)
    assert np.abs(np.asarray(other - ours)).max() > 1e-3


@pytest.mark.parametrize("name, gates", [("lstm", 4), ("gru", 3)])
def test_initialisation(name, gates):
    params = RecurrentLayer(UNITS, name).init(jax.random.key(2), X, None)["params"]
    blocks = np.split(params["recurrent_kernel"], gates, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(UNITS), atol=1e-5)
    assert np.abs(blocks[0] - blocks[1]).max() > 0.01  # each gate has its own
    bias = np.zeros(gates * UNITS, np.float32)
    if name == "lstm":
        bias[UNITS : 2 * UNITS] = 1.0  # remember at first
    np.testing.assert_array_equal(params["projection"]["bias"], bias)
    assert ("candidate_bias" in params) == (name == "gru")


def test_the_last_row_of_the_image_decides_last(variables_of):
    model = RNN(widths=(4,))
    images = X[:2]
    variables = variables_of(model, images, (0.0, 0.0), train=False)

    def logits(images):
        return model.apply(variables, images, (0.0, 0.0), train=False)

    state = RecurrentLayer(4).apply(
        {"params": variables["params"]["layer_0"]}, images, None
    )[:, -1]
    head = variables["params"]["logits"]
    expected = state @ head["kernel"] + head["bias"].reshape(1, -1)
    np.testing.assert_allclose(logits(images), expected, atol=1e-6)
    backwards = logits(images[:, ::-1])
    assert np.abs(np.asarray(backwards - expected)).max() > 1e-3
