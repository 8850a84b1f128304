# SPDX-License-Identifier: Apache-2.0
"""Shifts and mirror images: exact in what they do, fair in how they draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dropout_jax.data.augment import augment

KEY = jax.random.key(7)
FALSE_ALARM = 1e-6

jitted = jax.jit(augment, static_argnames=("shift", "flip"))


# Random images without a black pixel. One shape for most tests: compiling takes
# longer than all they compute.
IMAGES = np.random.default_rng(0).uniform(0.1, 1, (60, 5, 8)).astype(np.float32)


def shifted(image, down, right):
    """The definition, pixel by pixel: what comes from outside is 0."""
    height, width = image.shape
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[row, column] = image[row - down, column - right]
    return result


def draws(key, count, shift):
    """Offsets and mirrorings, read off images with two marked pixels each."""
    side, centre = 2 * shift + 5, shift + 2
    image = np.zeros((side, side), np.float32)
    image[centre, centre], image[centre, centre + 1] = 1, 2
    images = jnp.broadcast_to(image, (count, side, side))
    results = np.asarray(jitted(key, images, shift=shift, flip=True))
    row, one = np.argwhere(results == 1)[:, 1:].T
    two = np.argwhere(results == 2)[:, 2]
    mirrored = two < one
    return (
        row - centre,
        np.where(mirrored, side - 1 - one, one) - centre,
        mirrored,
    )


@pytest.mark.parametrize(
    "images, shift", [(IMAGES, 2), (IMAGES.swapaxes(1, 2), 5)], ids=["wide", "far"]
)
def test_every_image_is_a_shift_of_itself(images, shift):
    results = np.asarray(jitted(KEY, images, shift=shift, flip=False))
    seen = set()
    for image, result in zip(images, results, strict=True):
        reach = range(-shift, shift + 1)
        matches = [
            (down, right)
            for down in reach
            for right in reach
            if np.array_equal(shifted(image, down, right), result)
        ]
        assert matches
        seen |= set(matches)
    assert {down for down, _ in seen} == {right for _, right in seen} == set(reach)


def test_flip_mirrors_left_to_right():
    results = np.asarray(jitted(KEY, IMAGES, shift=0, flip=True))
    mirrored = (results == IMAGES[:, :, ::-1]).all((1, 2))
    kept = (results == IMAGES).all((1, 2))
    assert (mirrored != kept).all()
    assert mirrored.any() and kept.any()


def test_nothing_asked_nothing_done():
    np.testing.assert_array_equal(augment(KEY, IMAGES, shift=0, flip=False), IMAGES)


def test_flip_and_shift_draw_apart():
    """Turning one on leaves what the other does alone."""
    both = jitted(KEY, IMAGES, shift=2, flip=True)
    alone = np.asarray(jitted(KEY, IMAGES, shift=2, flip=False))
    mirrored = np.asarray(jitted(KEY, IMAGES, shift=0, flip=True)) != IMAGES
    expected = np.where(mirrored.any((1, 2), keepdims=True), alone[:, :, ::-1], alone)
    np.testing.assert_array_equal(both, expected)


def test_draws_are_uniform_and_independent():
    """Chi-squared on the joint law of (down, right, mirrored), 50 equal cells.

    20,000 images; the statistic is nearly chi-squared with 49 degrees of freedom.
    The same statistic must reject offsets that miss one end, offsets equal in both
    directions, and mirroring that follows the offset.
    """
    count, shift = 20_000, 2
    down, right, mirrored = draws(KEY, count, shift)

    def p_value(down, right, mirrored):
        cell = ((down + shift) * 5 + right + shift) * 2 + mirrored
        return stats.chisquare(np.bincount(cell, minlength=50)).pvalue

    assert p_value(down, right, mirrored) > FALSE_ALARM
    # One image's draws are no guide to the next one's.
    assert p_value(down[1:], right[:-1], mirrored[:-1]) > FALSE_ALARM
    assert p_value(np.minimum(down, shift - 1), right, mirrored) < FALSE_ALARM
    assert p_value(down, down, mirrored) < FALSE_ALARM
    assert p_value(down, right, right > 0) < FALSE_ALARM


def test_key_decides():
    first, again, other = (
        np.asarray(jitted(jax.random.key(seed), IMAGES, shift=2, flip=True))
        for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_vmap_over_keys_is_the_loop():
    keys = jax.random.split(KEY, 3)
    lanes = jax.vmap(lambda key: jitted(key, IMAGES, shift=2, flip=True))(keys)
    for lane, key in zip(np.asarray(lanes), keys, strict=True):
        np.testing.assert_array_equal(lane, jitted(key, IMAGES, shift=2, flip=True))


def test_type_is_kept():
    images = (IMAGES * 200).astype(jnp.bfloat16)
    result = jitted(KEY, images, shift=2, flip=True)
    assert result.dtype == jnp.bfloat16
    wide = jitted(KEY, images.astype(np.float32), shift=2, flip=True)
    np.testing.assert_array_equal(np.asarray(result).astype(np.float32), wide)


def test_bad_arguments():
    images = jnp.zeros((2, 3, 4))
    for shift in (-1, 4):
        with pytest.raises(ValueError, match=f"shift={shift}: must be 0 to 3"):
            augment(KEY, images, shift=shift, flip=False)
    with pytest.raises(ValueError, match=r"must be \[batch, height"):
        augment(KEY, images[0], shift=1, flip=False)


@pytest.mark.parametrize(
    "given",
    [{"flip": "False"}, {"flip": 1}, {"flip": None}, {"shift": 1.0}, {"shift": True}],
)
def test_what_only_passes_for_a_flag_or_a_number_is_refused(given):
    (name,) = given
    with pytest.raises(ValueError, match=f"^{name}=.*: must be"):
        augment(KEY, jnp.ones((2, 3, 3)), **{"shift": 0, "flip": False, **given})
