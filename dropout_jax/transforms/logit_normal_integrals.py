# SPDX-License-Identifier: Apache-2.0
"""Moments of sigmoid(t), t ~ N(location, width**2), by quadrature in float32.

The mean stands in the training step, so it must be cheap, and right for every
width. Gauss-Hermite nodes alone fail for wide logits, where the sigmoid is a step
between two nodes. But E[sigmoid(t)] is also the probability that a logistic
variable l lies below t, E[Phi((location - l) / width)], and that integrand is the
smoother the wider the logit: each form is used where it converges.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from numpy.polynomial import hermite_e

_SWITCH = 2.0
_HERMITE_NODES, _HERMITE_WEIGHTS = hermite_e.hermegauss(64)
_HERMITE_WEIGHTS = _HERMITE_WEIGHTS / math.sqrt(2.0 * math.pi)
# The trapezoidal rule converges exponentially on both: for the logistic density
# the error is exp(-2 pi**2 / step), for the fine normal grid exp(-2 pi**2 / (step *
# width)), which is negligible up to widths of 100.
_LOGISTIC_STEP = 0.75
_LOGISTIC_NODES = [_LOGISTIC_STEP * i for i in range(-64, 25)]
_FINE_STEP = 2.0**-7
_FINE_NODES = [_FINE_STEP * i for i in range(-9 * 128, 9 * 128 + 1)]


@jax.jit
def mean(location: jax.Array, width: jax.Array) -> jax.Array:
    """Returns E[sigmoid(t)], relative error about 1e-6 for location >= -30.

    Args:
      location: mean of the logit.
      width: standard deviation of the logit, broadcastable to `location`.

    Returns:
      float32 array of the common shape.
    """
    location, width = jnp.broadcast_arrays(location, width)
    location, width = location[..., None], width[..., None]
    shape = (1,) * (location.ndim - 1) + (-1,)
    # Each branch sees only widths it can do, so that no gradient is ever NaN.
    narrow = jnp.minimum(width, _SWITCH)
    nodes = jnp.asarray(_HERMITE_NODES, jnp.float32).reshape(shape)
    weights = jnp.asarray(_HERMITE_WEIGHTS, jnp.float32).reshape(shape)
    by_normal = jnp.sum(weights * jax.nn.sigmoid(location + narrow * nodes), -1)

    def by_either():
        wide = jnp.maximum(width, _SWITCH)
        nodes = jnp.asarray(_LOGISTIC_NODES, jnp.float32).reshape(shape)
        weights = _LOGISTIC_STEP * jax.nn.sigmoid(nodes) * jax.nn.sigmoid(-nodes)
        below = jax.scipy.special.ndtr((location - nodes) / wide)
        by_logistic = jnp.sum(weights * below, -1)
        return jnp.where(width[..., 0] > _SWITCH, by_logistic, by_normal)

    # The second form has more nodes and a dearer function, and is seldom needed.
    return lax.cond(jnp.any(width > _SWITCH), by_either, lambda: by_normal)


@functools.partial(jax.jit, static_argnames="order")
def central(location: jax.Array, width: jax.Array, order: int) -> jax.Array:
    """Returns E[(sigmoid(t) - E[sigmoid(t)])**order] for widths up to 100."""
    location, width = jnp.broadcast_arrays(location, width)
    weights, deviation = _deviation(location, width)
    return jnp.sum(weights * deviation**order, -1)


@jax.jit
def covariance(
    location_a: jax.Array, width_a: jax.Array, location_b: jax.Array, width_b: jax.Array
) -> jax.Array:
    """Returns the covariance of two factors made from one normal draw.

    Args:
      location_a: mean of the first logit, scalar.
      width_a: standard deviation of the first logit, up to 100, scalar.
      location_b: as `location_a`, of the second logit.
      width_b: as `width_a`, of the second logit.

    Returns:
      float32 scalar.
    """
    weights, first = _deviation(location_a, width_a)
    _, second = _deviation(location_b, width_b)
    return jnp.sum(weights * first * second, -1)


def _deviation(location: jax.Array, width: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Weights of the fine normal grid, and sigmoid - mean at its nodes."""
    shape = (1,) * location.ndim + (-1,)
    nodes = jnp.asarray(_FINE_NODES, jnp.float32).reshape(shape)
    weights = _FINE_STEP * jax.scipy.stats.norm.pdf(nodes)
    factor = jax.nn.sigmoid(location[..., None] + width[..., None] * nodes)
    return weights, factor - mean(location, width)[..., None]
