# SPDX-License-Identifier: Apache-2.0
"""From a data set's name to its arrays, cut to size."""

import difflib
from pathlib import Path

from dropout_jax.config.errors import UserError
from dropout_jax.data import fashion_mnist, own, synthetic
from dropout_jax.data.dataset import ALL_TRAIN, Dataset

NAMES = ("fashion_mnist", "synthetic")


def load(
    name: str = "fashion_mnist",
    *,
    source_dir: str = "",
    train_size: int = ALL_TRAIN,
) -> Dataset:
    """Load a data set as uint8 arrays on the host.

    Args:
        name: "fashion_mnist" (55,000 / 5,000 / 10,000 images), "synthetic" (a tiny
            made-up one for trying things out, 512 / 128 / 128), or the path of your
            own: an `.npz` file or a directory of IDX files (docs/data.md).
        source_dir: For "fashion_mnist": directory with its four IDX files. Empty:
            they are looked for (docs/data.md tells where) and kept in a cache.
        train_size: Train on the first `train_size` images only, at least 1; 55,000,
            the default, means on all. Validation and test stay whole.

    Returns:
        The data set.

    Raises:
        UserError: unknown name, bad file, or more images asked for than there are.

    Example:
        >>> load("synthetic", train_size=100).train_images.shape
        (100, 28, 28)
    """
    if source_dir and name != "fashion_mnist":
        raise UserError(
            f"data.source_dir={source_dir!r} has no effect with data.name={name!r}: "
            "leave it empty"
        )
    if name == "fashion_mnist":
        data = fashion_mnist.load(Path(source_dir) if source_dir else None)
    elif name == "synthetic":
        data = synthetic.make()
    else:
        data = own.read(_existing(name))
    return data if train_size == ALL_TRAIN else _first(train_size, data)


def _first(size: int, data: Dataset) -> Dataset:
    """The data set with only the first `size` training images."""
    if not 1 <= size <= len(data.train_labels):
        raise UserError(
            f"data.train_size={size}: {data.name} has {len(data.train_labels)} "
            f"training images; choose 1 to that many, or {ALL_TRAIN} for all"
        )
    return data._replace(
        train_images=data.train_images[:size], train_labels=data.train_labels[:size]
    )


def _existing(name: str) -> Path:
    if Path(name).exists():
        return Path(name)
    near = difflib.get_close_matches(name, NAMES, n=1)
    raise UserError(
        f"data.name={name!r}: neither {' nor '.join(NAMES)} nor a file or directory "
        "that exists" + (f"; did you mean {near[0]!r}?" if near else "")
    )
