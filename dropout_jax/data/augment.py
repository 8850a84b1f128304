# SPDX-License-Identifier: Apache-2.0
"""Random shifts and mirror images, drawn anew for each image of a batch."""

import jax
import jax.numpy as jnp
import numpy as np


def augment(key: jax.Array, images: jax.Array, *, shift: int, flip: bool) -> jax.Array:
    """Shift each image by up to `shift` pixels and mirror half of them.

    Each image gets offsets of its own, uniform on the integers -shift to shift,
    down and to the right; what moves in from outside is 0. Then it is mirrored left
    to right with probability 1/2. Shift and flip draw from keys of their own: using
    one does not change what the other draws.

    Args:
        key: Typed key.
        images: [batch, height, width], of any type.
        shift: Largest offset in pixels, 0 to the smaller side. Static.
        flip: Whether to mirror. Static.

    Returns:
        Array like `images`.

    Raises:
        ValueError: `shift` out of range or no whole number, `flip` no boolean, or
            `images` not of three dimensions.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from dropout_jax.data.augment import augment
        >>> augment(jax.random.key(0), jnp.ones((2, 3, 3)), shift=1, flip=True).shape
        (2, 3, 3)
    """
    if images.ndim != 3:
        raise ValueError(f"images {images.shape}: must be [batch, height, width]")
    if not isinstance(flip, bool | np.bool_):  # a text is true, whatever it says
        raise ValueError(f"flip={flip!r:.80}: must be True or False")
    count, *size = images.shape
    if type(shift) is bool or not isinstance(shift, int | np.integer):
        raise ValueError(f"shift={shift!r:.80}: must be a whole number")
    if not 0 <= shift <= min(size):
        raise ValueError(
            f"shift={shift}: must be 0 to {min(size)} for images {images.shape}"
        )
    shift_key, flip_key = jax.random.split(key)
    if shift:
        offsets = jax.random.randint(shift_key, (count, 2), -shift, shift + 1)
        border = ((0, 0), (shift, shift), (shift, shift))
        padded = jnp.pad(images, border)
        images = jax.vmap(
            lambda image, offset: jax.lax.dynamic_slice(image, shift - offset, size)
        )(padded, offsets)
    if flip:
        mirrored = jax.random.bernoulli(flip_key, 0.5, (count, 1, 1))
        images = jnp.where(mirrored, images[:, :, ::-1], images)
    return images
