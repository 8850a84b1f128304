# SPDX-License-Identifier: Apache-2.0
"""A TFDS builder for Fashion-MNIST that needs no TensorFlow.

TFDS's own builder packs each image as PNG with TensorFlow. This one keeps raw
bytes (`features.Tensor`, encoding "bytes") in ArrayRecord, a format that checks
itself. A record is a block of 1,000 images, since each costs time in Python.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from dropout_jax.data.dataset import Part
from dropout_jax.data.quiet import quiet

BLOCK = 1_000


class FashionMnistBlocks(tfds.core.GeneratorBasedBuilder):
    """Fashion-MNIST in its original order, 1,000 images and labels to a record."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(
        self, parts: dict[str, Part] | None = None, source: str = "", **kwargs: Any
    ):
        self._parts = parts or {}
        self._source = source
        super().__init__(file_format="array_record", **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        def block(*shape: int) -> tfds.features.Tensor:
            return tfds.features.Tensor(
                shape=(BLOCK, *shape), dtype=np.uint8, encoding="bytes"
            )

        return tfds.core.DatasetInfo(
            builder=self,
            description="Zalando's article images, 28x28 grey, 10 classes.",
            homepage="https://github.com/zalandoresearch/fashion-mnist",
            features=tfds.features.FeaturesDict(
                {"image": block(28, 28), "label": block()}
            ),
            # The validation split is a tail: the order is part of the content.
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(source=self._source),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager  # The files are here, and verified, before TFDS starts.
        return {
            split: self._generate_examples(part) for split, part in self._parts.items()
        }

    def _generate_examples(self, part: Part) -> Iterator[tuple[int, dict]]:
        for first in range(0, len(part.labels), BLOCK):
            images, labels = part.rows(first, first + BLOCK)
            yield first // BLOCK, {"image": images, "label": labels}


def prepare(directory: Path, parts: dict[str, Part], source: str) -> None:
    """Write `parts` (split name to images and labels) as a TFDS data set.

    Args:
        directory: New TFDS data directory.
        parts: Images uint8 [n, 28, 28] and labels uint8 [n], n a multiple of 1,000.
        source: Where the bytes came from; kept in the data set's metadata.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with quiet():
            FashionMnistBlocks(parts, source, data_dir=directory).download_and_prepare()
    except RuntimeError as error:  # ArrayRecord's word for a disk that is full
        raise OSError(str(error).partition(";")[0]) from error


def read(directory: Path) -> tuple[dict[str, Part], str]:
    """Read back what `prepare` wrote: the parts by split name, and their source."""
    with quiet():
        builder: Any = FashionMnistBlocks(data_dir=directory)  # typed too loosely
        parts = {}
        for split in builder.info.splits:
            records = builder.as_data_source(split)
            blocks = records.__getitems__(list(range(len(records))))
            parts[split] = Part(
                np.concatenate([block["image"] for block in blocks]),
                np.concatenate([block["label"] for block in blocks]),
            )
        return parts, builder.info.metadata["source"]
