# SPDX-License-Identifier: Apache-2.0
"""The training objective: cross-entropy, an L2 penalty and the KL of learned noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict

from dropout_jax import transforms
from dropout_jax.evaluation.labels import check_labels
from dropout_jax.nn.noise import PREFIX
from dropout_jax.training.optimizers import is_kernel


def cross_entropy(
    logits: jax.Array, labels: jax.Array, label_smoothing: Any
) -> jax.Array:
    """Returns the mean cross-entropy, nats per example.

    Args:
      logits: [batch, classes].
      labels: [batch] integers in [0, classes).
      label_smoothing: mass spread evenly over all classes, [0, 1).

    Returns:
      Scalar. Traced labels are not looked at, for that would change its bits: those
      of a run were checked when its data were read.

    Raises:
      ValueError: a concrete label that is no class.
    """
    check_labels(labels, logits.shape)
    targets = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    targets = optax.smooth_labels(targets, label_smoothing)
    return jnp.mean(optax.softmax_cross_entropy(logits, targets))


def l2_penalty(params: Any) -> jax.Array:
    """Returns half the squared norm of all kernels (biases and noise left out)."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return 0.5 * sum(
        (jnp.sum(leaf**2) for path, leaf in leaves if is_kernel(path)), jnp.zeros(())
    )


def concrete_weight_kl(
    params: Any, readers: Mapping[str, str], length_scale: float
) -> jax.Array:
    """Returns the part of concrete dropout's KL that the weights have, nats.

    Args:
      params: of the model.
      readers: path of the kernel that reads each noise site, by site; of a flattened
        map the kernel has a row per pixel and channel.
      length_scale: inverse standard deviation of the prior on the weights.
    """
    leaves: dict[str, Any] = flatten_dict(dict(params), sep="/")
    total = jnp.zeros(())
    for site, path in readers.items():
        logit = leaves.get(f"noise_{site}/{PREFIX}logit_rate")
        if logit is not None:
            kernel = leaves[path].reshape(-1, logit.size, leaves[path].shape[-1])
            total += transforms.concrete_weight_kl(
                kernel, logit, length_scale=length_scale
            )
    return total


def kl_warmup(step: jax.Array, warmup_steps: float) -> jax.Array:
    """Returns the factor on the KL: linear from 0 to 1 over the first steps.

    References: Sonderby et al. 2016; Molchanov et al. 2017, section 4.3, where the
    noise would otherwise wash out the weights before they mean anything.
    """
    if warmup_steps == 0:
        return jnp.ones(())
    return jnp.minimum(1.0, step.astype(jnp.float32) / warmup_steps)
