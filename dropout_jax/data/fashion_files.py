# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST's four files: what they must contain, to the last bit.

References:
    H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
    Benchmarking Machine Learning Algorithms", arXiv:1708.07747, 2017.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from dropout_jax.config.errors import UserError
from dropout_jax.data import idx
from dropout_jax.data.dataset import Part

CLASSES = 10


class File(NamedTuple):
    """One of the four files, and the SHA-256 of what is in it when unpacked."""

    name: str
    shape: tuple[int, ...]
    sha256: str


class Prepared(NamedTuple):
    """Parts "train" and "test", and where their bytes came from."""

    parts: dict[str, Part]
    source: str


# Debian packs the files anew, so the digest is of the unpacked content.
FILES = (
    File(
        "train-images-idx3-ubyte",
        (60_000, 28, 28),
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    File(
        "train-labels-idx1-ubyte",
        (60_000,),
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    File(
        "t10k-images-idx3-ubyte",
        (10_000, 28, 28),
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    File(
        "t10k-labels-idx1-ubyte",
        (10_000,),
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
# Of the four unpacked files, one after the other in the order above.
SHA256 = "14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214"


def read_files(directory: Path) -> dict[str, Part]:
    """Read the four files and check them to the last bit.

    Args:
        directory: Where they lie, gzip-packed (`.gz`) or not.

    Returns:
        Parts "train" (60,000) and "test" (10,000), in the original order.

    Raises:
        UserError: a file is missing, damaged, or not Fashion-MNIST's.
    """
    train_images, train_labels, test_images, test_labels = (
        _read_file(directory, file) for file in FILES
    )
    return {
        "train": Part(train_images, train_labels),
        "test": Part(test_images, test_labels),
    }


def _read_file(directory: Path, file: File) -> np.ndarray:
    path = idx.find(directory, file.name)
    array = idx.read(path, len(file.shape), file.shape)
    found = idx.sha256(array)
    if found != file.sha256:
        raise UserError(
            f"{path}: not Fashion-MNIST's content: expected sha256 "
            f"{file.sha256} when unpacked, found {found}"
        )
    return array
