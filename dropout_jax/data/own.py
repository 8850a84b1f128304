# SPDX-License-Identifier: Apache-2.0
"""A user's own data set: an `.npz` file, or a directory of IDX files."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from dropout_jax.config.causes import reading
from dropout_jax.config.errors import UserError
from dropout_jax.config.places import missing
from dropout_jax.data import idx, stratified
from dropout_jax.data.dataset import Dataset, Part
from dropout_jax.data.images import refuse_other

# Split name to the prefix of its IDX files, in the order of the digest.
_PREFIXES = {"train": "train", "validation": "validation", "test": "t10k"}
_MAX_LABEL = 255

# What numpy raises on a damaged or hostile file, depending on where the damage is.
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def read(path: Path) -> Dataset:
    """Read images of any height and width with their labels.

    Without a validation split a tenth of the training images becomes one: drawn once,
    each class in its share, because files may be sorted by class.

    Args:
        path: `.npz` with `train_images`, `train_labels`, `test_images`,
            `test_labels` and, if you have them, `validation_images` and
            `validation_labels`; or a directory with the same as IDX files, named
            like MNIST's (`train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`,
            `validation-...`), plain or `.gz`. Images are uint8 [n, H, W], labels
            integers 0 to 255.

    Returns:
        The data set; its sha256 is of the arrays as given, before the split.

    Raises:
        UserError: something is missing, damaged or does not fit; one line.
    """
    if why := missing(path):
        raise UserError(f"{path}: {why}: give an .npz file or a directory of IDX")
    if not path.is_dir() and not path.is_file():  # a pipe, or a device without an end
        raise UserError(f"{path} is no file: give an .npz file or a directory of IDX")
    parts = _from_idx(path) if path.is_dir() else _from_npz(path)
    parts = {split: _checked(f"{path}: {split}", part) for split, part in parts.items()}
    _agree(path, parts)
    sha256 = idx.sha256(*(array for part in parts.values() for array in part))
    train, validation, rule = parts["train"], parts.get("validation"), ""
    if validation is None:
        size = max(1, len(train.labels) // 10)
        train, validation = stratified.split(train, size)
        rule = stratified.RULE
    return Dataset(
        *train,
        *validation,
        *parts["test"],
        name=path.stem,
        source=str(path),
        sha256=sha256,
        own=True,
        split=rule,
    )


def _from_idx(path: Path) -> dict[str, Part]:
    parts = {}
    for split, prefix in _PREFIXES.items():
        images, labels = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
        if split == "validation" and not list(path.glob(f"{prefix}-*-ubyte*")):
            continue
        parts[split] = Part(
            idx.read(idx.find(path, images), 3), idx.read(idx.find(path, labels), 1)
        )
    return parts


def _from_npz(path: Path) -> dict[str, Part]:
    with reading(path), path.open("rb") as opened:
        packed = zipfile.is_zipfile(opened)
    if not packed:
        raise UserError(f"{path}: not an .npz file; save one with numpy.savez")
    try:
        # Unpickling would run whatever code the file brings along.
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except _DAMAGE as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read: {said}") from None
    parts = {}
    for split in _PREFIXES:
        names = (f"{split}_images", f"{split}_labels")
        if split == "validation" and not arrays.keys() & set(names):
            continue
        for name in names:
            if name not in arrays:
                raise UserError(
                    f"{path}: has no {name}; it has {', '.join(sorted(arrays))}"
                )
        images, labels = (arrays[name] for name in names)
        parts[split] = Part(images, labels)
    return parts


def _checked(where: str, part: Part) -> Part:
    """The part with its labels as uint8, if images and labels are what they must be."""
    images, labels = part
    refuse_other(f"{where}_images", images)
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != images.shape[:1]:
        raise UserError(
            f"{where}_labels: {labels.dtype} {labels.shape}; must be integers "
            f"{images.shape[:1]}, one for each image"
            + _fix_of_labels(labels, len(images))
        )
    if labels.min() < 0 or labels.max() > _MAX_LABEL:
        raise UserError(
            f"{where}_labels: {labels.min()} to {labels.max()}; must lie in "
            f"0 to {_MAX_LABEL}"
        )
    return Part(images, labels.astype(np.uint8))


def _fix_of_labels(labels: np.ndarray, count: int) -> str:
    """How to make labels of what holds the same in another form; "" if it does not."""
    if labels.shape == (count, 1):
        return ": give labels[:, 0]"
    if labels.shape[:1] == (count,) and labels.ndim == 2:
        return ": of one-hot labels give labels.argmax(1)"
    if labels.shape == (count,) and labels.dtype.kind in "bf":
        return ": give labels.astype(int) if they are whole numbers"
    return ""


def _agree(path: Path, parts: dict[str, Part]) -> None:
    """Refuse a split that does not fit the training images."""
    train = parts["train"]
    if train.labels.min() == train.labels.max():
        raise UserError(
            f"{path}: train_labels are all {train.labels[0]}: there is nothing to tell "
            "apart; give images of two classes or more"
        )
    for split, part in parts.items():
        if part.images.shape[1:] != train.images.shape[1:]:
            raise UserError(
                f"{path}: {split}_images are {part.images.shape[1:]}, "
                f"train_images {train.images.shape[1:]}; all must have one size"
            )
        if part.labels.max() > train.labels.max():
            raise UserError(
                f"{path}: {split}_labels go up to {part.labels.max()}, "
                f"train_labels only to {train.labels.max()}: a class without training "
                "images cannot be learned; leave it out"
            )
