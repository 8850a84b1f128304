# SPDX-License-Identifier: Apache-2.0
"""Dropout of weights: DropConnect in a dense layer, weight drop for any kernel."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import contract, noisy_linear
from dropout_jax.transforms.bernoulli import bernoulli_mask, dropout, dropout_moments
from dropout_jax.transforms.moments import Moments


def dropconnect_dense(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    kernel: jax.Array,
    sampling: str = "weight",
    deterministic: bool = False,
) -> jax.Array:
    """Drops each weight of a dense layer with probability `rate`.

    y = x (kernel * m / (1 - rate)),  m_ij ~ Bernoulli(1 - rate)

    Add the bias to y; it is not dropped. Unlike dropout of x, the outputs of one
    row get independent noise.

    Args:
      key: typed key, shape (). Masks are bit for bit `jax.random.bernoulli(key,
        1 - rate, shape)` with shape kernel.shape ("weight") or [rows, *kernel.shape]
        ("separate"): nested in the rate.
      x: [..., inputs], floating. Integers raise TypeError.
      rate: probability of dropping a weight, in [0, 1] ("local": below 1; a traced 1
        gives NaN or infinity): a number, a traced scalar (not range-checked), or an
        array that broadcasts to the kernel. It gets no gradient.
      kernel: [inputs, outputs].
      sampling: "weight": one mask for all rows; "separate": one mask per row, as in
        the paper, which takes rows times the memory of the kernel; "local": the
        normal law of equal mean and variance at the output, N(x W, rate / (1 - rate)
        x**2 W**2), which the paper samples at test time.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      [..., outputs] in the dtype of `x`; x @ kernel if `deterministic`.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for a concrete rate outside [0, 1], an unknown sampling, or shapes
        that do not fit.

    Example:
      >>> x, kernel = jnp.ones((1, 4)), jnp.ones((4, 2))
      >>> dropconnect_dense(jax.random.key(0), x, 0.5, kernel=kernel).tolist()
      [[4.0, 4.0]]

    References:
      Wan, Zeiler, Zhang, LeCun, Fergus 2013, Regularization of neural networks using
      DropConnect, ICML, sections 3.1 and 3.2 (unscaled in training; algorithm 2 is
      "local").
    """
    contract.check_call(key, x, (), deterministic)
    rate = _check(x, rate, kernel, sampling)
    x = jnp.asarray(x)
    if deterministic:
        return noisy_linear.dense(x, kernel)
    return _connect(key, x, rate, kernel, sampling)


def dropconnect_dense_moments(
    x: ArrayLike, rate: ArrayLike, *, kernel: jax.Array, sampling: str = "weight"
) -> Moments:
    """Returns the moments of `dropconnect_dense` given `x`.

    With c = rate / (1 - rate): mean x W, variance c x**2 W**2; the noise of
    different outputs is independent, that of two rows only where the mask is
    shared, with covariance sum_i c x_ai x_bi W_ij**2.

    Args:
      x: real input, [..., inputs].
      rate: as for `dropconnect_dense`.
      kernel: as for `dropconnect_dense`.
      sampling: as for `dropconnect_dense`.

    Returns:
      The moments of the output.

    Example:
      >>> m = dropconnect_dense_moments(jnp.ones((1, 3)), 0.75, kernel=jnp.ones((3, 1)))
      >>> float(m.mean[0, 0]), float(m.variance[0, 0])
      (3.0, 9.0)
    """
    rate = _check(x, rate, kernel, sampling)
    kernel = contract.real("kernel", kernel)
    factor = dropout_moments(jnp.ones_like(kernel), rate)
    excess = factor.fourth - 3.0 * factor.variance**2
    return noisy_linear.moments(
        x, kernel, factor.variance * kernel**2, excess * kernel**4, sampling
    )


def weight_drop(
    key: jax.Array | None,
    x: ArrayLike,
    rate: ArrayLike,
    *,
    scaling: str = "train",
    shared_axes: Sequence[int] = (),
    deterministic: bool = False,
) -> jax.Array:
    """Drops entries of a weight array before a layer uses it.

    y = x * m / (1 - rate),  m ~ Bernoulli(1 - rate)

    This is `dropout` of the weights. Call it once, outside the time loop, on the
    recurrent kernel of an RNN, and every step sees the same weights.

    Args:
      key: as for `dropout`.
      x: the weights, any shape, floating.
      rate: probability of dropping a weight, in [0, 1]; as for `dropout`.
      scaling: as for `dropout`.
      shared_axes: axes of `x` that share one draw; (1,) drops whole rows of a
        [inputs, outputs] kernel, which is dropping inputs.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      Array with the shape and dtype of `x`; as `dropout` if `deterministic`.

    Raises:
      TypeError: as `dropout`.
      ValueError: as `dropout`.

    Example:
      >>> weight_drop(jax.random.key(0), jnp.ones((2, 2)), 0.5).tolist()
      [[0.0, 0.0], [2.0, 2.0]]

    References:
      Merity, Keskar, Socher 2018, Regularizing and optimizing LSTM language models,
      ICLR, section 2 (weight-dropped LSTM).
    """
    return dropout(
        key,
        x,
        rate,
        scaling=scaling,
        shared_axes=shared_axes,
        deterministic=deterministic,
    )


def _check(x, rate, kernel, sampling):
    noisy_linear.check(x, kernel, sampling)
    high = contract.BELOW_ONE if sampling == "local" else 1.0
    text = "a probability in [0, 1), or [0, 1] where masks are drawn"
    contract.check_range("rate", rate, 0.0, high, text)
    return jax.lax.stop_gradient(contract.parameter("rate", rate, kernel, of="kernel"))


@functools.partial(jax.jit, static_argnames="sampling")
def _connect(key, x, rate, kernel, sampling):
    if sampling == "local":
        variance = rate / (1.0 - rate) * jnp.square(kernel.astype(jnp.float32))
        return noisy_linear.local(key, noisy_linear.dense, x, kernel, variance)

    def sample(shape):
        lead = (1,) * (len(shape) - kernel.ndim)
        drop = jnp.broadcast_to(rate, kernel.shape).reshape(lead + kernel.shape)
        kept = bernoulli_mask(key, drop, shape)
        gain = 1.0 / jnp.where(drop < 1.0, 1.0 - drop, 1.0)
        wide = kernel.astype(contract.compute_dtype(kernel)).reshape(drop.shape)
        return jnp.where(kept, wide * gain, 0.0)

    return noisy_linear.sampled(x, kernel, sample, sampling)
