# SPDX-License-Identifier: Apache-2.0
"""The prepared data set once more, as the plain arrays that a cached load reads.

To import TFDS and to unpack its records takes a good part of a training's start
(docs/data.md). These arrays are read in a moment, and are believed on no other ground
than the records are: their SHA-256.
"""

import io
from pathlib import Path

import numpy as np

from dropout_jax.config.causes import writing
from dropout_jax.data.dataset import Part
from dropout_jax.files import write_atomically

NAME = "arrays.npz"
_SPLITS = ("train", "test")


def write(directory: Path, parts: dict[str, Part], source: str) -> None:
    """Write the parts "train" and "test", and where they came from.

    Raises:
        UserError: they cannot be written; what was there stays.
    """
    with writing(directory / NAME, 0):
        for left in directory.glob(f".{NAME}.*.tmp"):  # of a killed writer
            left.unlink(missing_ok=True)
    buffer = io.BytesIO()
    content = {
        f"{split}_{kind}": array
        for split in _SPLITS
        for kind, array in parts[split]._asdict().items()
    }
    np.savez(buffer, source=np.array(source), **content)
    write_atomically(directory / NAME, buffer.getvalue())


def read(directory: Path) -> tuple[dict[str, Part], str]:
    """Read back what `write` wrote; a damaged file raises what numpy finds."""
    # Opened here: numpy leaves open what it cannot read.
    with (directory / NAME).open("rb") as opened, np.load(opened) as file:
        parts = {
            split: Part(
                *(
                    file[f"{split}_{kind}"].astype(np.uint8, copy=False)
                    for kind in Part._fields
                )
            )
            for split in _SPLITS
        }
        return parts, str(file["source"])
