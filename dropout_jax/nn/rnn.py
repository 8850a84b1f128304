# SPDX-License-Identifier: Apache-2.0
"""Recurrent network (LSTM or GRU) that reads an image row by row."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from dropout_jax.nn.noise import NoiseConfig

GATES = {"lstm": 4, "gru": 3}


def _orthogonal_gates(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Returns one orthogonal [units, units] block per gate, side by side.

    A Python loop, not `vmap`: batched LAPACK calls can deadlock on CPU in jax 0.10.
    """
    units, columns = shape
    make = nn.initializers.orthogonal()
    keys = jax.random.split(key, columns // units)
    return jnp.concatenate([make(k, (units, units)) for k in keys], axis=1)


def _lstm_step(carry, projected, recurrent, bias):
    del bias  # the LSTM's only bias is already in `projected`
    hidden, cell = carry
    gates = projected + hidden @ recurrent
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
    return nn.sigmoid(o) * jnp.tanh(cell), cell


def _gru_step(carry, projected, recurrent, bias):
    hidden, unused = carry
    x_r, x_z, x_n = jnp.split(projected, 3, axis=-1)
    h_r, h_z, h_n = jnp.split(hidden @ recurrent, 3, axis=-1)
    reset, update = nn.sigmoid(x_r + h_r), nn.sigmoid(x_z + h_z)
    candidate = jnp.tanh(x_n + reset * (h_n + bias))
    return (1.0 - update) * candidate + update * hidden, unused


class RecurrentLayer(nn.Module):
    """One LSTM or GRU layer over a whole sequence.

    The input projection of all steps is one matrix product before the time loop;
    noise on the recurrent state arrives as an array, drawn outside the loop.

    References: Hochreiter and Schmidhuber 1997; Cho et al. 2014, with the reset gate
    after the recurrent product. The forget gate's bias starts at 1 (Jozefowicz 2015).

    Attributes:
      units: size of the hidden state.
      cell: `"lstm"` or `"gru"`.
    """

    units: int
    cell: str = "lstm"

    @nn.compact
    def __call__(self, x: jax.Array, recurrent_noise: jax.Array | None) -> jax.Array:
        """Returns the hidden states [batch, time, units] for `x` [batch, time, n].

        Args:
          x: input sequence.
          recurrent_noise: factors [batch, units] that multiply the hidden state each
            time it is fed back, the same at every step; None for no noise.
        """
        columns = GATES[self.cell] * self.units
        step = {"lstm": _lstm_step, "gru": _gru_step}[self.cell]
        recurrent = self.param(
            "recurrent_kernel", _orthogonal_gates, (self.units, columns)
        )
        candidate_bias = None
        if self.cell == "gru":
            candidate_bias = self.param(
                "candidate_bias", nn.initializers.zeros_init(), (self.units,)
            ).reshape(1, -1)
        # Time first before the projection, not after it: fewer numbers to move.
        projected = nn.Dense(columns, bias_init=self._bias, name="projection")(
            x.swapaxes(0, 1)
        )

        def body(carry, projected_t):
            hidden, cell = carry
            fed_back = hidden if recurrent_noise is None else hidden * recurrent_noise
            carry = step((fed_back, cell), projected_t, recurrent, candidate_bias)
            return carry, carry[0]

        zeros = jnp.zeros((x.shape[0], self.units), x.dtype)
        _, states = lax.scan(body, (zeros, zeros), projected)
        return states.swapaxes(0, 1)

    def _bias(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        del key
        bias = jnp.zeros(shape, dtype)
        if self.cell == "lstm":
            bias = bias.at[self.units : 2 * self.units].set(1.0)
        return bias


class RNN(nn.Module):
    """Stacked recurrent layers over the rows of an image; the last state classifies.

    With `noise.sharing == "element"` noise acts on non-recurrent connections alone
    and is fresh at every step (Zaremba et al. 2014). With `"tied"` one draw holds
    for the whole sequence, on inputs, outputs and the recurrent state (Gal and
    Ghahramani 2016).

    Attributes:
      widths: units of each recurrent layer.
      cell: `"lstm"` or `"gru"`.
      classes: number of outputs.
      noise: which noise, and where.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model = RNN(widths=(8,), cell="gru", noise=NoiseConfig("dropout"))
      >>> x = jnp.zeros((2, 28, 28))
      >>> variables = model.init(jax.random.key(0), x, (0.0, 0.5), train=False)
      >>> model.apply(variables, x, (0.0, 0.5), train=False).shape
      (2, 10)
    """

    widths: tuple[int, ...]
    cell: str = "lstm"
    classes: int = 10
    noise: NoiseConfig = NoiseConfig()

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the noise sites, in the order of `rates`."""
        return ("input", *(f"layer_{i}" for i in range(len(self.widths))))

    @nn.compact
    def __call__(self, images: jax.Array, rates: Any, *, train: bool) -> jax.Array:
        """Returns logits [batch, classes]; arguments as in `MLP`."""
        tied = self.noise.sharing == "tied"
        shared_axes = (1,) if tied else ()
        x = images
        if self.noise.on_input:
            layer = self.noise.layer("input", shared_axes)
            x = layer(x, rates[0], deterministic=not train)
        for i, units in enumerate(self.widths):
            rate = rates[i + 1]
            recurrent_noise = None
            if tied and self.noise.kind != "none":
                recurrent_noise = self.noise.layer(f"recurrent_{i}")(
                    jnp.ones((x.shape[0], units), x.dtype),
                    rate,
                    deterministic=not train,
                )
            x = RecurrentLayer(units, self.cell, name=f"layer_{i}")(x, recurrent_noise)
            if i + 1 == len(self.widths):
                # Only the last state goes on; noise on the others would be wasted.
                x = self.noise.layer(f"layer_{i}")(
                    x[:, -1], rate, deterministic=not train
                )
            else:
                x = self.noise.layer(f"layer_{i}", shared_axes)(
                    x, rate, deterministic=not train
                )
        return nn.Dense(self.classes, name="logits")(x)
