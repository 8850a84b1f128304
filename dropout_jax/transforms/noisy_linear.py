# SPDX-License-Identifier: Apache-2.0
"""Linear maps with independent noise on every weight: three ways to sample them.

"weight" draws the weights once for all rows; "separate" once per row; "local" draws
the outputs themselves, whose mean and variance follow from those of the weights.

References:
  Kingma, Salimans, Welling 2015, Variational dropout and the local
  reparameterization trick, NeurIPS, section 2.3.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import bits, contract
from dropout_jax.transforms.moments import Index, Moments

_SAMPLINGS = ("local", "weight", "separate")


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns `x @ kernel` in the dtype of `x`, accumulated in float32 or wider."""
    dtype = contract.compute_dtype(x)
    return (x.astype(dtype) @ kernel.astype(dtype)).astype(x.dtype)


def check(x: ArrayLike, kernel: jax.Array, sampling: str) -> None:
    """Raises ValueError unless `x` [..., inputs] meets `kernel` [inputs, outputs]."""
    check_sampling(sampling)
    check_real("x", x)
    check_real("kernel", kernel)
    if jnp.ndim(x) < 1 or kernel.ndim != 2 or jnp.shape(x)[-1] != kernel.shape[0]:
        raise ValueError(
            f"x has shape {jnp.shape(x)} and kernel {kernel.shape}; they must be "
            "[..., inputs] and [inputs, outputs]"
        )


def check_sampling(sampling: str) -> None:
    """Raises ValueError for an unknown way to sample."""
    if sampling not in _SAMPLINGS:
        known = "'local', 'weight' or 'separate'"
        raise ValueError(f"sampling is {sampling!r}; it must be {known}")


def check_real(name: str, value: ArrayLike) -> None:
    """Raises TypeError for complex numbers, whose noise would have to be defined."""
    contract.check_floating(name, value)
    dtype = jnp.result_type(value)
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(f"{name} has dtype {dtype}; a noisy layer needs a real dtype")


def local(
    key: jax.Array,
    linear: Callable[[jax.Array, jax.Array], jax.Array],
    x: jax.Array,
    mean: jax.Array,
    variance: jax.Array,
) -> jax.Array:
    """Returns a draw of N(linear(x, mean), linear(x**2, variance)).

    Args:
      key: typed key.
      linear: linear in both arguments, as `dense`.
      x: input.
      mean: means of the weights.
      variance: variances of the weights.

    Returns:
      What `linear` returns, in the dtype of `x`.
    """
    dtype = contract.compute_dtype(x)
    wide = x.astype(dtype)
    centre = linear(wide, mean.astype(dtype))
    spread = linear(jnp.square(wide), variance.astype(dtype))
    drawn = bits.normal(key, centre.shape).astype(dtype)
    # The slope of the root is infinite at 0: also the branch not taken must be finite.
    # NaN is not quiet: variance without bound must not pass for none.
    quiet = spread <= 0.0
    safe = jnp.where(quiet, 1.0, spread)
    noise = jnp.where(quiet, 0.0, jnp.sqrt(safe)) * drawn
    return (centre + noise).astype(x.dtype)


def sampled(
    x: jax.Array,
    kernel: jax.Array,
    sample: Callable[[tuple[int, ...]], jax.Array],
    sampling: str,
) -> jax.Array:
    """Returns `x` times sampled weights, the same for all rows or one set per row.

    Args:
      x: [..., inputs].
      kernel: [inputs, outputs]; only its shape is used.
      sample: draws weights of the given shape, whose last axes are the kernel's.
      sampling: "weight" or "separate".

    Returns:
      [..., outputs] in the dtype of `x`.
    """
    if sampling == "weight":
        return dense(x, sample(kernel.shape))
    dtype = contract.compute_dtype(x)
    weights = sample((*x.shape[:-1], *kernel.shape)).astype(dtype)
    return jnp.einsum("...i,...io->...o", x.astype(dtype), weights).astype(x.dtype)


def moments(
    x: ArrayLike,
    mean: jax.Array,
    variance: jax.Array,
    excess: jax.Array | float,
    sampling: str,
) -> Moments:
    """Returns the moments of a dense layer whose weights are independent.

    Args:
      x: real input, [..., inputs].
      mean: means of the weights, [inputs, outputs].
      variance: their variances.
      excess: their fourth central moments minus 3 variance**2: what is added to the
        normal law's; left out for "local", which is normal.
      sampling: how the weights are drawn.

    Returns:
      The moments of the output, [..., outputs].
    """
    x = contract.real("x", x)
    spread = dense(x**2, variance)
    fourth = 3.0 * spread**2
    if sampling != "local":
        fourth = fourth + dense(x**4, jnp.broadcast_to(excess, variance.shape))

    def covariance(a: Index, b: Index) -> jax.Array:
        if a[-1] != b[-1]:
            return jnp.zeros((), x.dtype)
        return jnp.sum(x[a[:-1]] * x[b[:-1]] * variance[:, a[-1]].astype(x.dtype))

    shares = sampling == "weight" and x.ndim > 1
    return Moments(dense(x, mean), spread, fourth, covariance if shares else None)
