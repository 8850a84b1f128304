# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole, and one line that says why when they cannot."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dropout_jax.config.errors import UserError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes `content` so that a reader sees the old file or the whole new one.

    Raises:
      UserError: it cannot be written, as `writing` says; the old file stays.
    """
    content = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path, len(content)):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def remove_unfinished(directory: Path, name: str = "*") -> None:
    """Removes what a killed process left of writing files; nobody else may write them.

    Args:
      directory: where the files are.
      name: of the file; all by default.
    """
    for left in directory.glob(f".{name}.*.tmp"):
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path, needed: int) -> Iterator[None]:
    """Turns what the system has against writing `needed` bytes into one line.

    Raises:
      UserError: instead of an OSError; names the path, the reason, the bytes.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(no_room(path, needed, error.strerror)) from error
        raise UserError(
            f"{path} cannot be written ({error.strerror}); choose a place you may "
            "write to"
        ) from error


def no_room(path: Path, needed: int, reason: str | None) -> str:
    """Returns the line for a user whose file of `needed` bytes finds no room."""
    place = next((p for p in (path, *path.absolute().parents) if p.exists()), path)
    free = shutil.disk_usage(place).free
    return (
        f"{path} cannot be written ({reason}): it takes {needed:,} bytes, {free:,} are "
        "free; make room there, and the same command goes on"
    )


def make_private(directory: Path) -> None:
    """Makes a directory that is nobody else's to read, and those above as they come.

    One that is there already keeps the rights it has.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)


def refuse_odd(directory: Path) -> None:
    """Raises UserError if the directory holds else than files and directories.

    The target of a link would be written to; a pipe would never end to be read. The
    directory may itself be a link; a user named it.
    """
    for path in directory.glob("*"):
        if path.is_symlink():
            raise UserError(
                f"{path} is a link, and none is followed inside a run or a study; put "
                "what it points at in its place"
            )
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UserError(f"{path} is a pipe or a device; remove it")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what the system has against reading there into one line.

    Raises:
      UserError: instead of an OSError; names the path and the reason.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); choose a place of your own"
        ) from error


def to_json(value: Any) -> str:
    """Returns `value` as indented JSON; NaN is refused, it is not JSON."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
