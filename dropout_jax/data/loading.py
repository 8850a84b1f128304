# SPDX-License-Identifier: Apache-2.0
"""From a data set's name to its arrays, cut to size."""

import os
from pathlib import Path

import numpy as np

from dropout_jax.config.alike import hint
from dropout_jax.config.errors import UserError
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.config.places import NOTHING, missing
from dropout_jax.config.schema import DATA_SETS, DEFAULT_TRAIN_SIZE
from dropout_jax.data import drawn, fashion_mnist, own, stratified, synthetic
from dropout_jax.data.dataset import Dataset


def load(
    name: str | os.PathLike[str] = "fashion_mnist",
    *,
    source_dir: str = "",
    train_size: int = 0,
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
    name = os.fspath(name)
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
        train_size: Number of training images; 0: all. With "given", 55,000, which is
            the default of a run, means all where there are fewer; a run says so.
        validation_size: Number of validation images; 0: as many as the data set has.
        split: "given", the sets that the data set has, of which sizes take the first
            images, or of your own data images that are drawn once, each class in its
            share (`stratified.some`); or "drawn", sets that the seed draws from
            training and validation images together (`drawn.draw`).
        seed: Of the run; used by "drawn".

    Returns:
        The data set; `sha256` stays that of the whole content.

    Raises:
        UserError: more images asked for than there are, or no number of them.

    Example:
        >>> sizes = {"train_size": 600, "validation_size": 40}
        >>> len(cut(load("synthetic"), split="drawn", seed=1, **sizes).train_labels)
        600
    """
    numbers = {"train_size": train_size, "validation_size": validation_size}
    for name, value in {**numbers, "seed": seed}.items():
        if type(value) is bool or not isinstance(value, int | np.integer):
            raise UserError(f"{name}={value!r:.80}: must be a whole number, 0 or more")
    if seed < 0 or split not in ("given", "drawn"):
        given = f"seed={seed}" if seed < 0 else f"split={split!r:.80}"
        allowed = "0 or more" if seed < 0 else "given or drawn"
        raise UserError(f"{given}: must be {allowed}")
    there = len(data.train_labels)
    if split == "drawn":
        found = drawn.draw(data, seed, train_size, validation_size)
    else:
        fewer = train_size == DEFAULT_TRAIN_SIZE > there
        found = _head(data, "train", 0 if fewer else train_size)
        found = _head(found, "validation", validation_size)
    return found._replace(remarks=_remarks(found, train_size, there, split))


def _head(data: Dataset, split: str, size: int) -> Dataset:
    if not size:
        return data
    there = len(data.part(split).labels)
    if not 1 <= size <= there:
        what = split.replace("train", "training")
        raise UserError(
            f"data.{split}_size={size}: {data.name} has {there} {what} images; choose "
            "1 to that many, or 0 for all"
        )
    return data.with_part(split, stratified.some(data, split, size))


def _remarks(data: Dataset, asked: int, there: int, split: str) -> tuple[str, ...]:
    """What is legal and may be a mistake."""
    found = []
    if asked == DEFAULT_TRAIN_SIZE != there and split == "given":
        trains = min(asked, there)
        found.append(
            f"data.train_size={DEFAULT_TRAIN_SIZE}, the default: trains on {trains:,} "
            f"of the {there:,} training images of {data.name}; 0 is all of them"
        )
    counts = np.bincount(data.train_labels, minlength=data.num_classes)
    if (absent := np.flatnonzero(counts == 0)).size:
        shown = ", ".join(map(str, absent[:10])) + ", ..." * (absent.size > 10)
        found.append(
            f"of the classes 0 to {data.num_classes - 1}, {absent.size} have no "
            f"training image: {shown}"
        )
    return tuple(found)


def _existing(name: str) -> Path:
    if not (why := missing(name)):
        return Path(name)
    if why != NOTHING:
        raise UserError(f"data.name={name!r:.100}: {why}")
    raise UserError(
        f"data.name={name!r}: neither {' nor '.join(DATA_SETS)} nor a file or "
        f"directory that exists{hint(name, DATA_SETS) or hint_of_path(name, '*.npz')}"
    )
