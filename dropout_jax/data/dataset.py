# SPDX-License-Identifier: Apache-2.0
"""What every data set is to the rest of the package: six arrays and their origin."""

from typing import NamedTuple

import numpy as np

# The default of `train_size`: Fashion-MNIST's 60,000 less 5,000 for validation.
ALL_TRAIN = 55_000


class Dataset(NamedTuple):
    """Images and labels in three splits, on the host.

    Everything is chosen on `validation`; `test` is for the end of a run.
    """

    train_images: np.ndarray  # uint8 [n, H, W], 0 = background
    train_labels: np.ndarray  # uint8 [n]
    validation_images: np.ndarray
    validation_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    name: str
    source: str  # where the bytes came from, one line
    sha256: str  # of the whole unpacked content, whatever train_size is

    @property
    def num_classes(self) -> int:
        """The largest label of any split, plus one."""
        labels = (self.train_labels, self.validation_labels, self.test_labels)
        return 1 + max(int(split.max()) for split in labels)


class Part(NamedTuple):
    """Images with their labels."""

    images: np.ndarray  # uint8 [n, H, W]
    labels: np.ndarray  # uint8 [n]

    def rows(self, start: int | None, stop: int | None) -> "Part":
        """The examples from `start` up to `stop`, counted as in a slice."""
        return Part(self.images[start:stop], self.labels[start:stop])
