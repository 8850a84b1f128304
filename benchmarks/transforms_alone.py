# SPDX-License-Identifier: Apache-2.0
"""Dropout and Gaussian dropout alone, beside other libraries and a multiplication.

python -m benchmarks.transforms_alone --rounds=7

`x * 2` reads and writes what a transform must read and write: it is the limit that
the memory sets.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import torch

from benchmarks import machine, measure
from benchmarks.peers import threads
from dropout_jax.config.guard import guarded
from dropout_jax.transforms import dropout, gaussian_dropout
from dropout_jax.transforms.bernoulli import bernoulli_mask

NAME = "transforms_alone"
machine.keep_freed_memory()  # before JAX has threads, each with a heap of its own
# On an accelerator so large that starting a program takes next to nothing of its time.
SHAPE = (2048, 2048) if machine.on_cpu() else (16384, 16384)
RATE = 0.5
STD = (RATE / (1.0 - RATE)) ** 0.5

Transform = Callable[[jax.Array, jax.Array], jax.Array]  # (key, x) -> y


def flax_dropout(key: jax.Array, x: jax.Array) -> jax.Array:
    """Returns what stock Flax's layer makes of `x`."""
    layer = nn.Dropout(RATE, deterministic=False)
    return layer.apply({}, x, rngs={"dropout": key})


def plain_gaussian(key: jax.Array, x: jax.Array) -> jax.Array:
    """Returns Gaussian dropout as one would write it with jax.random."""
    return x * (1.0 + STD * jax.random.normal(key, x.shape))


def twice(key: jax.Array, x: jax.Array) -> jax.Array:
    """Returns `x * 2`."""
    del key
    return x * 2.0


def our_dropout(key: jax.Array, x: jax.Array) -> jax.Array:
    """Returns our dropout of `x`."""
    return dropout(key, x, RATE)


def our_gaussian(key: jax.Array, x: jax.Array) -> jax.Array:
    """Returns our Gaussian dropout of `x`."""
    return gaussian_dropout(key, x, RATE)


def jax_side(transform: Transform, backward: bool) -> measure.Side:
    """Returns a side: the transform, jitted, with its backward pass or without."""
    key, x = jax.random.key(0), jax.random.normal(jax.random.key(1), SHAPE)
    upstream = jnp.ones(SHAPE)

    def both(key, x, upstream):
        y, pull = jax.vjp(lambda x: transform(key, x), x)
        return y, pull(upstream)

    compiled: Any = jax.jit(both) if backward else jax.jit(transform)
    values = (key, x, upstream) if backward else (key, x)
    return measure.repeated(lambda: jax.block_until_ready(compiled(*values)))


def torch_side(backward: bool) -> measure.Side:
    """Returns PyTorch's dropout as a side."""
    from benchmarks.peers.torch_models import DEVICE

    x = torch.randn(SHAPE, device=DEVICE, requires_grad=backward)
    upstream = torch.ones(SHAPE, device=DEVICE)

    def call() -> None:
        y = torch.nn.functional.dropout(x, RATE)
        if backward:
            x.grad = None
            y.backward(upstream)
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return threads.better_repeated(call)


def check_bits() -> str:
    """Returns what was checked: our draws are those of jax.random.

    Raises:
      AssertionError: they are not.
    """
    key, x = jax.random.key(0), jax.random.normal(jax.random.key(1), SHAPE)
    mask = jax.random.bernoulli(key, 1.0 - RATE, SHAPE)
    assert bool(jnp.array_equal(bernoulli_mask(key, RATE, SHAPE), mask))
    expected = jnp.where(mask, x / (1.0 - RATE), 0.0)
    assert bool(jnp.array_equal(our_dropout(key, x), expected))
    apart = jnp.abs(our_gaussian(key, x) - plain_gaussian(key, x)).max()
    return (
        f"Checked before timing: all {mask.size:,} entries of the mask equal "
        "`jax.random.bernoulli` bit for bit, and the output that of `where`; Gaussian "
        f"dropout is at most {float(apart):.1g} from `x * (1 + s * "
        "jax.random.normal(...))`."
    )


def rows_of(
    name: str, sides: dict[str, measure.Side], backward: bool, rounds: int
) -> list[list[str]]:
    """Returns the table rows of one transform: what it is compared with, and how.

    Args:
      name: of the transform.
      sides: `"ours"`, `"x * 2"` and others.
      backward: whether the backward pass is in the time.
      rounds: rounds that count.
    """
    what = "forward + backward" if backward else "forward"
    costs = measure.alternate(sides, rounds, label=f"{name}, {what}:")
    mine = costs["ours"]
    rows = []
    for side, cost in costs.items():
        if side not in ("ours", "x * 2"):
            times = str(measure.ratio(cost, mine))
            found = (measure.milliseconds(mine), measure.milliseconds(cost), times)
            rows.append([name, what, side, *found])
    limit = costs["x * 2"]
    times = (measure.milliseconds(mine), measure.milliseconds(limit))
    # Backward reads the gradient and writes another: as much again.
    bytes_moved = (4 if backward else 2) * 4 * SHAPE[0] * SHAPE[1]
    share = measure.ratio(limit, mine)
    speed = bytes_moved / statistics.median(mine) / 1e9
    bandwidth = bytes_moved / statistics.median(limit) / 1e9
    return [
        *rows,
        [name, what, "`x * 2`", *times, f"1/{measure.ratio(mine, limit)}"],
        [
            name,
            what,
            "share of memory bandwidth",
            f"{speed:.1f} GB/s",
            f"{bandwidth:.1f} GB/s",
            str(share),
        ],
    ]


def main() -> None:
    """Measures both transforms and writes the table."""
    flags = measure.arguments(__doc__, 7)
    checked = check_bits()
    measure.progress(checked)
    rows = []
    for backward in (False, True):
        limit = jax_side(twice, backward)
        sides = {
            "ours": jax_side(our_dropout, backward),
            "`flax.linen.Dropout`": jax_side(flax_dropout, backward),
            "`torch.nn.functional.dropout`": torch_side(backward),
            "x * 2": limit,
        }
        rows += rows_of("`dropout`", sides, backward, flags.rounds)
        sides = {
            "ours": jax_side(our_gaussian, backward),
            "`x * (1 + s * jax.random.normal(...))`": jax_side(
                plain_gaussian, backward
            ),
            "x * 2": limit,
        }
        rows += rows_of("`gaussian_dropout`", sides, backward, flags.rounds)
    measure.write(
        NAME,
        "The transforms alone",
        measure.command(NAME),
        f"{SHAPE[0]}x{SHAPE[1]} float32, rate {RATE}. {checked}\n\nMilliseconds, "
        f"median of {flags.rounds} rounds that alternate; the last column is how many "
        "times as long the other side takes, round by round, with its range. Beside "
        "`x * 2` it is the inverse of how many times as long ours takes. PyTorch at "
        "its better number of threads. Bytes moved are those of input and output, and "
        "of their gradients; bandwidth is what `x * 2` reaches. The process keeps the "
        "memory it frees, so that no side pays for fresh pages.",
        [
            "transform",
            "pass",
            "beside",
            "ours, ms",
            "theirs, ms",
            "theirs / ours (range)",
        ],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
