# SPDX-License-Identifier: Apache-2.0
"""Many steps in one program, through the ends of epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def chunk(
    state: Any,
    start: jax.Array,
    stop: Any,
    steps_per_epoch: int,
    order: jax.Array,
    draw: Callable[[jax.Array], jax.Array],
    advance: Callable[[Any, jax.Array], Any],
) -> Any:
    """Returns the state at the step `stop`, however many epochs begin on the way.

    Where an epoch lasts milliseconds, a program for each would keep the device waiting
    for the host. The batches do not depend on where a chunk begins or ends.

    Args:
      state: at the step `start`.
      start: shape (), number of steps taken.
      stop: number of steps taken by the end; traced or not.
      steps_per_epoch: optimiser steps per epoch.
      order: of the epoch that `start` is in, as `draw` returns it. A chunk that begins
        in the middle of a long epoch need not draw it again.
      draw: from the number of an epoch to the order of its examples.
      advance: (state, order) -> state after one step.
    """
    first = start // steps_per_epoch

    def epoch(number, state):
        here = lax.cond(number == first, lambda: order, lambda: draw(number))
        begin = jnp.maximum(start, number * steps_per_epoch)
        end = jnp.minimum(stop, (number + 1) * steps_per_epoch)
        return lax.fori_loop(begin, end, lambda _, state: advance(state, here), state)

    return lax.fori_loop(first, -(-stop // steps_per_epoch), epoch, state)
