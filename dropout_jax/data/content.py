# SPDX-License-Identifier: Apache-2.0
"""Which content a data set has now, and whether its files were touched."""

import functools
import os
from pathlib import Path
from typing import Any

from dropout_jax.config.errors import UserError
from dropout_jax.data import own, synthetic
from dropout_jax.data.fashion_files import SHA256

Stamp = tuple[tuple[Any, ...], ...]


def inputs(name: str) -> dict[str, str]:
    """What `load(name).inputs` would be, read anew when files changed.

    Fashion-MNIST is not read for it: only its one content is ever loaded.

    Args:
        name: As for `load`.

    Returns:
        The SHA-256 of the content as "data", and more; empty where the data set cannot
        be read.
    """
    if name == "fashion_mnist":
        return {"data": SHA256}
    try:
        return dict(_inputs(name, stamp(name)))
    except (UserError, OSError):
        return {}


@functools.lru_cache(maxsize=8)
def _inputs(name: str, touched: Stamp) -> dict[str, str]:
    del touched
    return (synthetic.make() if name == "synthetic" else own.read(Path(name))).inputs


def stamp(*paths: str) -> Stamp:
    """What changes when one of the files is written or replaced.

    Args:
        *paths: Files, or directories with files; empty ones and those that do not
            exist are passed over.
    """
    found = []
    for path in map(Path, filter(None, paths)):
        try:
            files = sorted(path / name for name in os.listdir(path))
        except (OSError, ValueError):  # a file, or nothing
            files = [path]
        for file in files:
            try:
                known = file.stat()
            except (OSError, ValueError):  # none, or being replaced: reading will tell
                continue
            # A time of writing can be set; those of the inode cannot.
            kept = (known.st_mtime_ns, known.st_ctime_ns, known.st_ino, known.st_size)
            found.append((str(file.absolute()), *kept))
    return tuple(found)
