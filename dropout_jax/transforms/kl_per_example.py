# SPDX-License-Identifier: Apache-2.0
"""What the KL of learned noise counts: the factors that are drawn for one example."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dropout_jax.transforms import contract


def kl_per_example(
    kl: ArrayLike,
    shape: Sequence[int],
    *,
    shared_axes: Sequence[int] = (),
    batch_axis: int | None = 0,
) -> jax.Array:
    """Returns the KL of all factors that a transform draws for one example, summed.

    One term per draw: H * W * C for a map [batch, H, W, C], but C where the pixels
    share a draw (shared_axes=(1, 2)); T * n for a sequence [batch, T, n], but n where
    the steps share one (shared_axes=(1,)); n for [batch, n].

    The batch axis never counts, whether a draw is shared along it or not. The factors
    of one example are the latent variables, the same for all examples. Drawing them
    anew for each example changes the variance of the estimated expected
    log-likelihood, not the bound.

    Args:
      kl: KL of each factor, broadcastable to `shape`: that of the learned parameters,
        one value per feature (the last axis) or a scalar.
      shape: of the input of the transform.
      shared_axes: as given to the transform.
      batch_axis: the axis of `shape` that counts examples; None if there is none, as
        under `vmap` over examples. A shape with one axis is one example.

    Returns:
      Scalar. Divide it by the number of training examples where the loss is a mean
      over examples.

    Raises:
      TypeError: `kl` is no real array, or a size or an axis no whole number.
      ValueError: `kl` does not broadcast to `shape`, an axis does not exist, or `kl`
        varies along the batch axis or an axis that shares one draw.

    Example:
      >>> kl = jnp.ones(3)  # of 3 channels
      >>> float(kl_per_example(kl, (32, 7, 7, 3)))
      147.0
      >>> float(kl_per_example(kl, (32, 7, 7, 3), shared_axes=(1, 2)))
      3.0

    References:
      Kingma, Salimans, Welling 2015, Variational dropout and the local
      reparameterization trick, NeurIPS, sections 2.3 (a draw per example) and 3.2 (one
      scale per input unit).
    """
    kl, shape = contract.real("kl", kl), contract.sizes("shape", shape)
    ndim = len(shape)
    once = set(contract.normalise_axes(shared_axes, ndim))
    if batch_axis is not None and ndim > 1:
        once |= set(contract.normalise_axes((batch_axis,), ndim, "batch_axis"))
    if kl.ndim > ndim:
        raise ValueError(f"kl has shape {kl.shape}; it must broadcast to {shape}")
    copies = 1
    sizes = (1,) * (ndim - kl.ndim) + kl.shape
    for axis, (drawn, size) in enumerate(zip(shape, sizes, strict=True)):
        if size == 1:
            copies *= 1 if axis in once else drawn
        elif axis in once:
            raise ValueError(
                f"kl varies along axis {axis} of {tuple(shape)}, along which one draw "
                "counts for all: factors that share a draw must share its parameters"
            )
        elif size != drawn:
            raise ValueError(f"kl has shape {kl.shape}; it must broadcast to {shape}")
    total = jnp.sum(kl)
    return jnp.asarray(copies, total.dtype) * total
