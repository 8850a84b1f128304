# SPDX-License-Identifier: Apache-2.0
"""The GPUs that the workers of this machine will compute on: those that JAX finds."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys

VARIABLE = "CUDA_VISIBLE_DEVICES"
SECONDS = 120.0  # in which a process finds them; a driver that hangs finds none
_QUESTION = """\
import jax
devices = jax.local_devices()
print("\\ngpus", len(devices) if devices[0].platform == "gpu" else 0)
"""


def visible() -> tuple[str, ...]:
    """Returns the GPUs that JAX would compute on, as CUDA_VISIBLE_DEVICES names them.

    JAX alone is asked, in a process of its own, so that this one holds no GPU that its
    workers need. A GPU that JAX cannot use, for want of its plugin or driver or because
    a variable hides it, is none. What tools such as nvidia-smi say does not count.
    """
    platforms = os.environ.get("JAX_PLATFORMS", "")
    # Nothing is asked where the answer is known: a process takes seconds.
    if platforms == "cpu" or importlib.util.find_spec("jax_plugins") is None:
        return ()
    return _found(sys.executable, platforms, os.environ.get(VARIABLE))


@functools.cache
def _found(python: str, platforms: str, allowed: str | None) -> tuple[str, ...]:
    """Returns `visible` under the values of two variables, which it is cached by."""
    del platforms
    count = _count(python)
    if allowed is None:
        return tuple(map(str, range(count)))
    # JAX counts what CUDA took of the list, which ends at the first that is none.
    return tuple(name.strip() for name in allowed.split(","))[:count]


def _count(python: str) -> int:
    """Returns the number of GPUs that a new process finds; 0 if it does not say."""
    try:
        asked = subprocess.run(
            [python, "-c", _QUESTION],
            env={**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    # Drivers and plugins print what they like before it.
    told = re.findall(rb"^gpus (\d+)$", asked.stdout, re.MULTILINE)
    return int(told[-1]) if told and not asked.returncode else 0
