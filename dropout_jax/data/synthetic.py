# SPDX-License-Identifier: Apache-2.0
"""A tiny made-up data set: for smoke tests and examples, never for results."""

import hashlib

import numpy as np

from dropout_jax.data import idx
from dropout_jax.data.dataset import Dataset

_SIZES = (512, 128, 128)  # train, validation, test
_CLASSES = 10
_SIDE = 28


def make() -> Dataset:
    """Make the synthetic data set; the same bytes on any machine, for ever.

    Class c is a bright square of 8 x 8 pixels in one of ten places, on noise that
    hides it in part. The noise is SHAKE-256, which unlike a library's random
    generator never changes.

    Returns:
        512 training, 128 validation and 128 test images of 28 x 28 pixels, in 10
        classes.
    """
    count = sum(_SIZES)
    noise = hashlib.shake_256(b"dropout_jax synthetic").digest(count * _SIDE**2)
    images = np.frombuffer(noise, np.uint8).reshape(count, _SIDE, _SIDE).copy()
    images //= 2
    labels = (np.arange(count) % _CLASSES).astype(np.uint8)
    for label in range(_CLASSES):
        row, column = 4 + 10 * (label % 2), 1 + 4 * (label // 2)
        images[labels == label, row : row + 8, column : column + 8] += 64
    bounds = np.cumsum(_SIZES)[:-1]
    parts = zip(np.split(images, bounds), np.split(labels, bounds), strict=True)
    arrays = [array for part in parts for array in part]
    return Dataset(
        *arrays,
        name="synthetic",
        source="synthetic: made up by dropout_jax, not measured",
        sha256=idx.sha256(*arrays),
    )
