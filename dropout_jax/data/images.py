# SPDX-License-Identifier: Apache-2.0
"""What images are in this package, uint8 of one size; how to make them of others."""

import math
from typing import Any

import numpy as np

from dropout_jax.config.errors import UserError

SIZE = ("height", "width")


def refuse_other(where: str, images: Any, size: tuple[Any, ...] = SIZE) -> None:
    """Refuses what is not an array of images, and says what would make it one.

    Args:
        where: What the images are called, for the message.
        images: An array; of one that JAX traces, type and shape are asked alone.
        size: Height and width, pixels; by default any.

    Raises:
        UserError: not uint8, not [n, height, width] of that size, or none at all.

    Example:
        >>> refuse_other("images", np.zeros((2, 28, 28)), (28, 28))
        Traceback (most recent call last):
        dropout_jax.config.errors.UserError: images: float64 (2, 28, 28), from 0 to 0; \
must be uint8 (n, 28, 28), from 0 to 255: give (images * 255).round().astype(np.uint8)
    """
    shape = tuple(images.shape)
    if images.dtype != np.uint8:
        fix = _fix_of_type(images)
    elif len(shape) != 3 or 0 in shape or size not in (SIZE, shape[1:]):
        fix = _fix_of_shape(shape, size)
    else:
        return
    allowed = ", ".join(map(str, ("n", *size)))
    raise UserError(
        f"{where}: {images.dtype} {shape}{_range(images)}; must be uint8 ({allowed}), "
        f"from 0 to 255: {fix}"
    )


def _range(images: Any) -> str:
    least, most = _ends(images)
    return "" if least is None else f", from {least:g} to {most:g}"


def _ends(images: Any) -> tuple[Any, Any]:
    """The least and the largest value; None where there are no such."""
    kind = np.dtype(images.dtype).kind
    try:
        values = np.asarray(images)
    except TypeError:  # traced
        return None, None
    if kind not in "buif" or not values.size:
        return None, None
    return values.min(), values.max()


def _fix_of_type(images: Any) -> str:
    kind, (least, most) = np.dtype(images.dtype).kind, _ends(images)
    if kind == "b":
        return "give images.astype(np.uint8) * 255"
    if kind not in "uif":
        return "give an array of numbers"
    if least is None:
        return "give them as they were before they were scaled"
    if kind == "f" and 0 <= least and most <= 1:
        return "give (images * 255).round().astype(np.uint8)"
    if 0 <= least and most <= 255:
        times = ", times 255 where 1 is white" if most <= 1 else ""
        rounded = ".round()" if kind == "f" else ""
        return f"give images{rounded}.astype(np.uint8){times}"
    return "give them as they were before they were scaled"


def _fix_of_shape(shape: tuple[int, ...], size: tuple[Any, ...]) -> str:
    """How to make images of the right shape of what has the same numbers in another."""
    channels = "images have one channel"
    if 0 in shape:
        return "give at least one image, of at least one pixel"
    if len(shape) == 4 and shape[-1] == 1:
        return "give images[..., 0]"
    if len(shape) == 4 and shape[1] == 1:
        return "give images[:, 0]"
    if len(shape) == 4 and (shape[-1] in (3, 4) or shape[1] in (3, 4)):
        return f"{channels}, and there are {shape[-1 if shape[-1] < 5 else 1]} colors"
    if size == SIZE:
        return "give images.reshape(n, height, width)"
    pixels, height_width = math.prod(size), ", ".join(map(str, size))
    if shape == size:
        return "give images[None], a batch of one image"
    if shape == (*size, 1) or (len(shape) == 3 and shape[:2] == size):
        return "give np.moveaxis(images, -1, 0)"
    if shape[-1] == pixels and len(shape) < 3:
        return f"give images.reshape(-1, {height_width})"
    if shape[1:] == size[::-1]:
        return "give images.swapaxes(1, 2)"
    return "give images of the size that it was trained on"
