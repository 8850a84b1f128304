# SPDX-License-Identifier: Apache-2.0
"""A dense layer with learned noise on every weight."""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import contract, noisy_linear, weight_noise
from dropout_jax.transforms.moments import Moments


def variational_dense(
    key: jax.Array | None,
    x: ArrayLike,
    log_sigma2: ArrayLike,
    *,
    kernel: jax.Array,
    sampling: str = "local",
    threshold: float = math.inf,
    deterministic: bool = False,
) -> jax.Array:
    """Applies a dense layer whose weights are normal around `kernel`.

    y ~ N(x W, x**2 sigma**2)   "local": the output is drawn, fresh per row
    y = x (W + sigma e)         "weight": one draw of the weights for all rows;
                                "separate": one per row

    All three have the same mean and variance. "local" has the smallest variance of
    the gradient. Add the bias to y; it has no noise.

    Args:
      key: typed key, shape ().
      x: [..., inputs], floating. Integers raise TypeError.
      log_sigma2: logarithm of the weights' variance: scalar, or broadcastable to the
        kernel. Gradients flow to it. log alpha is held within [-8, 8].
      kernel: theta, the weights' means, [inputs, outputs].
      sampling: "local", "weight" or "separate".
      threshold: with `deterministic`, weights of log alpha at or above it count as 0;
        3 in the paper (alpha about 20, a dropout rate of .95).
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      [..., outputs] in the dtype of `x`; x @ kernel, without the weights that are
      noise, if `deterministic`.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for an unknown sampling, a concrete value that is not finite, or
        shapes that do not fit.

    Example:
      >>> x, kernel = jnp.ones((1, 2)), jnp.array([[3.0], [0.01]])
      >>> variational_dense(
      ...     None, x, -4.0, kernel=kernel, threshold=3.0, deterministic=True
      ... ).tolist()
      [[3.0]]

    References:
      Kingma, Salimans, Welling 2015, NeurIPS, section 2.3; Molchanov, Ashukha, Vetrov
      2017, Variational dropout sparsifies deep neural networks, ICML, section
      4.
    """
    contract.check_call(key, x, (), deterministic)
    log_sigma2 = _check(x, log_sigma2, kernel, sampling)
    x = jnp.asarray(x)
    if deterministic:
        return noisy_linear.dense(
            x, weight_noise.sparse_kernel(kernel, log_sigma2, threshold)
        )
    return _dense(key, x, log_sigma2, kernel, sampling)


def variational_dense_moments(
    x: ArrayLike, log_sigma2: ArrayLike, *, kernel: jax.Array, sampling: str = "local"
) -> Moments:
    """Returns the moments of `variational_dense` given `x`.

    Mean x W, variance x**2 sigma**2, fourth central moment 3 variance**2; with
    sampling="weight" the rows a and b of an output have covariance
    sum_i x_ai x_bi sigma_ij**2.

    Args:
      x: real input, [..., inputs].
      log_sigma2: as for `variational_dense`.
      kernel: as for `variational_dense`.
      sampling: as for `variational_dense`.

    Returns:
      The moments of the output.

    Example:
      >>> m = variational_dense_moments(jnp.ones((1, 4)), 0.0, kernel=jnp.ones((4, 1)))
      >>> float(m.mean[0, 0]), float(m.variance[0, 0])
      (4.0, 4.0)
    """
    log_sigma2 = _check(x, log_sigma2, kernel, sampling)
    variance = weight_noise.variance(kernel, log_sigma2)
    return noisy_linear.moments(x, kernel, variance, 0.0, sampling)


def _check(x, log_sigma2, kernel, sampling):
    noisy_linear.check(x, kernel, sampling)
    return contract.parameter("log_sigma2", log_sigma2, kernel, of="kernel")


@functools.partial(jax.jit, static_argnames="sampling")
def _dense(key, x, log_sigma2, kernel, sampling):
    if sampling == "local":
        variance = weight_noise.variance(kernel, log_sigma2)
        return noisy_linear.local(key, noisy_linear.dense, x, kernel, variance)
    sample = weight_noise.sampler(key, kernel, log_sigma2)
    return noisy_linear.sampled(x, kernel, sample, sampling)
