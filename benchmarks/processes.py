# SPDX-License-Identifier: Apache-2.0
"""Fresh processes, timed from the outside, start-up and compilation included."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dropout_jax.data import cache as data_cache

ROOT = Path(__file__).resolve().parent.parent
DATA = "fashion_mnist"  # directory of the prepared data in the cache


def environment(cache: Path | None = None, devices: int = 1) -> dict[str, str]:
    """Returns the environment of a process, with a cache of its own.

    Args:
      devices: host devices that XLA shall make of the CPU.
      cache: directory of the cache, made if missing: the data are in it, as they would
        be after `make data`, and of compiled programs what earlier processes left.
        None for the user's own.
    """
    found = dict(os.environ)
    if devices > 1:
        flag = f"--xla_force_host_platform_device_count={devices}"
        found["XLA_FLAGS"] = f"{found.get('XLA_FLAGS', '')} {flag}".strip()
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        data = data_cache.directory() / DATA
        if data.exists() and not (cache / DATA).exists():
            (cache / DATA).symlink_to(data.resolve())
        found[data_cache.VARIABLE] = str(cache)
    return found


def run(
    arguments: Sequence[str], *, cache: Path | None = None, devices: int = 1
) -> tuple[float, str]:
    """Runs `python ARGUMENTS` in the repository, to its end.

    Args:
      arguments: of the interpreter.
      cache: of the compiler, see `environment`.
      devices: of the CPU, see `environment`.

    Returns:
      Seconds from start to end, and the last line of its output.

    Raises:
      RuntimeError: the process failed; with the end of what it printed.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(cache, devices),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{arguments} failed: {done.stderr[-2000:]}")
    return seconds, (done.stdout.splitlines() or [""])[-1]
