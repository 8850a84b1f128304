# SPDX-License-Identifier: Apache-2.0
"""IDX, the file format of MNIST and its kin: a header, then unsigned bytes.

The header is two zero bytes, the element type (8 = unsigned byte), the number of
dimensions, and each dimension as a big-endian 32-bit integer.
"""

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dropout_jax.config.errors import UserError
from dropout_jax.config.places import NOTHING, missing

_GZIP_MAGIC = b"\x1f\x8b"


def header(shape: Sequence[int]) -> bytes:
    """The IDX header of an array of unsigned bytes.

    Example:
        >>> header((3, 28)).hex(" ", 4)
        '00000802 00000003 0000001c'
    """
    return bytes([0, 0, 8, len(shape)]) + np.asarray(shape, ">u4").tobytes()


def sha256(*arrays: np.ndarray) -> str:
    """SHA-256 of the arrays' uncompressed IDX files, one after the other.

    The same number as `zcat FILE... | sha256sum`, however the files were packed.

    Args:
        *arrays: uint8 arrays of any shape.

    Returns:
        The digest in hexadecimal.
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(header(array.shape))
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as an IDX file, packed if the name ends in `.gz`."""
    content = header(array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def find(directory: Path, name: str) -> Path:
    """The file `name`, or `name.gz`, in `directory`; UserError if neither is there."""
    for path in (directory / name, directory / f"{name}.gz"):
        if os.path.isfile(path):
            return path
        if (why := missing(path)) not in ("", NOTHING):
            raise UserError(f"{path}: {why}")
    raise UserError(f"{directory}: has neither {name} nor {name}.gz")


def read(path: Path, dimensions: int, shape: Sequence[int] | None = None) -> np.ndarray:
    """Read one IDX file of unsigned bytes, plain or gzip-packed.

    Args:
        path: The file. Whether it is packed is read from its first bytes.
        dimensions: How many dimensions it must have (labels 1, images 3).
        shape: The exact shape it must have, if known; a file that claims another
            is refused before its content is read.

    Returns:
        uint8 array of the file's shape.

    Raises:
        UserError: the file is missing, damaged or something else; one line with
            the file, what was expected and what was found.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == _GZIP_MAGIC
        with gzip.open(path) if packed else path.open("rb") as file:
            found = file.read(4)
            if found != header((0,) * dimensions)[:4]:
                raise UserError(
                    f"{path}: not an IDX file of {dimensions}-dimensional unsigned "
                    f"bytes: expected magic number 0000080{dimensions}, "
                    f"found {found.hex() or 'an empty file'}"
                )
            sizes = file.read(4 * dimensions)
            if len(sizes) != 4 * dimensions:
                raise UserError(f"{path}: the IDX header is cut short")
            claimed = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
            if shape is not None and claimed != tuple(shape):
                raise UserError(
                    f"{path}: expected shape {tuple(shape)}, found {claimed}"
                )
            size = math.prod(claimed)
            # One byte more than claimed, to notice what is left over.
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error, OverflowError, MemoryError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{path}: cannot be read: {said}") from None
    if len(content) != size:
        found = "more" if len(content) > size else f"{len(content)}"
        raise UserError(
            f"{path}: shape {claimed} needs {size} bytes after the header, "
            f"found {found}"
        )
    return np.frombuffer(content, np.uint8).reshape(claimed)
