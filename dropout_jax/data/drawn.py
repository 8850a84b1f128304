# SPDX-License-Identifier: Apache-2.0
"""A training and a validation set that a seed draws from all images but the test set.

Replicates on one fixed training set share what is special about it. A replicate that
draws its own set lets the spread between replicates include the choice of the images.
"""

import hashlib

import numpy as np

from dropout_jax.config.errors import UserError
from dropout_jax.data.dataset import Dataset, Part


def draw(data: Dataset, seed: int, train_size: int, validation_size: int) -> Dataset:
    """Returns the data set with the training and validation images of one seed.

    The pool is the N training images followed by the validation images; rounds of
    m = N // train_size seeds share one permutation of it (`permutation`). Seed s takes
    block s % m of the permutation of round s // m, so that the training sets of one
    round are disjoint. Validation images are the first of the seed's own permutation
    that are not in its training set.

    Args:
        data: The whole data set; its test set stays as it is.
        seed: Of the run, 0 or more.
        train_size: Number of training images; 0: all that do not validate.
        validation_size: Number of validation images; 0: as many as `data` has.

    Returns:
        The data set; `sha256` stays that of the whole content.

    Raises:
        UserError: the pool has fewer images.

    Example:
        >>> from dropout_jax.data import load
        >>> one, other = (draw(load("synthetic"), s, 100, 50) for s in (0, 1))
        >>> len(one.train_labels), len(one.validation_labels), len(one.test_labels)
        (100, 50, 128)
        >>> (one.train_images == other.train_images).all().item()
        False
    """
    pool = Part(
        np.concatenate([data.train_images, data.validation_images]),
        np.concatenate([data.train_labels, data.validation_labels]),
    )
    count = len(pool.labels)
    asked = f"data.train_size={train_size} and data.validation_size={validation_size}"
    validation_size = validation_size or len(data.validation_labels)
    train_size = train_size or count - validation_size
    if min(train_size, validation_size) < 1 or train_size + validation_size > count:
        raise UserError(
            f"{asked}: {data.name} has {count} images that are not test images to draw "
            "from; choose at least 1 and together at most that many, or "
            "data.train_size=0 for all that do not validate"
        )
    training = _training(seed, train_size, count)
    own = permutation("validation", seed, count)
    validation = own[~np.isin(own, training)][:validation_size]
    return data._replace(
        train_images=pool.images[training],
        train_labels=pool.labels[training],
        validation_images=pool.images[validation],
        validation_labels=pool.labels[validation],
    )


def _training(seed: int, size: int, count: int) -> np.ndarray:
    """The places in the pool of one seed's training images, int64 [size]."""
    turn, block = divmod(seed, count // size)
    return permutation("training", turn, count)[block * size : (block + 1) * size]


def permutation(purpose: str, number: int, count: int) -> np.ndarray:
    """Returns the permutation of a purpose and a number, the same for ever.

    It sorts the first `count` outputs of Philox4x64-10 (Salmon et al. 2011), 64 bits
    each, equal ones in order. The key is the first 16 bytes, little-endian, of the
    SHA-256 of "dropout_jax PURPOSE NUMBER". numpy guarantees these outputs for all
    versions, unlike those of `Generator.permutation`.

    Args:
        purpose: What is permuted; others give independent permutations.
        number: 0 or more.
        count: Number of places.

    Returns:
        int64 [count].

    Example:
        >>> permutation("training", 0, 5).tolist()
        [1, 2, 3, 0, 4]
    """
    name = f"dropout_jax {purpose} {number}".encode()
    key = int.from_bytes(hashlib.sha256(name).digest()[:16], "little")
    return np.argsort(np.random.Philox(key=key).random_raw(count), kind="stable")
