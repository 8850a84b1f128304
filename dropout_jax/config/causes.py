# SPDX-License-Identifier: Apache-2.0
"""What the system has against reading or writing, and the cure for that cause alone."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from dropout_jax.config.errors import UserError

# Causes that another place would not cure.
_CURES = {
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "the system has no open file left; end other programs",
    errno.EFBIG: "raise the limit on the size of a file (ulimit -f)",
    errno.EIO: "check the disk, or the network that it is reached by",
    errno.ESTALE: "it has changed on its server; mount it anew",
    errno.ENOMEM: "free some memory",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ELOOP: "its symbolic links lead in a circle; mend them",
}
_OF_THE_SYSTEM = (
    *(errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE),
    errno.ENOMEM,
)
_RIGHTS = (errno.EACCES, errno.EPERM, errno.EROFS)
_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Unreadable(UserError):
    """The system does not let a file be read; what is in it may be whole."""


def reason(error: OSError) -> str:
    """Returns why the system refused, in its own words.

    Example:
      >>> reason(PermissionError(13, "Permission denied")), reason(OSError("closed"))
      ('Permission denied', 'closed')
    """
    return error.strerror or str(error) or type(error).__name__


def unwritable(
    path: str | Path, error: OSError, needed: int = 0, elsewhere: str = ""
) -> UserError:
    """Returns the line for a user whose file or directory cannot be written.

    Args:
      path: what was to be written; named as it is given.
      error: what the system said.
      needed: bytes that it takes.
      elsewhere: how another place is chosen.

    Example:
      >>> print(unwritable("runs/a", OSError(24, "Too many open files")))
      runs/a cannot be written (Too many open files); raise the limit on open files \
(ulimit -n)
    """
    if error.errno in _ROOM:
        return UserError(no_room(Path(path), needed, reason(error), elsewhere))
    place = "choose a place you may write to"
    default = place if error.errno in _RIGHTS else "choose another place"
    cure = _CURES.get(error.errno or 0, elsewhere or default)
    return UserError(f"{path} cannot be written ({reason(error)}); {cure}")


def unreadable(path: str | Path, error: OSError) -> Unreadable:
    """Returns the line for a user whose file or directory cannot be read."""
    right = error.errno in (errno.EACCES, errno.EPERM)
    default = "choose a place of your own" if right else "choose another place"
    cure = _CURES.get(error.errno or 0, default)
    return Unreadable(f"{path} cannot be read ({reason(error)}); {cure}")


def of_system(error: Exception) -> OSError | None:
    """Returns what the system said, also where TensorStore passes on its number.

    Example:
      >>> of_system(ValueError("Error writing [os_error_code='13']"))
      PermissionError(13, 'Permission denied')
    """
    if isinstance(error, OSError):
        return error
    if code := re.search(r"os_error_code='(\d+)'", str(error)):
        return OSError(int(code[1]), os.strerror(int(code[1])))
    return None


def of_content(error: OSError) -> bool:
    """Whether an error may come from what a file holds, as from damage.

    Else the system refuses for a reason of its own, and what is there may be whole.
    """
    return error.errno not in (*_OF_THE_SYSTEM, *_ROOM)


@contextlib.contextmanager
def writing(path: Path, needed: int, elsewhere: str = "") -> Iterator[None]:
    """Turns what the system has against writing `needed` bytes into one line.

    Raises:
      UserError: instead of an OSError; names the path, the cause that was found, its
        cure, and the bytes where there is no room for them.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(path, error, needed, elsewhere) from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what the system has against reading there into one line.

    Raises:
      Unreadable: instead of an OSError; names the path, the cause and its cure.
    """
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error


def no_room(path: Path, needed: int, why: str | None, elsewhere: str = "") -> str:
    """Returns the line for a user whose file of `needed` bytes finds no room."""
    free = "unknown"
    for place in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):  # it is gone, or is still to be made
            free = f"{shutil.disk_usage(place).free:,}"
            break
    takes = f"it takes {needed:,} bytes, {free}" if needed else f"{free} bytes"
    other = f"or {elsewhere}" if elsewhere else "and the same command goes on"
    return (
        f"{path} cannot be written ({why}): {takes} are free; make room there, {other}"
    )
