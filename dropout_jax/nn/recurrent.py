# SPDX-License-Identifier: Apache-2.0
"""One recurrent layer (LSTM or GRU) over a sequence, and the noise inside its loop."""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax

from dropout_jax.arguments import flag
from dropout_jax.config.noise_fields import WEIGHT_KINDS
from dropout_jax.nn.checks import check_choice, check_sizes
from dropout_jax.nn.noise import NoiseConfig
from dropout_jax.nn.noisy_weights import NoisyKernel
from dropout_jax.nn.orthogonal import orthogonal
from dropout_jax.nn.products import product
from dropout_jax.nn.recurrence import Carry, recurrence

GATES = {"lstm": 4, "gru": 3}


class InnerNoise(NamedTuple):
    """Factors that act inside the time loop, drawn before it.

    Each is None, or has shape [batch, units] (the same at every step) or [time,
    batch, units] (fresh at every step).

    Attributes:
      state: multiplies the hidden state where the recurrent kernel reads it, never
        what a GRU remembers of it (Gal and Ghahramani 2016 where it is the same at
        every step).
      candidate: multiplies what a step adds to its memory, so that the memory itself
        is never dropped (Semeniuta, Severyn, Barth 2016, section 3).
      renewal: share of the hidden state that is new; the rest is the previous one
        (zoneout, Krueger et al. 2017, section 3).
      cell_renewal: the same for the LSTM's cell.
    """

    state: jax.Array | None = None
    candidate: jax.Array | None = None
    renewal: jax.Array | None = None
    cell_renewal: jax.Array | None = None


QUIET = InnerNoise()


def _orthogonal_gates(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Returns one orthogonal [units, units] block per gate, side by side."""
    units, columns = shape
    keys = jax.random.split(key, columns // units)
    return jnp.concatenate([orthogonal(k, units) for k in keys], axis=1)


def _times(value: jax.Array, factor: jax.Array | None) -> jax.Array:
    return value if factor is None else value * factor


def _renewed(new: jax.Array, old: jax.Array, share: jax.Array | None) -> jax.Array:
    # Of finite states exact at both ends: share 1 is `new`, share 0 is `old`. A state
    # that is not finite is in every unit after one more product anyway.
    return new if share is None else share * new + (1.0 - share) * old


def _read(carry, fresh, tied: InnerNoise) -> jax.Array:
    """Returns the LSTM's hidden state as the recurrent kernel reads it."""
    return _times(carry[0], tied._replace(**fresh).state)


def _lstm_update(product, carry, fresh, tied: InnerNoise):
    hidden, cell = carry
    noise = tied._replace(**fresh)
    # All gates in one pass: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2.
    pre = product.reshape(-1, 4, hidden.shape[1])
    is_candidate = jnp.arange(4).reshape(1, 4, 1) == 2
    slope, offset = jnp.where(is_candidate, 1.0, 0.5), jnp.where(is_candidate, 0.0, 0.5)
    gates = slope * jnp.tanh(slope * pre) + offset
    i, f, g, o = (gates[:, k] for k in range(4))
    new_cell = f * cell + i * _times(g, noise.candidate)
    new_hidden = o * jnp.tanh(new_cell)
    return (
        _renewed(new_hidden, hidden, noise.renewal),
        _renewed(new_cell, cell, noise.cell_renewal),
    )


def _in_memory(gates: jax.Array) -> jax.Array:
    """Returns the gates, which are not negative, in an array of their own.

    XLA's CPU compiler makes one loop of gates and candidate, in which it computes them
    element by element; through a conditional it fuses nothing.
    """
    if jax.default_backend() != "cpu":
        return gates
    return lax.cond(gates[0, 0] >= 0, lambda: gates, lambda: jnp.abs(gates))


def _gru_step(previous, projected, recurrent, bias, noise: InnerNoise):
    # In the products alone: a factor 1 / keep_prob on what a unit remembers would
    # make it grow with every step.
    hidden = _times(previous, noise.state)
    units = previous.shape[1]
    x_gates, x_n = jnp.split(projected, (2 * units,), axis=-1)
    h_gates, h_n = jnp.split(product(hidden, recurrent), (2 * units,), axis=-1)
    gates = _in_memory(nn.sigmoid(x_gates + h_gates))
    reset, update = jnp.split(gates, 2, axis=-1)
    candidate = _times(jnp.tanh(x_n + reset * (h_n + bias)), noise.candidate)
    new = (1.0 - update) * candidate + update * previous
    return _renewed(new, previous, noise.renewal)


def _goes_on(lengths: jax.Array, x: jax.Array) -> jax.Array:
    """Returns [time, batch, 1]: which steps of `x` [time, batch, n] there are."""
    lengths, batch = jnp.asarray(lengths), x.shape[1]
    if lengths.shape != (batch,) or not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise ValueError(
            f"seq_lengths has shape {lengths.shape} and dtype {lengths.dtype}; it must "
            f"be one whole number for each of the {batch} sequences"
        )
    steps = jnp.arange(x.shape[0], dtype=lengths.dtype)
    return (steps[:, None] < lengths[None])[..., None]


def _held(noise: InnerNoise, goes_on: jax.Array) -> InnerNoise:
    """Returns the noise under which what does not go on keeps its state."""

    def share(renewal: jax.Array | None) -> jax.Array:
        if renewal is None:
            return goes_on
        return jnp.where(goes_on, renewal if renewal.ndim > 2 else renewal[None], 0.0)

    return noise._replace(
        renewal=share(noise.renewal), cell_renewal=share(noise.cell_renewal)
    )


class _Affine(nn.Module):
    """Holds kernel and bias of a projection, for whoever multiplies by them."""

    columns: int
    bias_init: Any

    @nn.compact
    def __call__(self, features: int) -> tuple[jax.Array, jax.Array]:
        """Returns kernel [features, columns] and bias [columns]."""
        shape = (features, self.columns)
        kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), shape, jnp.float32
        )
        return kernel, self.param("bias", self.bias_init, shape[1:])


class RecurrentLayer(nn.Module):
    """One LSTM or GRU layer over a whole sequence.

    Noise inside the time loop arrives as arrays, drawn outside of it.

    References: Hochreiter and Schmidhuber 1997; Cho et al. 2014, with the reset gate
    after the recurrent product. The forget gate's bias starts at 1 (Jozefowicz 2015).

    Attributes:
      units: size of the hidden state.
      cell: `"lstm"` or `"gru"`.
      weight_noise: noise on the kernels, one draw for the batch and all steps: weight
        drop on the recurrent one, learned noise on both.

    Example:
      >>> layer, x = RecurrentLayer(4, "gru"), jnp.ones((2, 3, 5))
      >>> variables = layer.init(jax.random.key(0), x)
      >>> states, (last,) = layer.apply(variables, x, return_carry=True)
      >>> states.shape, bool((states[:, -1] == last).all())
      ((2, 3, 4), True)
    """

    units: int
    cell: str = "lstm"
    weight_noise: NoiseConfig = NoiseConfig()

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        noise: InnerNoise = QUIET,
        weight_rate: Any = None,
        deterministic: bool = True,
        *,
        initial_carry: Carry | None = None,
        seq_lengths: jax.Array | None = None,
        return_carry: bool = False,
    ) -> Any:
        """Returns the hidden states [batch, time, units].

        Args:
          x: input sequences, [batch, time, n].
          noise: what acts inside the time loop.
          weight_rate: rate of `weight_noise`.
          deterministic: whether `weight_noise` is off.
          initial_carry: state before the first step, a tuple: the hidden state [batch,
            units] and, of an LSTM, the cell behind it; zeros by default.
          seq_lengths: number of steps of each sequence, whole numbers [batch]. What
            stands behind them in `x`, NaN too, changes nothing: the state stays what
            it is. By default every sequence has all steps.
          return_carry: whether to return (hidden states, last state), the latter a
            tuple as `initial_carry`.

        Raises:
          ValueError: `initial_carry` or `seq_lengths` is of another shape or kind.
        """
        deterministic = flag("deterministic", deterministic)
        check_choice("cell", self.cell, GATES)
        check_sizes(units=self.units)
        columns = GATES[self.cell] * self.units
        recurrent = self.param(
            "recurrent_kernel", _orthogonal_gates, (self.units, columns)
        )
        x = x.swapaxes(0, 1)  # time first
        kernel, bias = _Affine(columns, self._bias, name="projection")(x.shape[2])
        if self.weight_noise.kind in WEIGHT_KINDS:
            recurrent = self._noisy("recurrent", recurrent, deterministic)
            kernel = self._noisy("projection", kernel, deterministic)
        elif self.weight_noise.kind != "none":
            recurrent = self.weight_noise.layer("weights")(
                recurrent, weight_rate, deterministic=deterministic
            )
        given = self._checked(x, initial_carry)
        promoted: list[Any] = promote_dtype(x, kernel, recurrent, bias, *given)
        x, kernel, recurrent, bias = promoted[:4]
        start: Any = tuple(promoted[4:]) or self._zeros(x)
        if seq_lengths is not None:
            goes_on = _goes_on(seq_lengths, x)
            x = jnp.where(goes_on, x, jnp.zeros((), x.dtype))
            noise = _held(noise, goes_on)
        noise = jax.tree.map(lambda factor: factor.astype(x.dtype), noise)
        fresh = {
            k: v for k, v in noise._asdict().items() if v is not None and v.ndim > 2
        }
        tied = noise._replace(**dict.fromkeys(fresh))
        if self.cell == "lstm":
            kernels = (kernel, recurrent)
            found: Any = recurrence(
                _read, _lstm_update, start, x, kernels, bias, fresh, tied
            )
            states, last = found
        else:
            zeros, shape = nn.initializers.zeros_init(), (self.units,)
            candidate_bias = self.param("candidate_bias", zeros, shape, jnp.float32)
            candidate_bias = candidate_bias.astype(x.dtype).reshape(1, -1)
            # The reset gate comes between the two products: x has its own.
            projected = product(x, kernel) + bias.reshape(1, 1, -1)

            def body(hidden, inputs):
                projected_t, fresh_t = inputs
                noise_t = tied._replace(**fresh_t)
                hidden = _gru_step(
                    hidden, projected_t, recurrent, candidate_bias, noise_t
                )
                return hidden, hidden

            hidden, states = lax.scan(body, start[0], (projected, fresh))
            last = (hidden,)
        states = states.swapaxes(0, 1)
        return (states, last) if return_carry else states

    def _zeros(self, x: jax.Array) -> Carry:
        """Returns the state that `x` [time, batch, n] begins with by default."""
        zeros = jnp.zeros((x.shape[1], self.units), x.dtype)
        return (zeros, zeros) if self.cell == "lstm" else (zeros,)

    def _checked(self, x: jax.Array, carry: Carry | None) -> Carry:
        if carry is None:
            return ()
        shapes = tuple(jnp.shape(part) for part in carry)
        wanted = tuple(part.shape for part in self._zeros(x))
        if shapes != wanted:
            raise ValueError(
                f"initial_carry has the shapes {shapes}; that of {self.cell!r} with "
                f"{self.units} units and {x.shape[1]} sequences has {wanted}"
            )
        return tuple(carry)

    def _noisy(self, name: str, kernel: jax.Array, deterministic: bool) -> jax.Array:
        layer = NoisyKernel(noise=self.weight_noise, name=f"noise_{name}")
        return layer(kernel, deterministic=deterministic)

    def _bias(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        del key
        bias = jnp.zeros(shape, jnp.float32)
        if self.cell == "lstm":
            bias = bias.at[self.units : 2 * self.units].set(1.0)
        return bias
