# SPDX-License-Identifier: Apache-2.0
"""LSTM and GRU against Flax's cells, with and without noise on the state."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.nn import NoiseConfig, recurrent
from dropout_jax.nn.recurrent import InnerNoise, RecurrentLayer
from dropout_jax.nn.rnn import RNN

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


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_layer_agrees_with_flax(name, variables_of):
    layer = RecurrentLayer(UNITS, name)
    params = variables_of(layer, X)["params"]  # biases are not zero
    cell, variables = {"lstm": flax_lstm, "gru": flax_gru}[name](params)
    zeros = jnp.zeros((BATCH, UNITS))
    carry, states = ((zeros, zeros) if name == "lstm" else zeros), []
    for t in range(TIME):
        carry, state = cell.apply(variables, carry, X[:, t])
        states.append(state)
    ours = layer.apply({"params": params}, X)
    np.testing.assert_allclose(ours, jnp.stack(states, axis=1), atol=2e-6)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_noise_on_the_state_acts_in_the_products_alone(name, variables_of):
    """Not on what a unit remembers, nor on what goes to the next layer."""
    layer = RecurrentLayer(UNITS, name)
    params = variables_of(layer, X)["params"]
    apply = jax.jit(lambda n: layer.apply({"params": params}, X, n))
    ours = apply(InnerNoise(state=NOISE))
    quiet = (1.0, 1.0, 1.0)
    by_hand = steps_by_hand(params, name, lambda t: quiet, on_state=NOISE)
    np.testing.assert_allclose(ours, by_hand, atol=2e-6)
    fresh = apply(InnerNoise(state=jnp.stack([NOISE] * TIME)))
    np.testing.assert_allclose(ours, fresh, atol=1e-6)
    other = apply(InnerNoise(state=0.5 * NOISE))
    assert np.abs(np.asarray(other - ours)).max() > 1e-3


@pytest.mark.parametrize("name, gates", [("lstm", 4), ("gru", 3)])
def test_initialisation(name, gates):
    params = RecurrentLayer(UNITS, name).init(jax.random.key(2), X)["params"]
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

    state = RecurrentLayer(4).apply({"params": variables["params"]["layer_0"]}, images)[
        :, -1
    ]
    head = variables["params"]["logits"]
    expected = state @ head["kernel"] + head["bias"].reshape(1, -1)
    np.testing.assert_allclose(logits(images), expected, atol=1e-6)
    backwards = logits(images[:, ::-1])
    assert np.abs(np.asarray(backwards - expected)).max() > 1e-3


def steps_by_hand(params, name, factors, on_state=1.0):
    """The layer written out: `factors` gives each step its candidate and renewals."""
    kernel, recurrent = params["projection"]["kernel"], params["recurrent_kernel"]
    bias = params["projection"]["bias"][None]
    hidden = cell = jnp.zeros((BATCH, UNITS))
    states = []
    for t in range(TIME):
        candidate, renewal, cell_renewal = factors(t)
        x = X[:, t] @ kernel + bias
        if name == "lstm":
            i, f, g, o = jnp.split(x + (on_state * hidden) @ recurrent, 4, axis=1)
            new = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g) * candidate
            state = nn.sigmoid(o) * jnp.tanh(new)
            cell = cell_renewal * new + (1 - cell_renewal) * cell
        else:
            x_r, x_z, x_n = jnp.split(x, 3, axis=1)
            h_r, h_z, h_n = jnp.split((on_state * hidden) @ recurrent, 3, axis=1)
            h_n = h_n + params["candidate_bias"][None]
            n = jnp.tanh(x_n + nn.sigmoid(x_r + h_r) * h_n) * candidate
            z = nn.sigmoid(x_z + h_z)
            state = (1 - z) * n + z * hidden
        hidden = renewal * state + (1 - renewal) * hidden
        states.append(hidden)
    return jnp.stack(states, axis=1)


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("tied", [False, True], ids=["every step", "tied"])
def test_candidate_noise_and_zoneout_by_hand(name, tied, variables_of):
    layer = RecurrentLayer(UNITS, name)
    params = variables_of(layer, X)["params"]
    draws = np.random.default_rng(2).uniform(0, 1, (3, TIME, BATCH, UNITS))
    draws = jnp.asarray(draws, jnp.float32)
    ones = jnp.ones((BATCH, UNITS))

    def at(kind):
        return draws[kind, 0] if tied else draws[kind]

    def step(kind, t):
        return draws[kind, 0 if tied else t]

    dropped = layer.apply({"params": params}, X, InnerNoise(candidate=at(0)))
    expected = steps_by_hand(params, name, lambda t: (step(0, t), ones, ones))
    np.testing.assert_allclose(dropped, expected, atol=2e-6)
    renewals = InnerNoise(renewal=at(1), cell_renewal=at(2))
    kept = layer.apply({"params": params}, X, renewals)
    expected = steps_by_hand(params, name, lambda t: (1.0, step(1, t), step(2, t)))
    np.testing.assert_allclose(kept, expected, atol=2e-6)
    assert np.abs(np.asarray(kept - dropped)).max() > 1e-3


MODES = [
    ("dropout", "element", "none"),
    ("dropout", "element", "state"),
    ("dropout", "element", "candidate"),
    ("dropout", "tied", "state"),
    ("dropout", "tied", "candidate"),
    ("gaussian_dropout", "tied", "auto"),
    ("zoneout", "element", "auto"),
]


@pytest.mark.parametrize(("kind", "sharing", "where"), MODES)
def test_modes_draw_the_noise_they_name(kind, sharing, where):
    model = RNN(widths=(64,), noise=NoiseConfig(kind, sharing=sharing), recurrent=where)

    class Probe(RNN):
        @nn.compact
        def __call__(self, images, rates, *, train):
            return self._inner_noise(0, images, 64, rates[1], not train)

    probe = Probe(model.widths, noise=model.noise, recurrent=where)
    noise, _ = probe.init_with_output(
        {"params": jax.random.key(0)}, X, (0.0, 0.3), train=False
    )
    drawn = probe.apply(
        {}, X, (0.0, 0.3), train=True, rngs={"dropout": jax.random.key(1)}
    )
    found = {name for name, value in drawn._asdict().items() if value is not None}
    expected = {"state" if where == "auto" else where} - {"none"}
    if kind == "zoneout":
        expected = {"renewal", "cell_renewal"}
    assert found == expected
    shape = (BATCH, 64) if sharing == "tied" else (TIME, BATCH, 64)
    two = {"zoneout": {0.0, 1.0}, "dropout": {0.0, np.float32(1 / 0.7)}}.get(kind)
    for name in found:
        value = getattr(drawn, name)
        assert value.shape == shape and (not two or set(np.unique(value)) == two)
        if sharing == "element":
            assert (value[0] != value[1]).any()
        still = 0.7 if kind == "zoneout" else 1.0
        np.testing.assert_allclose(getattr(noise, name), still, rtol=1e-6)
    if kind == "zoneout":
        assert (drawn.renewal != drawn.cell_renewal).any()
        assert abs(float(drawn.renewal.mean()) - 0.7) < 0.2


def test_weight_drop_uses_one_kernel_for_the_sequence(variables_of):
    model = RNN(widths=(UNITS,), noise=NoiseConfig("weight_drop"))
    variables = variables_of(model, X, (0.0, 0.5), train=False)
    seen = {}

    def record(next_function, args, kwargs, context):
        y = next_function(*args, **kwargs)
        if context.module.name == "noise_weights":
            seen["before"], seen["after"] = args[0], y
        return y

    with nn.intercept_methods(record):
        noisy = model.apply(
            variables, X, (0.0, 0.5), train=True, rngs={"dropout": jax.random.key(0)}
        )
    dropped = np.asarray(seen["after"] == 0)
    assert 0.2 < dropped.mean() < 0.8
    np.testing.assert_allclose(
        seen["after"], jnp.where(dropped, 0.0, 2 * seen["before"]), rtol=1e-6
    )
    params = dict(variables["params"])
    params["layer_0"] = {**params["layer_0"], "recurrent_kernel": seen["after"]}
    same = model.apply({"params": params}, X, (0.0, 0.5), train=False)
    np.testing.assert_allclose(noisy, same, atol=1e-6)


@pytest.mark.parametrize("first", [0.0, 0.5, np.nan])
def test_gates_in_an_array_of_their_own_are_the_gates(first):
    """Whatever the first one is: NaN in one sequence leaves the others alone."""
    gates = jnp.asarray([[first, 0.25], [1.0, np.nan]], jnp.float32)
    found = jax.jit(recurrent._in_memory)(gates)
    np.testing.assert_array_equal(found, gates)
