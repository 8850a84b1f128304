# SPDX-License-Identifier: Apache-2.0
"""Concrete dropout: a relaxed Bernoulli mask whose rate is learned by gradient."""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.arguments import flag
from dropout_jax.transforms import bits, contract
from dropout_jax.transforms.gaussian import scale
from dropout_jax.transforms.moments import Index, Moments, entry, multiplicative

_COLDEST = 0.01
# Rates within 1e-13 of 0 and 1: beyond them E[m] leaves the range of float32.
LARGEST_LOGIT = 30.0


def concrete_dropout(
    key: jax.Array | None,
    x: ArrayLike,
    logit_rate: ArrayLike,
    *,
    temperature: float = 0.1,
    hard: bool = False,
    unbiased: bool = True,
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Multiplies each element of `x` by a soft mask of learned rate.

    y = x * m / g,  m = sigmoid(-(logit_rate + l) / temperature),  l ~ Logistic(0, 1)

    The gradient flows to `logit_rate`, through m and through g. unbiased=True takes
    g = E[m], so that the mean is x; False takes g = 1 - rate as in the paper, whose
    mean is not quite x (45 % too large at rate .9 and temperature 2/3). hard=True
    rounds m to 0 or 1, a Bernoulli mask that selects, and keeps the gradient of the
    soft one (straight-through).

    Args:
      key: typed key, shape (); uniforms of `jax.random.uniform(key, shape)`.
        Under `vmap` over a batch, or inside `shard_map`, one key gives every row
        or shard the same mask: fold the index in where that is not meant.
      x: any shape, floating or complex. Integers raise TypeError.
      logit_rate: log(rate / (1 - rate)): scalar, or broadcastable to `x` (one rate
        per unit). Held within [-30, 30], beyond which it gets no gradient.
      temperature: sharpness of the mask, in [0.01, 10]; 0.1 for units and 2/3 for
        feature maps in the paper's code.
      hard: round the mask.
      unbiased: divide by the mean of the mask instead of 1 - rate.
      shared_axes: axes of `x` that share one draw; (1, 2) for [batch, height, width,
        channels] is spatial concrete dropout.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`. `deterministic=True` returns `x` itself
      where the mean is x, and E[m] / (1 - rate) * x otherwise.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, a flag that is no bool, or
        no typed key.
      ValueError: for a temperature out of range, a concrete value that is not
        finite, or shapes or axes that do not fit.

    Example:
      >>> rate = lambda l: concrete_dropout(jax.random.key(0), jnp.ones(4), l).sum()
      >>> bool(jnp.isfinite(jax.grad(rate)(-2.0)))
      True

    References:
      Gal, Hron, Kendall 2017, Concrete dropout, NeurIPS, section 3; Maddison, Mnih,
      Teh 2017, The concrete distribution, ICLR.
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    logit, temperature = _check(x, logit_rate, temperature)
    hard, unbiased = flag("hard", hard), flag("unbiased", unbiased)
    exact = unbiased or hard
    if not deterministic:
        x = jnp.asarray(x)
        return _multiply(key, x, logit, temperature, hard, unbiased, axes)
    if exact:
        return x  # pyright: ignore[reportReturnType]
    mean = _mean(logit, temperature, hard)
    return scale(jnp.asarray(x), mean * _gain(logit, temperature, hard, unbiased))


def concrete_dropout_moments(
    x: ArrayLike,
    logit_rate: ArrayLike,
    *,
    temperature: float = 0.1,
    hard: bool = False,
    unbiased: bool = True,
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `concrete_dropout` given `x`, by quadrature.

    Args:
      x: real input.
      logit_rate: as for `concrete_dropout`.
      temperature: as for `concrete_dropout`.
      hard: as for `concrete_dropout`; the moments are those of `dropout`.
      unbiased: as for `concrete_dropout`.
      shared_axes: as for `concrete_dropout`.

    Returns:
      The moments of the output.

    Example:
      >>> logit = math.log(9.0)  # rate 0.9
      >>> m = concrete_dropout_moments(
      ...     jnp.float32(1.0), logit, temperature=2 / 3, unbiased=False
      ... )
      >>> round(float(m.mean), 3)
      1.453
    """
    logit, temperature = _check(x, logit_rate, temperature)
    hard, unbiased = flag("hard", hard), flag("unbiased", unbiased)
    gain = _gain(logit, temperature, hard, unbiased)
    weights = _grid(temperature)[1]

    def deviation(logit):
        return _nodes(logit, temperature) - _mean(logit, temperature, hard)[..., None]

    def central(order):
        if hard:  # a two-point law, which the grid would not resolve
            rate = jax.nn.sigmoid(logit)
            keep = jax.nn.sigmoid(-logit)
            return rate * keep * (1.0 if order == 2 else 1.0 - 3.0 * rate * keep)
        return jnp.sum(deviation(logit) ** order * _along(weights, logit), -1)

    def cross(a: Index, b: Index) -> jax.Array:
        first, second = entry(logit, x, a), entry(logit, x, b)
        if hard:
            keep = jax.nn.sigmoid(-jnp.stack([first, second]))
            joint = jnp.min(keep) - jnp.prod(keep)
        else:
            joint = jnp.sum(deviation(first) * deviation(second) * weights, -1)
        return entry(gain, x, a) * entry(gain, x, b) * joint

    return multiplicative(
        x,
        mean=gain * _mean(logit, temperature, hard),
        variance=gain**2 * central(2),
        fourth=gain**4 * central(4),
        shared_axes=shared_axes,
        cross=cross,
    )


def _check(x, logit_rate, temperature):
    text = f"in [{_COLDEST}, 10]"
    temperature = contract.number("temperature", temperature, _COLDEST, 10.0, text)
    logit = contract.parameter("logit_rate", logit_rate, x)
    return jnp.clip(logit, -LARGEST_LOGIT, LARGEST_LOGIT), temperature


def _mask(logit, temperature, hard):
    """The mask, given logit + noise; straight-through where `hard`."""
    soft = jax.nn.sigmoid(-logit / temperature)
    if not hard:
        return soft
    return soft + jax.lax.stop_gradient((logit < 0.0).astype(soft.dtype) - soft)


def _grid(temperature):
    # The trapezoidal rule converges exponentially: the nearest pole of the mask lies
    # at distance pi * temperature, so a step of temperature leaves exp(-2 pi**2).
    step = min(temperature, 0.5)
    first, last = -math.ceil(40 / step), math.ceil(20 / step)
    nodes = step * jnp.arange(first, last + 1.0, dtype=jnp.float32)
    return nodes, step * jax.nn.sigmoid(nodes) * jax.nn.sigmoid(-nodes)


def _mean(logit, temperature, hard):
    """E[m] = P(l + temperature * l' < -logit), l and l' logistic.

    Given the narrower of the two, the other's distribution is as smooth as the
    density is: steps of 1 leave a relative 8 pi**2 exp(-2 pi**2), where averaging m
    itself takes steps of `temperature`. It stands in the training step.
    """
    if hard:
        return jax.nn.sigmoid(-logit)
    narrow, wide = min(temperature, 1.0), max(temperature, 1.0)
    nodes = _along(jnp.arange(-50.0, 21.0, dtype=jnp.float32), logit)
    weights = jax.nn.sigmoid(nodes) * jax.nn.sigmoid(-nodes)
    below = jax.nn.sigmoid(-(logit[..., None] + narrow * nodes) / wide)
    return jnp.sum(below * weights, -1)


def _nodes(logit, temperature):
    """The soft mask at the nodes of the grid, along a new last axis."""
    nodes = _along(_grid(temperature)[0], logit)
    return _mask(logit[..., None] + nodes, temperature, hard=False)


def _along(values, logit):
    # A sum of products, not `@`: its precision must not follow that of matmuls.
    return values.reshape((1,) * logit.ndim + (-1,))


def _gain(logit, temperature, hard, unbiased):
    if unbiased:
        return 1.0 / _mean(logit, temperature, hard)
    return 1.0 + jnp.exp(logit)


@functools.partial(
    jax.jit, static_argnames=("temperature", "hard", "unbiased", "shared_axes")
)
def _multiply(key, x, logit, temperature, hard, unbiased, shared_axes):
    drawn = bits.uniform(key, contract.draw_shape(x.shape, shared_axes))
    noise = jnp.log(drawn) - jnp.log1p(-drawn)
    mask = _mask(logit + noise, temperature, hard)
    if hard:
        # Dropping selects: what is dropped does not come through, NaN or not. Where it
        # is finite it stays, for the gradient of the soft mask.
        x = jnp.where((mask > 0.0) | jnp.isfinite(x), x, jnp.zeros((), x.dtype))
    return scale(x, mask * _gain(logit, temperature, hard, unbiased))
