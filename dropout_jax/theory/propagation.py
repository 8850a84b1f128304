# SPDX-License-Identifier: Apache-2.0
"""Fast dropout: mean and variance carried through a network instead of samples.

Each layer takes independent normal inputs, and returns the mean and variance of its
outputs as if these were independent and normal in turn. Both are approximations from
the second layer on; what each function does to normal inputs is exact, except for
`max_pool` over more than two.

References:
  Wang, Manning 2013, Fast dropout training, ICML.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jax.typing import ArrayLike

from dropout_jax.arguments import whole
from dropout_jax.theory.checks import check_rate, wide
from dropout_jax.transforms import logit_normal_integrals

_SMALL = 1e-12


class Normal(NamedTuple):
    """Independent normal variables.

    Attributes:
      mean: any shape.
      variance: same shape, >= 0.
    """

    mean: jax.Array
    variance: jax.Array


def certain(x: jax.Array) -> Normal:
    """Returns `x` as variables without variance, the input of a network.

    Example:
      >>> certain(jnp.ones(2)).variance.tolist()
      [0.0, 0.0]
    """
    x = wide("x", x)
    return Normal(x, jnp.zeros_like(x))


def dropout(inputs: Normal, rate: ArrayLike) -> Normal:
    """Returns the moments after `dropout` at `rate`, scaling="train".

    Mean as it was; variance v + rate / (1 - rate) (mean**2 + v).

    Args:
      inputs: the variables.
      rate: in [0, 1); scalar, may be traced.

    Raises:
      ValueError: for a concrete rate outside [0, 1).

    Example:
      >>> dropout(certain(jnp.array([2.0])), 0.5).variance.tolist()
      [4.0]
    """
    rate, inputs = check_rate(rate), _wide(inputs)
    power = jnp.square(inputs.mean) + inputs.variance
    return Normal(inputs.mean, inputs.variance + rate / (1.0 - rate) * power)


def dense(inputs: Normal, kernel: jax.Array, bias: jax.Array | None = None) -> Normal:
    """Returns the moments after a dense layer; exact for independent inputs.

    Mean m W + b, variance v W**2: the correlation of the outputs is left out.

    Args:
      inputs: [..., inputs].
      kernel: [inputs, outputs].
      bias: [outputs].

    Example:
      >>> dense(Normal(jnp.ones(2), jnp.ones(2)), jnp.ones((2, 1))).variance.tolist()
      [2.0]
    """
    inputs, kernel = _wide(inputs), wide("kernel", kernel)
    mean = inputs.mean @ kernel
    if bias is not None:
        bias = wide("bias", bias)
        mean = mean + bias.reshape((1,) * (mean.ndim - 1) + bias.shape)
    return Normal(mean, inputs.variance @ jnp.square(kernel))


def relu(inputs: Normal) -> Normal:
    """Returns the moments of max(z, 0) for normal z: exact.

    With s**2 = v and a = m / s: mean m Phi(a) + s phi(a); second moment
    (m**2 + v) Phi(a) + m s phi(a).

    Args:
      inputs: the variables.

    Example:
      >>> round(float(relu(Normal(jnp.zeros(()), jnp.ones(()))).mean), 4)
      0.3989

    References:
      Wang, Manning 2013 (rectified linear units).
    """
    inputs = _wide(inputs)
    mean, std = inputs.mean, jnp.sqrt(inputs.variance + _SMALL)
    cdf, pdf = norm.cdf(mean / std), norm.pdf(mean / std)
    first = mean * cdf + std * pdf
    # E[(relu(z) - E)**2] with the square completed: no difference of large numbers.
    below = jnp.square(first) * norm.cdf(-mean / std)
    shift = mean - first
    above = (jnp.square(shift) + inputs.variance) * cdf
    above = above + std * pdf * (2.0 * shift - mean)
    return Normal(first, jnp.maximum(below + above, 0.0))


def sigmoid(inputs: Normal) -> Normal:
    """Returns the moments of the logistic function, by quadrature.

    Args:
      inputs: the variables, standard deviations up to 100.

    Example:
      >>> round(float(sigmoid(Normal(jnp.zeros(()), jnp.ones(()))).mean), 6)
      0.5

    References:
      Atchison, Shen 1980, Biometrika 67 (the logit-normal law).
    """
    inputs = _wide(inputs)
    width = jnp.sqrt(inputs.variance + _SMALL)
    mean = logit_normal_integrals.mean(inputs.mean, width)
    return Normal(mean, logit_normal_integrals.central(inputs.mean, width, 2))


def tanh(inputs: Normal) -> Normal:
    """Returns the moments of the hyperbolic tangent, 2 sigmoid(2 z) - 1, by quadrature.

    Args:
      inputs: the variables, standard deviations up to 50.

    Example:
      >>> round(float(tanh(Normal(jnp.ones(()), jnp.ones(()))).mean), 4)
      0.5504
    """
    inputs = _wide(inputs)
    doubled = sigmoid(Normal(2.0 * inputs.mean, 4.0 * inputs.variance))
    return Normal(2.0 * doubled.mean - 1.0, 4.0 * doubled.variance)


def max_pool(inputs: Normal, axis: int = -1) -> Normal:
    """Returns the moments of the largest along `axis`.

    Exact for two variables (Clark); more are taken in one after the other, each
    intermediate maximum counted as normal.

    Args:
      inputs: the variables.
      axis: axis that is reduced.

    Example:
      >>> two = Normal(jnp.zeros(2), jnp.ones(2))
      >>> round(float(max_pool(two).mean), 4)  # 1 / sqrt(pi)
      0.5642

    References:
      Clark 1961, The greatest of a finite set of random variables, Operations
      Research 9(2).
    """
    axis, inputs = whole("axis", axis), _wide(inputs)
    means = jnp.moveaxis(inputs.mean, axis, 0)
    variances = jnp.moveaxis(inputs.variance, axis, 0)
    largest = Normal(means[0], variances[0])
    for mean, variance in zip(means[1:], variances[1:], strict=True):
        largest = _maximum(largest, Normal(mean, variance))
    return largest


def _wide(inputs: Normal) -> Normal:
    return Normal(wide("mean", inputs.mean), wide("variance", inputs.variance))


def _maximum(a: Normal, b: Normal) -> Normal:
    spread = jnp.sqrt(a.variance + b.variance + _SMALL)
    ratio = (a.mean - b.mean) / spread
    first, second, pdf = norm.cdf(ratio), norm.cdf(-ratio), norm.pdf(ratio)
    mean = a.mean * first + b.mean * second + spread * pdf
    # Second moment about that mean, so that nothing large cancels.
    from_a, from_b = a.mean - mean, b.mean - mean
    variance = (
        (jnp.square(from_a) + a.variance) * first
        + (jnp.square(from_b) + b.variance) * second
        + (from_a + from_b) * spread * pdf
    )
    return Normal(mean, jnp.maximum(variance, 0.0))


def multilayer(
    x: jax.Array,
    layers: Sequence[tuple[jax.Array, jax.Array]],
    rates: Sequence[ArrayLike],
) -> Normal:
    """Returns the moments of the logits of a ReLU network under dropout.

    Args:
      x: [..., inputs].
      layers: (kernel, bias) of each dense layer.
      rates: drop rate in front of each layer.

    Returns:
      Mean and variance of the last layer's outputs.

    Raises:
      ValueError: unless there is one rate per layer.

    Example:
      >>> one = (jnp.ones((2, 1)), jnp.zeros(1))
      >>> multilayer(jnp.ones(2), [one], [0.5]).variance.tolist()
      [2.0]
    """
    if len(layers) != len(rates):
        raise ValueError(
            f"there are {len(layers)} layers and {len(rates)} rates; give one each"
        )
    state = certain(x)
    for number, ((kernel, bias), rate) in enumerate(zip(layers, rates, strict=True)):
        if number:
            state = relu(state)
        state = dense(dropout(state, rate), kernel, bias)
    return state
