# SPDX-License-Identifier: Apache-2.0
"""What is no array of images is refused, with what would make it one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.data.images import refuse_other

GOOD = np.random.default_rng(0).integers(0, 256, (3, 4, 6), np.uint8)
FIXES = {
    "scaled": (GOOD / 255, "(images * 255).round().astype(np.uint8)"),
    "half precision": ((GOOD / 255).astype(np.float16), "(images * 255).round()"),
    "floats": (GOOD.astype(np.float32), "images.round().astype(np.uint8)"),
    "integers": (GOOD.astype(np.int64), "images.astype(np.uint8)"),
    "zeros and ones": ((GOOD > 99).astype(int), "times 255 where 1 is white"),
    "booleans": (GOOD > 99, "images.astype(np.uint8) * 255"),
    "standardized": (GOOD / 64 - 2.0, "before they were scaled"),
    "not a number": (GOOD * np.nan, "before they were scaled"),
    "text": (np.array(["a.png"]), "an array of numbers"),
    "objects": (np.array([None]), "an array of numbers"),
    "complex": (GOOD * 1j, "an array of numbers"),
    "one image": (GOOD[0], "images[None]"),
    "one flat image": (GOOD[0].ravel(), "images.reshape(-1, 4, 6)"),
    "flat": (GOOD.reshape(3, 24), "images.reshape(-1, 4, 6)"),
    "a channel at the end": (GOOD[..., None], "images[..., 0]"),
    "a channel in front": (GOOD[:, None], "images[:, 0]"),
    "colors": (np.stack([GOOD] * 3, -1), "there are 3 colors"),
    "colors in front": (np.stack([GOOD] * 3, 1), "there are 3 colors"),
    "turned": (GOOD.swapaxes(1, 2), "images.swapaxes(1, 2)"),
    "batch at the end": (np.moveaxis(GOOD, 0, -1), "np.moveaxis(images, -1, 0)"),
    "smaller": (GOOD[:, 1:], "of the size that it was trained on"),
    "none": (GOOD[:0], "at least one image"),
}


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
@pytest.mark.parametrize("images, fix", FIXES.values(), ids=FIXES.keys())
def test_what_would_make_it_images_is_said(images, fix, kind):
    if kind is jnp.asarray and images.dtype.kind in "UO":
        kind = np.asarray
    with pytest.raises(UserError) as caught:
        refuse_other("images", kind(images), (4, 6))
    said = str(caught.value)
    assert fix in said and "must be uint8 (n, 4, 6), from 0 to 255: " in said
    assert str(tuple(images.shape)) in said and said.count("\n") == 0


WORKS = {
    "scaled": lambda images: (images * 255).round().astype(np.uint8),
    "floats": lambda images: images.round().astype(np.uint8),
    "integers": lambda images: images.astype(np.uint8),
    "flat": lambda images: images.reshape(-1, 4, 6),
    "a channel in front": lambda images: images[:, 0],
    "batch at the end": lambda images: np.moveaxis(images, -1, 0),
}


@pytest.mark.parametrize("name", WORKS)
def test_the_fix_works(name):
    made = WORKS[name](FIXES[name][0])
    refuse_other("images", made, (4, 6))
    np.testing.assert_array_equal(made, GOOD)


def test_the_range_is_told():
    with pytest.raises(UserError, match=r"float64 .*, from -2 to 1\.9"):
        refuse_other("images", np.array([[[-2.0, 1.9]]]), (1, 2))


def test_images_pass_traced_or_not():
    for images in (GOOD, jnp.asarray(GOOD)):
        refuse_other("images", images, (4, 6))
    jax.jit(lambda x: refuse_other("images", x, (4, 6)) or x)(GOOD)
    with pytest.raises(UserError, match=r"images: float32 \(3, 4, 6\); must be uint8"):
        jax.jit(lambda x: refuse_other("images", x, (4, 6)) or x)(GOOD / 255)
