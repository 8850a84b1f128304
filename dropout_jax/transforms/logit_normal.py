# SPDX-License-Identifier: Apache-2.0
"""Logit-normal dropout: a soft mask in (0, 1) whose location and width are learned."""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.arguments import flag
from dropout_jax.transforms import bits, contract, logit_normal_integrals
from dropout_jax.transforms.moments import Index, Moments, entry, multiplicative


def logit_normal_dropout(
    key: jax.Array | None,
    x: ArrayLike,
    mu: ArrayLike,
    log_sigma: ArrayLike,
    *,
    epsilon_std: float = 1.0,
    rescale: bool = True,
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Multiplies each element of `x` by a logit-normal factor.

    y = x * m [/ E[m] where rescale],  m = sigmoid(mu + s * e),  e ~ N(0, 1),
    s**2 = sigma**2 + epsilon_std**2

    With mu = 0, epsilon_std = 1 and rescale=False this is the soft mask of the
    textbook, sigmoid(log_alpha + epsilon) with log_alpha ~ N(0, sigma**2) and
    epsilon ~ N(0, 1): the sum of the two normals is drawn as one. Its mean is 1/2
    for every sigma; mu sets the level.

    Args:
      key: typed key, shape (); the same standard normals as `gaussian_dropout`.
        Under `vmap` over a batch, or inside `shard_map`, one key gives every row
        or shard the same noise: fold the index in where that is not meant.
      x: any shape, floating or complex. Integers raise TypeError.
      mu: mean of the logit: scalar, or broadcastable to `x`. Gradients flow to it.
      log_sigma: logarithm of the learned standard deviation of the logit: scalar,
        or broadcastable to `x`. Gradients flow to it.
      epsilon_std: fixed extra standard deviation of the logit, >= 0.
      rescale: divide by E[m], so that the mean is x; gradients flow through E[m].
      shared_axes: axes of `x` that share one draw. With values per unit the draw
        is shared, location and width are not.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`. `deterministic=True` returns `x`
      itself where `rescale`, and E[m] * x otherwise.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, a flag that is no bool, or
        no typed key.
      ValueError: for a negative epsilon_std, a concrete value that is not finite,
        or shapes or axes that do not fit.

    Example:
      >>> x = jnp.float32(3.0)
      >>> y = logit_normal_dropout(None, x, 0.0, 1.0, rescale=False, deterministic=True)
      >>> round(float(y), 6)
      1.5

    References:
      Textbook section 9.4, equation 9.4.14 (which calls the factor log-normal; the
      docs tell why it is logit-normal); Atchison and Shen 1980, Logistic-normal
      distributions, Biometrika 67 (the law).
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    location, width = _logit(x, mu, log_sigma, epsilon_std)
    rescale = flag("rescale", rescale)
    if not deterministic:
        x = jnp.asarray(x)
        return _multiply(key, x, location, width, rescale, axes)
    return x if rescale else _expectation(jnp.asarray(x), location, width)  # pyright: ignore[reportReturnType]


def logit_normal_dropout_moments(
    x: ArrayLike,
    mu: ArrayLike,
    log_sigma: ArrayLike,
    *,
    epsilon_std: float = 1.0,
    rescale: bool = True,
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `logit_normal_dropout` given `x`, by quadrature.

    Args:
      x: real input.
      mu: as for `logit_normal_dropout`.
      log_sigma: as for `logit_normal_dropout`.
      epsilon_std: as for `logit_normal_dropout`.
      rescale: as for `logit_normal_dropout`.
      shared_axes: as for `logit_normal_dropout`.

    Returns:
      The moments of the output.

    Example:
      >>> m = logit_normal_dropout_moments(
      ...     jnp.float32(1.0), 0.0, 0.0, epsilon_std=0.0, rescale=False
      ... )
      >>> round(float(m.mean), 6), round(float(m.variance), 4)
      (0.5, 0.0434)
    """
    location, width = _logit(x, mu, log_sigma, epsilon_std)
    rescale = flag("rescale", rescale)
    mean = logit_normal_integrals.mean(location, width)
    gain = 1.0 / mean if rescale else jnp.ones_like(mean)

    def cross(a: Index, b: Index) -> jax.Array:
        at = [(entry(location, x, i), entry(width, x, i)) for i in (a, b)]
        joint = logit_normal_integrals.covariance(*at[0], *at[1])
        return entry(gain, x, a) * entry(gain, x, b) * joint

    return multiplicative(
        x,
        mean=gain * mean,
        variance=gain**2 * logit_normal_integrals.central(location, width, 2),
        fourth=gain**4 * logit_normal_integrals.central(location, width, 4),
        shared_axes=shared_axes,
        cross=cross,
    )


def _logit(x, mu, log_sigma, epsilon_std) -> tuple[jax.Array, jax.Array]:
    text = "finite and >= 0"
    epsilon_std = contract.number("epsilon_std", epsilon_std, 0.0, math.inf, text)
    location = contract.parameter("mu", mu, x)
    log_sigma = contract.parameter("log_sigma", log_sigma, x)
    log_epsilon = math.log(epsilon_std) if epsilon_std > 0.0 else -math.inf
    # In logarithms, because the gradient of sqrt(sigma**2 + 0) is not finite at 0.
    return location, jnp.exp(0.5 * jnp.logaddexp(2.0 * log_sigma, 2.0 * log_epsilon))


@functools.partial(jax.jit, static_argnames=("rescale", "shared_axes"))
def _multiply(key, x, location, width, rescale, shared_axes):
    drawn = bits.normal(key, contract.draw_shape(x.shape, shared_axes))
    factor = jax.nn.sigmoid(location + width * drawn)
    if rescale:
        factor = factor / logit_normal_integrals.mean(location, width)
    dtype = contract.compute_dtype(x)
    return (x.astype(dtype) * factor.astype(dtype)).astype(x.dtype)


@jax.jit
def _expectation(x, location, width):
    dtype = contract.compute_dtype(x)
    mean = logit_normal_integrals.mean(location, width)
    return (x.astype(dtype) * mean.astype(dtype)).astype(x.dtype)
