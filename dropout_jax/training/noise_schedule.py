# SPDX-License-Identifier: Apache-2.0
"""How the rates of a run change while it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.typing import ArrayLike

from dropout_jax.config.steps import steps
from dropout_jax.transforms import schedules


def rate_factor(noise: Any, steps_per_epoch: int) -> Callable[[ArrayLike], jax.Array]:
    """Returns the function step -> factor in [0, 1] on all rates of the run.

    Args:
      noise: the group `config.noise`.
      steps_per_epoch: optimiser steps per epoch.

    Example:
      >>> from dropout_jax.config import defaults
      >>> float(rate_factor(defaults().noise, 100)(7))
      1.0
    """
    count = max(1, steps(noise.schedule_epochs, steps_per_epoch))
    # Of two changes that fall on one step, the later holds.
    changes = {
        max(1, steps(end, steps_per_epoch)): factor
        for end, factor in zip(
            noise.piecewise_epochs, noise.piecewise_factors[1:], strict=True
        )
    }
    return {
        "constant": lambda: schedules.constant(1.0),
        "linear": lambda: schedules.linear(0.0, 1.0, count),
        "early": lambda: schedules.early(1.0, count),
        "late": lambda: schedules.late(1.0, count),
        "curriculum": lambda: schedules.curriculum(1.0, 1.0 / count),
        "annealed": lambda: schedules.annealed(1.0, 1.0 / count),
        "piecewise": lambda: schedules.piecewise(
            (*noise.piecewise_factors[:1], *changes.values()), tuple(changes)
        ),
    }[noise.schedule]()
