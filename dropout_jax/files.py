# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole, directories that are private, locks that a death frees."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from pathlib import Path
from typing import IO, Any

from dropout_jax.config.causes import reason, writing
from dropout_jax.config.errors import UserError

ABSENT = (FileNotFoundError, NotADirectoryError)  # there is no such file
# What a file system says that has no locks.
_LOCKLESS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


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


def content(path: Path) -> bytes | None:
    """Returns what a file holds; None where there is none.

    One look: a file that is asked for first and read afterwards may be gone in between,
    while other processes are at work.

    Raises:
      OSError: there is one, and it cannot be read.
    """
    try:
        return path.read_bytes()
    except ABSENT:
        return None


def remove_unfinished(directory: Path, name: str = "*") -> None:
    """Removes what a killed process left of writing files; nobody else may write them.

    Args:
      directory: where the files are.
      name: of the file; all by default.
    """
    for left in directory.glob(f".{name}.*.tmp"):
        left.unlink(missing_ok=True)


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
    try:
        names = sorted(os.listdir(directory))
    except ABSENT:
        return
    for path in (directory / name for name in names):
        try:
            kind = path.lstat().st_mode
        except FileNotFoundError:  # others are at work, and it was theirs
            continue
        if stat.S_ISLNK(kind):
            raise UserError(
                f"{path} is a link, and none is followed inside a run or a study; put "
                "what it points at in its place"
            )
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise UserError(f"{path} is a pipe or a device; remove it")


def lock(file: IO[Any], path: Path, *, wait: bool = False) -> bool:
    """Locks an open file until it is closed; the system frees it when its holder dies.

    Args:
      file: to be locked.
      path: of it, for the message.
      wait: whether to wait while another process has it.

    Returns:
      False if another process has it.

    Raises:
      UserError: the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise
        raise UserError(
            f"{path} cannot be locked ({reason(error)}), so that two processes might "
            "work on the same; choose a place on a file system with locks"
        ) from error
    return True


def to_json(value: Any) -> str:
    """Returns `value` as indented JSON; NaN is refused, it is not JSON."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
