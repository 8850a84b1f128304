# SPDX-License-Identifier: Apache-2.0
"""Every optimisation of a training step: its time with it, and without.

python -m benchmarks.optimisations --only=draw_once,recurrence

Each is taken out by putting the plain form in its place while the program is traced;
everything else stays as it is.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from benchmarks import measure
from benchmarks.models import MODELS
from benchmarks.ours import ours
from benchmarks.step_cost import side
from dropout_jax import data
from dropout_jax.config.guard import guarded
from dropout_jax.nn import convolution, recurrent
from dropout_jax.training import programs
from dropout_jax.transforms import bits, concrete, logit_normal_integrals

NAME = "optimisations"


def plain_recurrence(read, update, start, x, kernels, bias, steps, shared):
    """Returns what `recurrence` returns; `lax.scan` makes the backward pass."""
    projected = x @ kernels[0] + bias.reshape(1, 1, -1)

    def body(carry, inputs):
        projected_t, steps_t = inputs
        product = projected_t + read(carry, steps_t, shared) @ kernels[1]
        carry = update(product, carry, steps_t, shared)
        return carry, carry[0]

    return lax.scan(body, start, (projected, steps))[1]


def plain_convolution(x, kernel, *, pool=False):
    """Returns what `patches_times_kernel` returns, by `lax.conv`."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=dimensions
    )
    return convolution.max_pool(y) if pool else y


def plain_pooling(x):
    """Returns what `max_pool` returns, by `reduce_window`."""
    return nn.max_pool(x, (2, 2), (2, 2))


def plain_draw(key, acts, draw, otherwise):
    """Returns what `draw_once` returns; the compiler may repeat the draw."""
    del key, acts, otherwise
    return draw()


def plain_mean(logit, temperature, hard):
    """Returns what `concrete._mean` returns, as an average of the mask itself."""
    del hard
    weights = concrete._along(concrete._grid(temperature)[1], logit)
    return jnp.sum(concrete._nodes(logit, temperature) * weights, -1)


class Optimisation(NamedTuple):
    """One optimisation, and what stands in its place without it.

    Attributes:
      title: what it is.
      model: name of the model it is for.
      steps: optimiser steps of a round; few where the plain form is slow.
      patches: (module, name, plain form).
      one_by_one: without it, every step is a call of the program.
      noise: its kind.
    """

    title: str
    model: str
    steps: int
    patches: tuple[tuple[Any, str, Any], ...] = ()
    one_by_one: bool = False
    noise: str = "dropout"


OPTIMISATIONS = {
    "threefry": Optimisation(
        "threefry written out, not `jax.random`'s rolled loops",
        "mlp",
        100,
        ((bits, "bits", jax.random.bits),),
    ),
    "draw_once": Optimisation(
        "the backward pass reads the forward pass's mask (`draw_once`)",
        "mlp",
        100,
        ((bits, "draw_once", plain_draw),),
    ),
    "chunks": Optimisation(
        "many steps in one program, not one call each", "mlp", 100, one_by_one=True
    ),
    "patches": Optimisation(
        "patches times kernel, not `lax.conv`, inside the loop",
        "cnn",
        3,
        ((convolution, "patches_times_kernel", plain_convolution),),
    ),
    "slices": Optimisation(
        "convolutions in slices of the batch that fit the cache",
        "cnn",
        8,
        ((convolution, "CACHE_BYTES", 2**40),),
    ),
    "pooling": Optimisation(
        "pooling that remembers one byte per window, not `reduce_window`",
        "cnn",
        8,
        ((convolution, "max_pool", plain_pooling),),
    ),
    "recurrence": Optimisation(
        "LSTM: a backward pass of its own, input and state in one product",
        "lstm",
        30,
        ((recurrent, "recurrence", plain_recurrence),),
    ),
    "concrete_mean": Optimisation(
        "concrete dropout: the mean of the mask from the narrower of two laws",
        "mlp",
        50,
        ((concrete, "_mean", plain_mean),),
        noise="concrete_dropout",
    ),
    "logit_normal_mean": Optimisation(
        "logit-normal dropout: the integral for wide logits only where there are any",
        "mlp",
        50,
        (
            (
                logit_normal_integrals,
                "lax",
                SimpleNamespace(cond=lambda _, wide, __: wide()),
            ),
        ),
        noise="logit_normal_dropout",
    ),
}


@contextlib.contextmanager
def without(patches: tuple[tuple[Any, str, Any], ...]) -> Iterator[None]:
    """Puts the plain forms in place of what is compiled meanwhile."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(programs, "_CACHE", {}))
        for module, name, plain in patches:
            stack.enter_context(mock.patch.object(module, name, plain))
        jax.clear_caches()  # what was traced before has the fast forms in it
        yield
    jax.clear_caches()  # and what is traced now has the plain ones


def sides_of(found: Optimisation, dataset: data.Dataset) -> dict[str, measure.Side]:
    """Returns both sides, compiled."""
    fields = MODELS[found.model].with_noise(found.noise)
    with without(found.patches):
        plain = ours(fields, dataset)
    if found.one_by_one:
        plain = step_by_step(plain)
    fast = ours(fields, dataset)
    return {"with": side(fast, found.steps), "without": side(plain, found.steps)}


def step_by_step(advance: Callable[[int], float]) -> Callable[[int], float]:
    """Returns the same training with a call of the program for every step."""

    def advance_one_by_one(steps: int) -> float:
        return sum(advance(1) for _ in range(steps)) / steps

    return advance_one_by_one


def main() -> None:
    """Measures all optimisations and writes the table."""
    option = measure.names(OPTIMISATIONS)
    flags = measure.arguments(__doc__, 5, [("--only", option)])
    dataset, rows = data.load(), []
    for name in flags.only:
        found = OPTIMISATIONS[name]
        sides = sides_of(found, dataset)
        costs = measure.alternate(sides, flags.rounds, label=f"{name}, per step:")
        times = [measure.milliseconds(costs[which]) for which in ("with", "without")]
        ratio = measure.ratio(costs["without"], costs["with"])
        rows.append([found.title, found.model, *times, str(ratio)])
    measure.write(
        NAME,
        "Every optimisation, with and without",
        measure.command(NAME),
        "Milliseconds of a training step with dropout, or the kind named, median of "
        f"{flags.rounds} rounds that alternate. The compilation cache and the imports "
        "have their own table, startup.md.",
        ["optimisation", "model", "with, ms", "without, ms", "without / with (range)"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
