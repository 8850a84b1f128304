# SPDX-License-Identifier: Apache-2.0
"""PyTorch at its better number of threads: one, or all."""

from __future__ import annotations

import torch

from benchmarks import machine, measure

NUMBERS = tuple(sorted({1, machine.threads()}))


def better(side: measure.Side) -> measure.Side:
    """Returns a side that runs `side` at each number of threads; the least cost."""

    def best() -> float:
        costs = []
        for number in NUMBERS:
            torch.set_num_threads(number)
            costs.append(side())
        return min(costs)

    return best


def better_repeated(call, seconds: float = 0.2) -> measure.Side:
    """Returns `measure.repeated` of a call at the better number of threads.

    Args:
      call: does the work and waits for its end.
      seconds: how long a round takes at each number, about.
    """
    # One side per number: each counts its own repetitions.
    sides = {number: measure.repeated(call, seconds) for number in NUMBERS}

    def best() -> float:
        costs = []
        for number, side in sides.items():
            torch.set_num_threads(number)
            costs.append(side())
        return min(costs)

    return best
