# SPDX-License-Identifier: Apache-2.0
"""Compiled programs kept between processes, where nobody else can change them."""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

import jax

from dropout_jax.config.causes import reason
from dropout_jax.config.errors import UserError
from dropout_jax.data import cache
from dropout_jax.training import processor

MAX_BYTES = 2**30


def enable(note: Callable[[str], object]) -> None:
    """Has JAX keep what it compiles in `programs-*` beside the prepared data.

    A cached program is machine code that JAX runs as it finds it. So the directory
    is private (mode 0700), one per kind of processor, and left alone if another user
    owns it or could have written to it. JAX's own settings come first: a directory of
    the user's choice (`JAX_COMPILATION_CACHE_DIR`), or none
    (`JAX_ENABLE_COMPILATION_CACHE=false`). A damaged entry is compiled anew.

    Args:
      note: called with one line if the directory cannot be used.
    """
    if not jax.config.values["jax_enable_compilation_cache"]:
        return
    if jax.config.values["jax_compilation_cache_dir"] is None:
        try:
            directory = cache.directory() / f"programs-{processor.digest()}"
        except UserError as error:
            note(f"compiled programs are not kept: {error}")
            return
        problem = _make_private(directory)
        if problem:
            note(f"compiled programs are not kept: {directory} {problem}")
            return
        _make_room(directory)
        jax.config.update("jax_compilation_cache_dir", str(directory))
    # A start is dozens of small programs: each is worth keeping.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    warnings.filterwarnings("ignore", message="Error reading persistent compilation")


def _make_private(directory: Path) -> str:
    """Returns what is wrong with the directory, or "" if it is ours alone."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        return f"cannot be made ({reason(error)})"
    if not stat.S_ISDIR(found.st_mode):
        return "is a link or no directory; remove it"
    if found.st_uid != os.getuid():
        return "belongs to another user; remove it"
    if found.st_mode & 0o022:
        return "can be written by others; remove it"
    if not os.access(directory, os.W_OK | os.X_OK):
        return "cannot be written (no rights, or mounted read-only)"
    if found.st_mode & 0o077:
        directory.chmod(0o700)
    return ""


def _make_room(directory: Path) -> None:
    """Removes the oldest programs beyond `MAX_BYTES`."""
    entries = []
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process makes room too
            entries.append((path.lstat(), path))
    entries = [entry for entry in entries if stat.S_ISREG(entry[0].st_mode)]
    entries.sort(key=lambda entry: entry[0].st_mtime)
    total = sum(found.st_size for found, _ in entries)
    for found, path in entries:
        if total <= MAX_BYTES:
            break
        path.unlink(missing_ok=True)
        total -= found.st_size
