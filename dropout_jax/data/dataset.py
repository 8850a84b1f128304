# SPDX-License-Identifier: Apache-2.0
"""What every data set is to the rest of the package: six arrays and their origin."""

from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    """Images with their labels."""

    images: np.ndarray  # uint8 [n, H, W]
    labels: np.ndarray  # uint8 [n]

    def rows(self, start: int | None, stop: int | None) -> "Part":
        """The examples from `start` up to `stop`, counted as in a slice."""
        return Part(self.images[start:stop], self.labels[start:stop])

    def at(self, places: np.ndarray) -> "Part":
        """The examples at some places."""
        return Part(self.images[places], self.labels[places])


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
    own: bool = False  # a user's: fewer of its images are drawn, not the first ones
    split: str = ""  # rule by which its validation set was drawn; "" if it has one
    remarks: tuple[str, ...] = ()  # what a run says of it, a line each

    @property
    def num_classes(self) -> int:
        """The largest label of any split, plus one."""
        labels = (self.train_labels, self.validation_labels, self.test_labels)
        return 1 + max(int(split.max()) for split in labels)

    @property
    def inputs(self) -> dict[str, str]:
        """What of it makes another result: its content, and how it was split."""
        return {"data": self.sha256, **({"split": self.split} if self.split else {})}

    def part(self, split: str) -> Part:
        """Images and labels of "train", "validation" or "test"."""
        return Part(*(getattr(self, f"{split}_{kind}") for kind in Part._fields))

    def with_part(self, split: str, part: Part) -> "Dataset":
        """The data set with other images and labels in a split."""
        return self._replace(
            **{f"{split}_{kind}": array for kind, array in part._asdict().items()}
        )
