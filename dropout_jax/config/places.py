# SPDX-License-Identifier: Apache-2.0
"""Paths that a user names: is something there, and can all be written below it?"""

import os
from pathlib import Path

from dropout_jax.config.causes import reason
from dropout_jax.config.errors import UserError

# Of a path: what Linux bears, less what is still put below a directory of ours.
_MOST_BYTES = 4096 - 512
NOTHING = "there is nothing at that path"


def missing(path: str | Path) -> str:
    """Says why there is nothing to be had at a path; "" if something is there.

    Raises:
      UserError: it begins at the working directory, which is not there.

    Example:
      >>> missing("/"), missing("/not/here")
      ('', 'there is nothing at that path')
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.isabs(path):
            here()
        return NOTHING
    except OSError as error:
        return f"it cannot be looked at ({reason(error)})"
    except ValueError as error:  # no file can have that name
        return f"it is no path ({error})"
    return ""


def here() -> str:
    """Returns the working directory.

    Raises:
      UserError: it is not there any more.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise UserError(
            f"the working directory is not there ({reason(error)}): change to another "
            "one (cd), or name all files by their whole paths"
        ) from error


def refuse_place(flag: str, path: str | Path) -> None:
    """Raises UserError for a path below which not all can be written that will be.

    It is told before the work begins: Orbax and TensorBoard would only fail at the end.

    Args:
      flag: how the path is named, for the message.
      path: of a directory or file, which need not be there.
    """
    whole = os.fspath(path)
    if not os.path.isabs(whole):
        whole = os.path.join(here(), whole)
    try:
        length = len(whole.encode())
    except UnicodeEncodeError:
        raise UserError(
            f"{flag}={str(path)!r}: its path has bytes that are no UTF-8 text "
            f"({os.fsencode(whole)!r}); give a directory whose whole path is text"
        ) from None
    if "\0" in whole:
        raise UserError(f"{flag}={str(path)!r}: no path has a zero byte; leave it out")
    if length > _MOST_BYTES:
        raise UserError(
            f"{flag}={str(path)!r:.60}: its path is {length:,} bytes long; choose one "
            f"of at most {_MOST_BYTES:,}, which leaves room for what is written below"
        )
