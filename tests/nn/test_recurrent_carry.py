# SPDX-License-Identifier: Apache-2.0
"""The first and the last state of a recurrent layer, and sequences of their lengths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.nn import InnerNoise, RecurrentLayer

pytestmark = pytest.mark.long

TIME, BATCH, UNITS = 6, 3, 4
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(BATCH, TIME, 5)), jnp.float32)
LENGTHS = jnp.asarray([TIME, 2, 0])
SHARE = jnp.asarray(RNG.uniform(size=(2, TIME, BATCH, UNITS)), jnp.float32)
NOISES = {
    "none": InnerNoise(),
    "on the state": InnerNoise(state=2 * SHARE[0, 0]),
    "zoneout": InnerNoise(renewal=SHARE[0], cell_renewal=SHARE[1]),
    "tied renewal": InnerNoise(renewal=SHARE[0, 0], cell_renewal=SHARE[1, 0]),
}
every_cell = pytest.mark.parametrize("cell", ["lstm", "gru"])


@pytest.fixture
def layer_of(variables_of):
    def bound(cell):
        layer = RecurrentLayer(UNITS, cell)
        return layer.bind(variables_of(layer, X))

    return bound


def cut(noise, steps):
    """The noise of some of the steps."""
    return jax.tree.map(lambda a: a[steps] if a.ndim > 2 else a, noise)


@every_cell
@pytest.mark.parametrize("noise", list(NOISES))
def test_a_sequence_in_two_parts_is_the_sequence(cell, noise, layer_of):
    layer, noise, half = layer_of(cell), NOISES[noise], TIME // 2
    states, last = layer(X, noise, return_carry=True)
    first, carry = layer(X[:, :half], cut(noise, slice(half)), return_carry=True)
    second, end = layer(
        X[:, half:],
        cut(noise, slice(half, None)),
        initial_carry=carry,
        return_carry=True,
    )
    assert len(last) == {"lstm": 2, "gru": 1}[cell]
    np.testing.assert_array_equal(states[:, -1], last[0])
    np.testing.assert_allclose(jnp.concatenate([first, second], 1), states, atol=1e-6)
    for a, b in zip(end, last, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert (second != layer(X[:, half:], cut(noise, slice(half, None)))).any()


@every_cell
@pytest.mark.parametrize("noise", list(NOISES))
def test_what_stands_behind_a_sequence_changes_nothing(cell, noise, layer_of):
    """Padding is NaN here: neither states nor gradients know of it."""
    layer, noise = layer_of(cell), NOISES[noise]
    padded = jnp.where(
        jnp.arange(TIME)[None, :, None] < LENGTHS[:, None, None], X, jnp.nan
    )
    states, last = layer(padded, noise, seq_lengths=LENGTHS, return_carry=True)
    assert jnp.isfinite(states).all()
    for row, length in enumerate(LENGTHS.tolist()):
        one = jax.tree.map(lambda a, row=row: a[..., row : row + 1, :], noise)
        alone, end = layer(
            X[row : row + 1, :length], cut(one, slice(length)), return_carry=True
        )
        np.testing.assert_allclose(states[row, :length], alone[0], atol=1e-6)
        for a, b in zip(last, end, strict=True):
            np.testing.assert_allclose(a[row], b[0], atol=1e-6)
        after = states[row, max(length - 1, 0) :]
        np.testing.assert_array_equal(after, jnp.broadcast_to(after[:1], after.shape))

    def loss(x):
        return jnp.sum(
            layer(x, noise, seq_lengths=LENGTHS, return_carry=True)[1][0] ** 2
        )

    gradient = jax.grad(loss)(padded)
    assert jnp.isfinite(gradient).all()
    assert (gradient[1, 2:] == 0).all() and (gradient[1, :2] != 0).any()
    assert (gradient[2] == 0).all()


@every_cell
def test_gradients_through_the_states(cell, layer_of):
    """Of the first state, by the last one: against finite differences."""
    layer = layer_of(cell)
    draws = jnp.asarray(RNG.normal(size=(4, BATCH, UNITS)), jnp.float32)
    carry = tuple(draws[:2] if cell == "lstm" else draws[:1])

    def loss(carry):
        last = layer(X, initial_carry=carry, return_carry=True)[1]
        return sum(jnp.sum(jnp.sin(part)) for part in last)

    gradient, h = jax.grad(loss)(carry), 1e-2
    for i, part in enumerate(carry):
        step = h * draws[2 + i]
        ahead, behind = (
            loss((*carry[:i], moved, *carry[i + 1 :]))
            for moved in (part + step, part - step)
        )
        slope = jnp.vdot(gradient[i], draws[2 + i])
        expected = (ahead - behind) / (2 * h)
        np.testing.assert_allclose(slope, expected, rtol=2e-2, atol=1e-4)


@every_cell
def test_whole_lengths_change_nothing(cell, layer_of):
    layer = layer_of(cell)
    states = layer(X, seq_lengths=jnp.full(BATCH, TIME))
    np.testing.assert_allclose(states, layer(X), atol=1e-6)
    # More than there are count as all, as in Flax.
    np.testing.assert_array_equal(layer(X, seq_lengths=jnp.full(BATCH, 99)), states)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (
            {"initial_carry": (jnp.zeros((2, UNITS)),) * 2},
            "initial_carry has the shapes",
        ),
        (
            {"initial_carry": (jnp.zeros((BATCH, UNITS)),)},
            "initial_carry has the shapes",
        ),
        ({"seq_lengths": jnp.ones(BATCH)}, "seq_lengths .* float32; .*whole number"),
        ({"seq_lengths": jnp.ones(2, int)}, r"seq_lengths has shape \(2,\)"),
    ],
)
def test_what_does_not_fit_is_said(given, match, layer_of):
    with pytest.raises(ValueError, match=match):
        layer_of("lstm")(X, **given)
