# SPDX-License-Identifier: Apache-2.0
"""Variational dropout: Gaussian dropout whose variance is learned."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import contract
from dropout_jax.transforms.gaussian import multiply_normal, normal_moments
from dropout_jax.transforms.moments import Moments


def variational_dropout(
    key: jax.Array | None,
    x: ArrayLike,
    log_alpha: ArrayLike,
    *,
    max_log_alpha: float | None = None,
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Multiplies each element of `x` by normal noise of learned variance.

    y = x * (1 + sqrt(alpha) * e),  e ~ N(0, 1)

    This is type A: one factor per input unit of the next layer, so that the KL
    (`kl_log_uniform`) is summed over those units by `kl_per_example`: on a map every
    pixel of every channel is a unit, unless `shared_axes` says that pixels share a
    draw. It is not the mask shared over a sequence that is sometimes called by the
    same name: that is `dropout` with `shared_axes`.

    Args:
      key: typed key, shape (); the same standard normals as `gaussian_dropout`.
        Under `vmap` over a batch, or inside `shard_map`, one key gives every row
        or shard the same noise: fold the index in where that is not meant.
      x: any shape, floating or complex. Integers raise TypeError.
      log_alpha: logarithm of the noise variance: scalar, or broadcastable to `x`
        (one per unit). Gradients flow to it.
      max_log_alpha: upper bound; above it log_alpha counts as the bound and gets
        no gradient. 0 is Kingma's bound alpha <= 1; None is no bound.
      shared_axes: axes of `x` that share one draw.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`; `x` itself if `deterministic`.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for a concrete value that is not finite, or shapes or axes that
        do not fit.

    Example:
      >>> x = jnp.ones(4)
      >>> key = jax.random.key(0)
      >>> loss = lambda log_alpha: variational_dropout(key, x, log_alpha).sum()
      >>> bool(jnp.isfinite(jax.grad(loss)(-3.0)))
      True

    References:
      Kingma, Salimans, Welling 2015, Variational dropout and the local
      reparameterization trick, NeurIPS, section 3.2 (type A, alpha <= 1);
      Molchanov, Ashukha, Vetrov 2017, ICML (unbounded alpha).
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    log_alpha = _bounded(x, log_alpha, max_log_alpha)
    if deterministic:
        return x  # pyright: ignore[reportReturnType]
    std = jnp.exp(0.5 * log_alpha)
    acts = jnp.bool_(True)
    return multiply_normal(key, jnp.asarray(x), jnp.float32(1.0), std, acts, axes)


def variational_dropout_moments(
    x: ArrayLike,
    log_alpha: ArrayLike,
    *,
    max_log_alpha: float | None = None,
    shared_axes: Sequence[int] = (),
) -> Moments:
    """Returns the moments of `variational_dropout` given `x`.

    Mean x; variance alpha x**2; fourth central moment 3 alpha**2 x**4; covariance
    sqrt(alpha_a alpha_b) x_a x_b where a draw is shared.

    Args:
      x: real input.
      log_alpha: as for `variational_dropout`.
      max_log_alpha: as for `variational_dropout`.
      shared_axes: as for `variational_dropout`.

    Returns:
      The moments of the output.

    Example:
      >>> m = variational_dropout_moments(jnp.float32(3.0), 2.0, max_log_alpha=0.0)
      >>> float(m.mean), float(m.variance)
      (3.0, 9.0)
    """
    alpha = jnp.exp(_bounded(x, log_alpha, max_log_alpha))
    return normal_moments(x, jnp.float32(1.0), alpha, shared_axes)


def _bounded(x, log_alpha, max_log_alpha) -> jax.Array:
    log_alpha = contract.parameter("log_alpha", log_alpha, x)
    if max_log_alpha is None:
        return log_alpha
    bound = contract.parameter("max_log_alpha", max_log_alpha, x)
    return jnp.minimum(log_alpha, bound)
