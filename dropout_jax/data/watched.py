# SPDX-License-Identifier: Apache-2.0
"""Run a program that fetches files, and end it when nothing comes."""

import contextlib
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dropout_jax.config.causes import reason
from dropout_jax.data.unavailable import Unavailable
from dropout_jax.silence import Silence

_POLL_SECONDS = 0.05


def run(
    command: Sequence[str],
    work: Path,
    *,
    first: float,
    later: float,
) -> None:
    """Run `command` in `work` without a word to the terminal.

    Args:
        command: Program and arguments.
        work: The directory below which what it fetches arrives.
        first: Seconds in which the first byte must arrive.
        later: Seconds that may pass after that without another byte.

    Raises:
        Unavailable: there is no such program, it failed, or it was ended because
            nothing came.
    """
    # A file, not a pipe: a killed program's children would hold a pipe open.
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                command,
                cwd=work,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
            )
        except FileNotFoundError:
            raise Unavailable(f"there is no {command[0]}") from None
        except OSError as error:
            why = reason(error)
            raise Unavailable(f"{command[0]} cannot be started ({why})") from None
        try:
            _watch(process, work, first, later)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").split("\n")
            lines = [line.strip() for line in lines if line.strip()]
            raise Unavailable(lines[-1] if lines else f"{command[0]} failed")


def _watch(process: subprocess.Popen, work: Path, first: float, later: float) -> None:
    """Return when the process has ended; raise when it is silent for too long."""
    patience, silence = first, Silence()
    begun = _bytes_below(work)
    silence.look(begun)
    while process.poll() is None:
        time.sleep(_POLL_SECONDS)
        arrived = _bytes_below(work)
        if arrived != begun:
            patience = later
        if silence.look(arrived) > patience:
            raise Unavailable(f"nothing came for {patience:g} s")


def _bytes_below(directory: Path) -> int:
    total = 0
    for place, _, names in os.walk(directory):  # passes over what is gone
        for name in names:
            with contextlib.suppress(OSError):  # just renamed, or not for our eyes
                status = os.stat(os.path.join(place, name))
                if stat.S_ISREG(status.st_mode):
                    total += status.st_size
    return total
