# SPDX-License-Identifier: Apache-2.0
"""Alpha dropout: keeps the mean and variance of standardised SELU activations."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import contract
from dropout_jax.transforms.bernoulli import draw_mask
from dropout_jax.transforms.moments import Index, Moments, entry, shared

# -lambda * alpha of SELU: the value that its negative side saturates at.
_SATURATION = -1.7580993408473766


def alpha_dropout(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Sets elements to the negative saturation of SELU, then restores the moments.

    y = a (x m + v (1 - m)) + b,  m ~ Bernoulli(1 - rate),  v = -1.7580993...
    a = ((1 - rate) (1 + rate v**2))**-1/2,  b = -a v rate

    Over inputs of mean 0 and variance 1 the outputs have mean 0 and variance 1. That
    holds for the population, not for a given x: E[y | x] = a (1 - rate) x. For
    inputs of other moments neither is kept.

    Args:
      key: as for `dropout`, whose masks these are.
      x: any shape, floating or complex. Integers raise TypeError.
      rate: probability of dropping, in [0, 1]: as for `dropout`. It gets no gradient.
      shared_axes: axes of `x` that share one draw; (1, 2) for whole feature maps of
        [batch, height, width, channels] is feature alpha dropout.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`. Rate 0 returns the values of `x`
      exactly; rate 1, as the limit, zeros. `x` itself if `deterministic`.

    Raises:
      TypeError: as `dropout`.
      ValueError: for a concrete rate outside [0, 1], or shapes or axes that do not
        fit.

    Example:
      >>> x = jax.random.normal(jax.random.key(0), (100_000,))
      >>> y = alpha_dropout(jax.random.key(1), x, 0.3)
      >>> abs(float(y.mean())) < 0.02, abs(float(y.var()) - 1) < 0.02
      (True, True)

    References:
      Klambauer, Unterthiner, Mayr, Hochreiter 2017, Self-normalizing neural
      networks, NeurIPS, section 2 ("new dropout technique").
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    rate = _check_rate(rate, x)
    if deterministic:
        return x  # pyright: ignore[reportReturnType]
    return _drop(key, jnp.asarray(x), rate, axes)


def alpha_dropout_moments(
    x: ArrayLike, rate: ArrayLike, *, shared_axes: Sequence[int] = ()
) -> Moments:
    """Returns the moments of `alpha_dropout` given `x`.

    With k = 1 - rate: mean a k x, variance a**2 k (1 - k) (x - v)**2, fourth central
    moment a**4 k (1 - k) (1 - 3 k (1 - k)) (x - v)**4, and covariance
    a_a a_b (min(k_a, k_b) - k_a k_b) (x_a - v) (x_b - v) where a draw is shared.

    Args:
      x: real input.
      rate: as for `alpha_dropout`.
      shared_axes: as for `alpha_dropout`.

    Returns:
      The moments of the output, given x: not those over a population.

    Example:
      >>> m = alpha_dropout_moments(jnp.float32(1.0), 0.2)
      >>> round(float(m.mean), 3)
      0.703
    """
    x = contract.real("x", x)
    rate = _check_rate(rate, x).astype(x.dtype)
    axes = contract.normalise_axes(shared_axes, x.ndim)
    k, gain = 1.0 - rate, _gain(rate)
    spread, size = k * rate, gain * (x - _SATURATION)

    def cross(a: Index, b: Index) -> jax.Array:
        k_a, k_b = entry(k, x, a), entry(k, x, b)
        return size[a] * size[b] * (jnp.minimum(k_a, k_b) - k_a * k_b)

    return Moments(
        mean=gain * k * x,
        variance=spread * size**2,
        fourth=spread * (1.0 - 3.0 * spread) * size**4,
        covariance=shared(cross, axes),
    )


def _check_rate(rate, x):
    return contract.drop_rate(rate, x)


def _gain(rate):
    # Infinite at rate 1, where nothing is kept: there any finite number will do.
    keep_prob = jnp.where(rate < 1.0, 1.0 - rate, 1.0)
    # Not rsqrt, which is only nearly 1 at 1.
    return 1.0 / jnp.sqrt(keep_prob * (1.0 + rate * _SATURATION**2))


@functools.partial(jax.jit, static_argnames="shared_axes")
def _drop(key, x, rate, shared_axes):
    keep_prob = 1.0 - rate
    mask = draw_mask(key, keep_prob, contract.draw_shape(x.shape, shared_axes))
    dtype = contract.compute_dtype(x)
    # a v + b = v (1 - rate) a, without the infinity of a at rate 1.
    dropped = _SATURATION * jnp.sqrt(keep_prob / (1.0 + rate * _SATURATION**2))
    shift = -_gain(rate) * _SATURATION * rate
    kept = x.astype(dtype) * _gain(rate).astype(dtype) + shift.astype(dtype)
    return jnp.where(mask, kept, dropped.astype(dtype)).astype(x.dtype)
