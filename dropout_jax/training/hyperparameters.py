# SPDX-License-Identifier: Apache-2.0
"""What of a configuration is traced, and what shapes the compiled program."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dropout_jax.config import canonical
from dropout_jax.config.errors import UserError

# Changing one of these changes numbers that flow through a program, never the
# program: a sweep over them compiles once. `seed` and the data are arguments of the run
# as well; the number of training images is not, because steps are counted by it.
TRACED = (
    ("seed",),
    ("noise", "rates"),
    ("noise", "kl_weight"),
    ("regularizer", "weight_decay"),
    ("regularizer", "l2"),
    ("regularizer", "label_smoothing"),
    ("optimizer", "learning_rate"),
    ("optimizer", "momentum"),
)


class Hyperparameters(NamedTuple):
    """Traced scalars of one trial, and the vector of its rates."""

    learning_rate: jax.Array  # shape (), peak value; the schedule multiplies it
    momentum: jax.Array  # shape ()
    rates: jax.Array  # shape (sites,), the input first
    weight_decay: jax.Array  # shape (), decoupled
    l2: jax.Array  # shape (), coefficient of half the squared norm in the loss
    label_smoothing: jax.Array  # shape ()
    kl_weight: jax.Array  # shape ()


def site_rates(noise: Any, sites: tuple[str, ...]) -> np.ndarray:
    """Returns one drop rate per site, shape (len(sites),), from `config.noise`.

    Args:
      noise: the group `config.noise`; one entry of `rates` stands for all sites, and
        for drop_path for the last, to which they rise linearly (Huang et al. 2016).
      sites: site names of the model, the input first.

    Raises:
      UserError: `rates` has neither one entry nor one per site after the input.
    """
    rates = tuple(noise.rates) or (0.0,)
    count = len(sites) - 1
    if len(rates) == 1 and noise.kind == "drop_path":
        rates = tuple(rates[0] * (i + 1) / count for i in range(count))
    elif len(rates) == 1:
        rates = rates * count
    if len(rates) != count:
        raise UserError(
            f"noise.rates has {len(rates)} entries; the model has "
            f"{count} sites ({', '.join(sites[1:])}): give one rate for all "
            "or one per site"
        )
    return np.asarray((noise.input_rate, *rates), np.float32)


def traced(config: Any, sites: tuple[str, ...]) -> Hyperparameters:
    """Returns the traced hyperparameters of `config` as float32 arrays."""
    values = {
        "learning_rate": config.optimizer.learning_rate,
        "momentum": config.optimizer.momentum,
        "rates": site_rates(config.noise, sites),
        "weight_decay": config.regularizer.weight_decay,
        "l2": config.regularizer.l2,
        "label_smoothing": config.regularizer.label_smoothing,
        "kl_weight": config.noise.kl_weight,
    }
    return Hyperparameters(
        **{name: jnp.asarray(value, jnp.float32) for name, value in values.items()}
    )


def static_signature(config: Any) -> str:
    """Returns a string equal for two configs exactly if they share their program."""
    tree = canonical(config)
    tree["noise"]["input_rate"] = tree["noise"]["input_rate"] > 0
    for *groups, name in TRACED:
        node = tree
        for group in groups:
            node = node[group]
        del node[name]
    for name in ("name", "source_dir", "validation_size", "split"):
        del tree["data"][name]
    del tree["train"]["checkpoint_seconds"], tree["train"]["keep"]
    return json.dumps(tree, sort_keys=True)
