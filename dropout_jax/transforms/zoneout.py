# SPDX-License-Identifier: Apache-2.0
"""Zoneout: some units of a recurrent state keep their previous value."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import contract
from dropout_jax.transforms.bernoulli import bernoulli_mask
from dropout_jax.transforms.moments import Index, Moments, entry, shared


def zoneout(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    previous: jax.Array,
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Keeps the previous value of each unit with probability `rate`.

    y = previous where dropped, x elsewhere;   test: rate previous + (1 - rate) x

    Dropping selects: NaN in a new value that is dropped does not come through, in
    value or gradient, and neither does NaN in a previous value that is replaced.

    Args:
      key: as for `dropout`, whose masks these are.
      x: the new state, any shape, floating or complex. Integers raise TypeError.
      rate: probability of keeping the previous value, in [0, 1]; as for `dropout`.
        It gets no gradient.
      previous: the previous state, of the shape and dtype of `x`.
      shared_axes: axes of `x` that share one draw.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`; the expectation if `deterministic`. Rate
      0 returns the values of `x`, rate 1 those of `previous`.

    Raises:
      TypeError: as `dropout`.
      ValueError: for a concrete rate outside [0, 1], or shapes or axes that do not
        fit.

    Example:
      >>> new, old = jnp.ones(8), jnp.zeros(8)
      >>> zoneout(jax.random.key(0), new, 0.5, previous=old).tolist()
      [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0]

    References:
      Krueger et al. 2017, Zoneout: regularizing RNNs by randomly preserving hidden
      activations, ICLR, section 3 (their mask is 1 where the previous value stays).
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    rate = _check(x, rate, previous)
    if deterministic:
        return _expectation(jnp.asarray(x), rate, previous)
    return _keep(key, jnp.asarray(x), rate, previous, axes)


def zoneout_moments(
    x: ArrayLike,
    rate: ArrayLike,
    *,
    previous: jax.Array,
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `zoneout` given the new and the previous state.

    With r = rate and d = x - previous: mean x - r d, variance r (1 - r) d**2, fourth
    central moment r (1 - r) (1 - 3 r (1 - r)) d**4, and covariance
    (min(r_a, r_b) - r_a r_b) d_a d_b where a draw is shared.

    Args:
      x: the new state, real.
      rate: as for `zoneout`.
      previous: as for `zoneout`.
      shared_axes: as for `zoneout`.

    Returns:
      The moments of the output.

    Example:
      >>> m = zoneout_moments(jnp.float32(3.0), 0.5, previous=jnp.float32(1.0))
      >>> float(m.mean), float(m.variance)
      (2.0, 1.0)
    """
    x = contract.real("x", x)
    rate = _check(x, rate, previous).astype(x.dtype)
    previous = contract.real("previous", previous).astype(x.dtype)
    axes = contract.normalise_axes(shared_axes, x.ndim)
    change, spread = x - previous, rate * (1.0 - rate)

    def cross(a: Index, b: Index) -> jax.Array:
        r_a, r_b = entry(rate, x, a), entry(rate, x, b)
        return change[a] * change[b] * (jnp.minimum(r_a, r_b) - r_a * r_b)

    return Moments(
        mean=x - rate * change,
        variance=spread * change**2,
        fourth=spread * (1.0 - 3.0 * spread) * change**4,
        covariance=shared(cross, axes),
    )


def _check(x, rate, previous):
    contract.check_floating("previous", previous)
    if jnp.iscomplexobj(previous) and not jnp.iscomplexobj(x):
        raise TypeError(
            f"previous has dtype {jnp.result_type(previous)} and x "
            f"{jnp.result_type(x)}; make both complex"
        )
    if jnp.shape(previous) != jnp.shape(x):
        raise ValueError(
            f"previous has shape {jnp.shape(previous)}; it must have that of x, "
            f"{jnp.shape(x)}"
        )
    return contract.drop_rate(rate, x)


@functools.partial(jax.jit, static_argnames="shared_axes")
def _keep(key, x, rate, previous, shared_axes):
    new = bernoulli_mask(key, rate, contract.draw_shape(x.shape, shared_axes))
    # `where` wants the mask on the devices of x, which a mask from a key is not yet.
    new = new | jnp.zeros_like(x, bool)
    return jnp.where(new, x, previous.astype(x.dtype))


@jax.jit
def _expectation(x, rate, previous):
    dtype = contract.compute_dtype(x)
    rate, new, old = rate.astype(dtype), x.astype(dtype), previous.astype(dtype)
    # Each end is exact and lets nothing of the other state through.
    mixed = jnp.where(rate < 1.0, (1.0 - rate) * new, 0.0)
    return (mixed + jnp.where(rate > 0.0, rate * old, 0.0)).astype(x.dtype)
