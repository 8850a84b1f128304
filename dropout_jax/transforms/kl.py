# SPDX-License-Identifier: Apache-2.0
"""Kullback-Leibler divergences: elementwise, never negative. `kl_per_example` sums."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import dawsn
from jax.typing import ArrayLike
from numpy.polynomial import legendre

from dropout_jax.transforms import contract

_EULER_GAMMA = 0.5772156649015329
# Limit of KL + log(alpha) / 2 for alpha -> 0: it joins the approximations to the
# exact value.
_LIMIT = 0.5 * (_EULER_GAMMA + math.log(2.0))
# Up to this sqrt(u) by Gauss-Legendre on [0, 1], above it by the asymptotic series.
_SWITCH = 5.0
_NODES, _WEIGHTS = legendre.leggauss(20)
_NODES = 0.5 * (_NODES + 1.0)


def kl_log_uniform(log_alpha: ArrayLike, method: str = "exact") -> jax.Array:
    """Returns KL(N(theta, alpha theta**2) || log-uniform prior) per factor.

    The prior is improper, so the KL has a free constant; here KL -> 0 as alpha ->
    infinity. It depends on alpha alone, and falls as alpha grows.

    - "exact": with u = 1 / (2 alpha), u 2F2(1, 1; 3/2, 2; -u) = 2 times the
      integral of Dawson's function D from 0 to sqrt(u); its derivative to log_alpha
      is -sqrt(u) D(sqrt(u)), computed directly, not by differentiating the sum.
    - "molchanov": k1 - k1 sigmoid(k2 + k3 log_alpha) + log(1 + 1/alpha) / 2, a fit
      for all alpha; within 0.01 of the exact value.
    - "kingma": -log_alpha / 2 - c1 alpha - c2 alpha**2 - c3 alpha**3 + constant, a
      fit for alpha <= 1 alone, within 0.05 there. Above alpha = 1 it keeps its
      value at 1 and has no gradient, because the polynomial falls without bound.

    Args:
      log_alpha: logarithm of the noise variance, any shape.
      method: "exact", "molchanov" or "kingma".

    Returns:
      float32 array of the shape of `log_alpha`, >= 0.

    Raises:
      ValueError: for an unknown method.

    Example:
      >>> kl = [kl_log_uniform(0.0, m) for m in ("exact", "molchanov", "kingma")]
      >>> [round(float(value), 3) for value in kl]
      [0.427, 0.431, 0.389]

    References:
      Kingma, Salimans, Welling 2015, NeurIPS, appendix C (cubic
      fit); Molchanov, Ashukha, Vetrov 2017, ICML, equation 14 (sigmoid fit).
    """
    log_alpha = _narrow("log_alpha", log_alpha)
    if method == "exact":
        return _exact(log_alpha)
    if method == "molchanov":
        return _molchanov(log_alpha)
    if method == "kingma":
        return _kingma(log_alpha)
    raise ValueError(
        f"method is {method!r}; it must be 'exact', 'molchanov' or 'kingma'"
    )


def kl_gaussian(
    mu_q: ArrayLike, log_sigma_q: ArrayLike, mu_p: ArrayLike, log_sigma_p: ArrayLike
) -> jax.Array:
    """Returns KL(N(mu_q, sigma_q**2) || N(mu_p, sigma_p**2)) elementwise.

    log(sigma_p / sigma_q) + (sigma_q**2 + (mu_q - mu_p)**2) / (2 sigma_p**2) - 1/2

    Args:
      mu_q: mean of the posterior.
      log_sigma_q: logarithm of the posterior's standard deviation.
      mu_p: mean of the prior.
      log_sigma_p: logarithm of the prior's standard deviation.

    Returns:
      float32 array of the common shape, >= 0, and 0 where the two are equal.

    Example:
      >>> float(kl_gaussian(1.0, 0.0, 0.0, 0.0))
      0.5

    References:
      Kingma and Welling 2014, Auto-encoding variational Bayes, appendix B.
    """
    mu_q, log_sigma_q, mu_p, log_sigma_p = (
        _narrow(name, value)
        for name, value in (
            ("mu_q", mu_q),
            ("log_sigma_q", log_sigma_q),
            ("mu_p", mu_p),
            ("log_sigma_p", log_sigma_p),
        )
    )
    ratio = 2.0 * (log_sigma_q - log_sigma_p)
    shift = (mu_q - mu_p) * jnp.exp(-log_sigma_p)
    # expm1, because near equality exp(ratio) - 1 - ratio cancels to nothing.
    width = jnp.maximum(jnp.expm1(ratio) - ratio, 0.0)
    return 0.5 * (width + shift**2)


def kl_bernoulli(logit_q: ArrayLike, rate_p: ArrayLike = 0.5) -> jax.Array:
    """Returns KL(Bernoulli(sigmoid(logit_q)) || Bernoulli(rate_p)) elementwise.

    Args:
      logit_q: logit of the posterior's rate, log(rate / (1 - rate)).
      rate_p: the prior's rate, in (0, 1). For 1/2 this is log 2 minus the entropy.

    Returns:
      float32 array of the common shape, >= 0, and 0 where the two are equal.

    Example:
      >>> round(float(kl_bernoulli(100.0)), 4)  # log 2: a certain drop
      0.6931

    Raises:
      ValueError: for a concrete `rate_p` outside (0, 1).

    References:
      Gal, Hron, Kendall 2017, Concrete dropout, NeurIPS, equation 3 (entropy term).
    """
    low, high = 2.0**-126, contract.BELOW_ONE  # normal numbers, and below 1
    contract.check_range("rate_p", rate_p, low, high, "a probability in (0, 1)")
    logit_q = _narrow("logit_q", logit_q)
    logit_p = jax.scipy.special.logit(jnp.asarray(rate_p, jnp.float32))
    rate = jax.nn.sigmoid(logit_q)
    # log(q/p) at both outcomes, with the logits kept: no logarithm of 0.
    dropped = jax.nn.log_sigmoid(logit_q) - jax.nn.log_sigmoid(logit_p)
    kept = jax.nn.log_sigmoid(-logit_q) - jax.nn.log_sigmoid(-logit_p)
    return jnp.maximum(rate * dropped + jax.nn.sigmoid(-logit_q) * kept, 0.0)


def _narrow(name, value):
    """Returns a real `value` in float32; TypeError for what is none."""
    contract.check_number(name, value)
    return jnp.asarray(value, jnp.float32)


@jax.custom_jvp
@jax.jit
def _exact(log_alpha):
    root = _root(log_alpha)[..., None]
    # Each branch sees only values it can do: no overflow on either side.
    near = jnp.minimum(root, _SWITCH)
    nodes = jnp.asarray(_NODES, jnp.float32).reshape((1,) * log_alpha.ndim + (-1,))
    weights = jnp.asarray(_WEIGHTS, jnp.float32).reshape(nodes.shape)
    by_integral = jnp.sum(weights * near * dawsn(near * nodes), -1)

    v = jnp.minimum(2.0 * jnp.exp(log_alpha), 1.0 / _SWITCH**2)  # 1 / u
    tail = v * (1 / 4 + v * (3 / 16 + v * (5 / 16 + v * 105 / 128)))
    by_series = _LIMIT - 0.5 * log_alpha - tail
    return jnp.where(root[..., 0] > _SWITCH, by_series, by_integral)


def _root(log_alpha):
    """sqrt(u) = sqrt(1 / (2 alpha)), bounded where the derivative is 1/2 anyway."""
    return jnp.minimum(math.sqrt(0.5) * jnp.exp(-0.5 * log_alpha), 1e4)


@_exact.defjvp
@jax.jit
def _exact_jvp(primals, tangents):
    (log_alpha,), (tangent,) = primals, tangents
    root = _root(log_alpha)
    return _exact(log_alpha), -root * dawsn(root) * tangent


def _molchanov(log_alpha):
    k1, k2, k3 = 0.63576, 1.87320, 1.48695
    fall = k1 * jax.nn.sigmoid(-(k2 + k3 * log_alpha))
    return fall + 0.5 * jax.nn.softplus(-log_alpha)


def _kingma(log_alpha):
    c1, c2, c3 = 1.16145124, -1.50204118, 0.58629921
    log_alpha = jnp.minimum(log_alpha, 0.0)
    alpha = jnp.exp(log_alpha)
    cubic = alpha * (c1 + alpha * (c2 + alpha * c3))
    return _LIMIT - 0.5 * log_alpha - cubic
