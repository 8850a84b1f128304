# SPDX-License-Identifier: Apache-2.0
"""What the models demand of their arguments, each in one line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import jax

from dropout_jax.arguments import shown, whole_numbers


def check_images(images: jax.Array, axes: int | None = 3) -> None:
    """Raises ValueError unless there is an image at least, and each has its axes.

    Args:
      images: what the model is called with.
      axes: how many `images` must have; None for two or more.
    """
    shape = tuple(images.shape)
    if len(shape) < 2 or (axes is not None and len(shape) != axes):
        hint = ""
        if len(shape) == 4 and axes == 3:
            hint = "; make one of several channels: images.mean(-1)"
        elif len(shape) < 3:
            hint = "; give a single image as images[None]"
        layout = "[batch, height, width]" if axes == 3 else "[batch, ...]"
        raise ValueError(f"images have shape {shape}; the model takes {layout}{hint}")
    if 0 in shape:
        raise ValueError(
            f"images have shape {shape}, in which there is no pixel; give at least one "
            "image"
        )


def check_rates(rates: Any, sites: Sequence[str]) -> None:
    """Raises unless there is one rate for each noise site.

    JAX would take the last rate of an array for one that is missing.
    """
    axes = getattr(rates, "ndim", None)
    if axes not in (None, 1) or not hasattr(rates, "__len__"):
        raise TypeError(
            f"rates is {shown(rates)}; give one rate for each site of the model: "
            f"{', '.join(sites)}"
        )
    if len(rates) != len(sites):
        raise ValueError(
            f"there are {len(rates)} rates and {len(sites)} sites: give one rate for "
            f"each of {', '.join(sites)}"
        )


def check_sizes(**sizes: Any) -> None:
    """Raises unless all are whole numbers of at least 1, each one or several.

    Raises:
      TypeError: one is no whole number.
      ValueError: one is below 1.
    """
    for name, values in sizes.items():
        whole_numbers(name, values, 1)


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raises ValueError unless `value`, called `name`, is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(map(repr, choices))
        raise ValueError(f"{name} is {shown(value)}; it must be one of {known}")
