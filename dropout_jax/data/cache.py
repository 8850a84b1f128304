# SPDX-License-Identifier: Apache-2.0
"""The directory that keeps prepared data, and the lock that guards its making."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dropout_jax.config.causes import writing
from dropout_jax.config.errors import UserError
from dropout_jax.files import lock

VARIABLE = "DROPOUT_JAX_CACHE"
ELSEWHERE = f"point {VARIABLE} to a directory of yours"


def directory() -> Path:
    """`$DROPOUT_JAX_CACHE`, or `~/.cache/dropout_jax` where that is not set.

    Raises:
        UserError: there is no home directory, and the variable is not set.
    """
    try:
        return Path(os.environ.get(VARIABLE) or "~/.cache/dropout_jax").expanduser()
    except RuntimeError:  # neither HOME nor the table of users has one
        raise UserError(
            f"there is no home directory for the data cache: set HOME, or {ELSEWHERE}"
        ) from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the directory's lock; wait while another process has it.

    The system frees the lock when its holder dies, however it dies.

    Args:
        path: Directory, made if missing.

    Raises:
        UserError: the directory cannot be written, or has no locks.
    """
    with writing(path, 0, ELSEWHERE):
        path.mkdir(parents=True, exist_ok=True)
        file = (path / "lock").open("w")
    with file:
        lock(file, path / "lock", wait=True)
        yield
