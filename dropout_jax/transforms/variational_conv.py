# SPDX-License-Identifier: Apache-2.0
"""A convolution with learned noise on every weight."""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.arguments import whole_numbers
from dropout_jax.transforms import contract, noisy_linear, weight_noise
from dropout_jax.transforms.moments import Index, Moments

_NUMBERS = ("NHWC", "HWIO", "NHWC")
Convolve = Callable[[jax.Array, jax.Array], jax.Array]


def variational_conv(
    key: jax.Array | None,
    x: ArrayLike,
    log_sigma2: ArrayLike,
    *,
    kernel: jax.Array,
    strides: Sequence[int] = (1, 1),
    padding: str = "SAME",
    convolve: Convolve | None = None,
    sampling: str = "local",
    threshold: float = math.inf,
    deterministic: bool = False,
) -> jax.Array:
    """Applies a convolution whose weights are normal around `kernel`.

    As `variational_dense`, with a convolution for the matrix product. "local" draws
    every output by itself, though the pixels of a map share their weights.

    Args:
      key: typed key, shape ().
      x: [batch, height, width, inputs], floating.
      log_sigma2: scalar, or broadcastable to the kernel.
      kernel: [height, width, inputs, outputs].
      strides: of the two sides.
      padding: "SAME" or "VALID".
      convolve: a function of the images and a kernel to use instead of
        `lax.conv_general_dilated`, where another form is faster; then strides and
        padding are its own affair. The same function every time: for another one,
        also for an equal lambda, everything is compiled anew.
      sampling: "local", "weight" or "separate" (one kernel per image).
      threshold: as for `variational_dense`.
      deterministic: Python bool. True is evaluation: needs no key.

    Returns:
      [batch, height, width, outputs] in the dtype of `x`.

    Raises:
      TypeError: for integer `x`, a traced `deterministic`, or no typed key.
      ValueError: for an unknown sampling or padding, strides below 1, a concrete
        value that is not finite, shapes that do not fit, or strides or padding
        beside `convolve`.

    Example:
      >>> x, kernel = jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 2))
      >>> y = variational_conv(jax.random.key(0), x, -3.0, kernel=kernel)
      >>> y.shape
      (1, 4, 4, 2)

    References:
      Molchanov, Ashukha, Vetrov 2017, ICML, section 4.
    """
    contract.check_call(key, x, (), deterministic)
    log_sigma2 = _check(x, log_sigma2, kernel, sampling)
    _check_window(strides, padding)
    if convolve is not None and (tuple(strides), padding) != ((1, 1), "SAME"):
        raise ValueError(
            f"strides is {strides} and padding {padding!r} beside convolve, which has "
            "its own; leave them out"
        )
    x, static = jnp.asarray(x), (tuple(strides), padding, convolve)
    if deterministic:
        kept = weight_noise.sparse_kernel(kernel, log_sigma2, threshold)
        return _convolve(x, kept, *static)
    return _conv(key, x, log_sigma2, kernel, *static, sampling)


def variational_conv_moments(
    x: ArrayLike,
    log_sigma2: ArrayLike,
    *,
    kernel: jax.Array,
    strides: Sequence[int] = (1, 1),
    padding: str = "SAME",
    sampling: str = "local",
) -> Moments:
    """Returns the moments of `variational_conv` given `x`.

    With * for the convolution: mean x * W, variance x**2 * sigma**2, fourth central
    moment 3 variance**2. Two outputs of one channel that see the same draw of the
    weights have covariance sum_w sigma_w**2 (dy_a / dw) (dy_b / dw).

    Args:
      x: real input.
      log_sigma2: as for `variational_conv`.
      kernel: as for `variational_conv`.
      strides: as for `variational_conv`.
      padding: as for `variational_conv`.
      sampling: as for `variational_conv`.

    Returns:
      The moments of the output.

    Example:
      >>> x, kernel = jnp.ones((1, 2, 2, 1)), jnp.ones((1, 1, 1, 1))
      >>> m = variational_conv_moments(x, 0.0, kernel=kernel, sampling="weight")
      >>> float(m.covariance((0, 0, 0, 0), (0, 1, 1, 0)))
      1.0
    """
    log_sigma2 = _check(x, log_sigma2, kernel, sampling)
    _check_window(strides, padding)
    x, kernel = contract.real("x", x), contract.real("kernel", kernel)
    static = (tuple(strides), padding)
    variance = weight_noise.variance(kernel, log_sigma2)
    spread = _convolve(x**2, variance, *static)

    def slope(index: Index) -> jax.Array:
        return jax.grad(lambda k: _convolve(x, k, *static)[index])(kernel)

    def covariance(a: Index, b: Index) -> jax.Array:
        if sampling == "separate" and a[0] != b[0]:
            return jnp.zeros((), x.dtype)
        return jnp.sum(slope(a) * slope(b) * variance.astype(kernel.dtype))

    return Moments(
        mean=_convolve(x, kernel, *static),
        variance=spread,
        fourth=3.0 * spread**2,
        covariance=None if sampling == "local" else covariance,
    )


def _check(x, log_sigma2, kernel, sampling):
    noisy_linear.check_sampling(sampling)
    noisy_linear.check_real("x", x)
    noisy_linear.check_real("kernel", kernel)
    if jnp.ndim(x) != 4 or kernel.ndim != 4 or jnp.shape(x)[-1] != kernel.shape[2]:
        raise ValueError(
            f"x has shape {jnp.shape(x)} and kernel {kernel.shape}; they must be "
            "[batch, height, width, inputs] and [height, width, inputs, outputs]"
        )
    return contract.parameter("log_sigma2", log_sigma2, kernel, of="kernel")


def _check_window(strides, padding):
    given = whole_numbers("strides", strides)
    if len(given) != 2 or min(given) < 1:
        raise ValueError(
            f"strides is {strides}; it must be two whole numbers of at least 1"
        )
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"padding is {padding!r}; it must be 'SAME' or 'VALID'")


@functools.partial(jax.jit, static_argnums=(4, 5, 6, 7))
def _conv(key, x, log_sigma2, kernel, strides, padding, own, sampling):
    static = {"strides": strides, "padding": padding, "own": own}
    convolve = functools.partial(_convolve, **static)
    if sampling == "local":
        variance = weight_noise.variance(kernel, log_sigma2)
        return noisy_linear.local(key, convolve, x, kernel, variance)
    sample = weight_noise.sampler(key, kernel, log_sigma2)
    if sampling == "weight":
        return convolve(x, sample(kernel.shape))
    kernels = sample((x.shape[0], *kernel.shape))
    if own is not None:
        return jax.vmap(lambda image, k: convolve(image[None], k)[0])(x, kernels)
    return _convolve_each(x, kernels, strides, padding)


def _convolve_each(x, kernels, strides, padding):
    """One kernel per image, as matrix products of patches.

    `vmap` makes a grouped convolution of it, which cannot be split over devices.
    """
    dtype = contract.compute_dtype(x)
    patches = jax.lax.conv_general_dilated_patches(
        x.astype(dtype),
        kernels.shape[1:3],
        strides,
        padding,
        dimension_numbers=_NUMBERS,
    )  # the last axis: channels, then rows and columns of the kernel
    batch, *_, outputs = kernels.shape
    flat = kernels.transpose(0, 3, 1, 2, 4).reshape(batch, patches.shape[-1], outputs)
    return jnp.einsum("bhwp,bpo->bhwo", patches, flat.astype(dtype)).astype(x.dtype)


def _convolve(x, kernel, strides, padding, own=None):
    dtype = contract.compute_dtype(x)
    wide, weights = x.astype(dtype), kernel.astype(dtype)
    if own is not None:
        return own(wide, weights).astype(x.dtype)
    y = jax.lax.conv_general_dilated(
        wide,
        weights,
        strides,
        padding,
        dimension_numbers=_NUMBERS,
    )
    return y.astype(x.dtype)
