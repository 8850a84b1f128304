# SPDX-License-Identifier: Apache-2.0
"""The directory that keeps prepared data, and the lock that guards its making."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from dropout_jax.config.errors import UserError

VARIABLE = "DROPOUT_JAX_CACHE"


def directory() -> Path:
    """`$DROPOUT_JAX_CACHE`, or `~/.cache/dropout_jax` where that is not set."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/dropout_jax").expanduser()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the directory's lock; wait while another process has it.

    The system frees the lock when its holder dies, however it dies.

    Args:
        path: Directory, made if missing.

    Raises:
        UserError: the directory cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / "lock").open("w")
    except OSError as error:
        raise UserError(
            f"{path}: the data cache cannot be written ({error.strerror}); "
            f"point {VARIABLE} to a directory of yours"
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
