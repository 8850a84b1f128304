# SPDX-License-Identifier: Apache-2.0
"""From a data set's name to its arrays, cut to size."""

from pathlib import Path

from dropout_jax.config.alike import hint
from dropout_jax.config.errors import UserError
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.config.places import NOTHING, missing
from dropout_jax.data import drawn, fashion_mnist, own, synthetic
from dropout_jax.data.dataset import ALL_TRAIN, Dataset

NAMES = ("fashion_mnist", "synthetic")


def load(
    name: str = "fashion_mnist",
    *,
    source_dir: str = "",
    train_size: int = ALL_TRAIN,
    validation_size: int = 0,
    split: str = "given",
    seed: int = 0,
) -> Dataset:
    """Load a data set as uint8 arrays on the host.

    Args:
        name: "fashion_mnist" (55,000 / 5,000 / 10,000 images), "synthetic" (a tiny
            made-up one for trying things out, 512 / 128 / 128), or the path of your
            own: an `.npz` file or a directory of IDX files (docs/data.md).
        source_dir: For "fashion_mnist": directory with its four IDX files. Empty:
            they are looked for (docs/data.md tells where) and kept in a cache.
        train_size: As for `cut`, as are the others.
        validation_size: Number of validation images.
        split: Which images train and which validate.
        seed: Of the run.

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
    return cut(
        data,
        train_size=train_size,
        validation_size=validation_size,
        split=split,
        seed=seed,
    )


def cut(
    data: Dataset, *, train_size: int, validation_size: int, split: str, seed: int
) -> Dataset:
    """Cut a whole data set to what one run trains and validates on.

    Args:
        data: As `load` returns it by default; its test set stays whole.
        train_size: With "given": train on the first `train_size` training images,
            where 55,000, the default of a run, means on all. With "drawn": exactly so
            many images.
        validation_size: Validate on so many images, with "given" the first ones of
            the validation set; 0: on as many as the data set has.
        split: "given", the sets that the data set has; or "drawn", sets that the seed
            draws from training and validation images together (`drawn.draw`).
        seed: Of the run; used by "drawn".

    Returns:
        The data set; `sha256` stays that of the whole content.

    Raises:
        UserError: more images asked for than there are.

    Example:
        >>> sizes = {"train_size": 600, "validation_size": 40}
        >>> len(cut(load("synthetic"), split="drawn", seed=1, **sizes).train_labels)
        600
    """
    if split == "drawn":
        return drawn.draw(data, seed, train_size, validation_size)
    if train_size != ALL_TRAIN:
        _check("train_size", train_size, data, "training", f"{ALL_TRAIN} for all")
        data = data._replace(
            train_images=data.train_images[:train_size],
            train_labels=data.train_labels[:train_size],
        )
    if validation_size:
        _check("validation_size", validation_size, data, "validation", "0 for all")
        data = data._replace(
            validation_images=data.validation_images[:validation_size],
            validation_labels=data.validation_labels[:validation_size],
        )
    return data


def _check(field: str, size: int, data: Dataset, which: str, all_: str) -> None:
    there = len(getattr(data, f"{which.replace('training', 'train')}_labels"))
    if not 1 <= size <= there:
        raise UserError(
            f"data.{field}={size}: {data.name} has {there} {which} images; choose 1 to "
            f"that many, or {all_}"
        )


def _existing(name: str) -> Path:
    if not (why := missing(name)):
        return Path(name)
    if why != NOTHING:
        raise UserError(f"data.name={name!r:.100}: {why}")
    raise UserError(
        f"data.name={name!r}: neither {' nor '.join(NAMES)} nor a file or directory "
        f"that exists{hint(name, NAMES) or hint_of_path(name, '*.npz')}"
    )
