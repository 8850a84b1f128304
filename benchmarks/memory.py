# SPDX-License-Identifier: Apache-2.0
"""What dropout's mask costs in memory: kept for the backward pass, or drawn again.

python -m benchmarks.memory

A mask is a function of the key and the rate: the backward pass can draw it anew
instead of reading it back. The compiler says how much each form needs at its peak
beside arguments and results.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks import measure
from dropout_jax.config.guard import guarded
from dropout_jax.transforms import dropout

NAME = "memory"
RATE = 0.5

Layer = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]  # (key, kernel, x) -> y


class Shape(NamedTuple):
    """An MLP whose layers are all equally wide.

    Attributes:
      title: what it is.
      layers: number of layers.
      width: units of each.
      batch: rows of the input.
      scanned: whether `lax.scan` runs over the layers; else they are written out,
        where the compiler sees the forward and the backward pass together.
    """

    title: str
    layers: int
    width: int
    batch: int
    scanned: bool


SHAPES = (
    Shape("deep: scan over 8 layers of 1024 units, batch 1024", 8, 1024, 1024, True),
    Shape("wide: scan over 4 layers of 512 units, batch 8192", 4, 512, 8192, True),
    Shape("the same, written out", 4, 512, 8192, False),
)


def plain(key: jax.Array, kernel: jax.Array, x: jax.Array) -> jax.Array:
    """Returns a layer with dropout on its output."""
    return dropout(key, jax.nn.relu(x @ kernel), RATE)


@jax.checkpoint
def from_the_key(key: jax.Array, x: jax.Array) -> jax.Array:
    """Returns dropout of `x` of which the backward pass keeps the key alone."""
    return dropout(key, x, RATE)


def redrawn(key: jax.Array, kernel: jax.Array, x: jax.Array) -> jax.Array:
    """Returns the same; the backward pass draws the mask from the key."""
    return from_the_key(key, jax.nn.relu(x @ kernel))


# By what becomes of the masks.
FORMS: dict[str, Layer] = {
    "kept": plain,
    "drawn again: `jax.checkpoint(dropout)`": redrawn,
    "drawn again with the layer: `jax.checkpoint(layer)`": jax.checkpoint(plain),
}


def network(layer: Layer, kernels: jax.Array, key: jax.Array, x: jax.Array, scan: bool):
    """Returns the output of the last of the layers that `kernels` has along axis 0."""

    def body(x, number_and_kernel):
        number, kernel = number_and_kernel
        return layer(jax.random.fold_in(key, number), kernel, x), None

    if scan:
        return lax.scan(body, x, (jnp.arange(len(kernels)), kernels))[0]
    for number, kernel in enumerate(kernels):
        x, _ = body(x, (number, kernel))
    return x


def compile_form(layer: Layer, shape: Shape) -> tuple[Any, tuple[Any, ...]]:
    """Returns the compiled gradient of a loss through the network, and arguments."""
    size = (shape.layers, shape.width, shape.width)
    deviation = (2.0 / shape.width) ** 0.5
    kernels = deviation * jax.random.normal(jax.random.key(0), size)
    x = jax.random.normal(jax.random.key(1), (shape.batch, shape.width))

    def loss(kernels, key, x):
        return jnp.mean(network(layer, kernels, key, x, shape.scanned) ** 2)

    values = (kernels, jax.random.key(2), x)
    return jax.jit(jax.value_and_grad(loss)).lower(*values).compile(), values


def seconds_of(compiled: Any, values: tuple[Any, ...]) -> float:
    """Returns the seconds of one call."""
    started = time.perf_counter()
    jax.block_until_ready(compiled(*values))
    return time.perf_counter() - started


def rows_of(shape: Shape, rounds: int) -> list[list[str]]:
    """Returns the table rows of one network."""
    sides, peaks, gradients = {}, {}, {}
    for form, layer in FORMS.items():
        compiled, values = compile_form(layer, shape)
        peaks[form] = compiled.memory_analysis().temp_size_in_bytes
        gradients[form] = compiled(*values)[1]
        sides[form] = functools.partial(seconds_of, compiled, values)
        # Products of a GPU are right to a thousandth; with other masks the gradient
        # would be off by as much as it is long.
        apart = jnp.linalg.norm(gradients[form] - gradients["kept"])
        same = apart <= 1e-2 * jnp.linalg.norm(gradients["kept"])
        assert bool(same), f"{form}: not the gradient of the kept masks"
    gradients.clear()
    costs = measure.alternate(sides, rounds, label=f"{shape.title}:")
    masks = shape.layers * shape.batch * shape.width
    return [
        [
            shape.title,
            f"{masks / 2**20:.0f}",
            form,
            f"{peaks[form] / 2**20:,.0f}",
            f"{(peaks[form] - peaks['kept']) / 2**20:+,.0f}",
            measure.milliseconds(costs[form]),
            str(measure.ratio(costs[form], costs["kept"])),
        ]
        for form in FORMS
    ]


def main() -> None:
    """Measures all networks and writes the table."""
    flags = measure.arguments(__doc__, 5)
    rows = []
    for shape in SHAPES:
        rows += rows_of(shape, flags.rounds)
    measure.write(
        NAME,
        "Memory of dropout's masks",
        measure.command(NAME),
        "Peak of the temporary memory of `jax.value_and_grad` through an MLP with "
        "dropout after every layer, as the compiler lays it out, and the time of a "
        f"call, median of {flags.rounds} rounds that alternate. Masks take a byte per "
        "element where they are kept. All forms have the same gradients, which is "
        "checked.",
        [
            "network",
            "masks, MiB",
            "masks are",
            "peak, MiB",
            "beside kept, MiB",
            "time, ms",
            "time / kept (range)",
        ],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
