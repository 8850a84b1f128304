# SPDX-License-Identifier: Apache-2.0
"""The machine that a benchmark ran on."""

from __future__ import annotations

import ctypes
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("jax", "flax", "torch", "keras")

# Options of glibc's malloc, by their numbers in malloc.h: one heap for all threads,
# that grows in large steps and does not shrink, for arrays of any size.
_KEEP = {
    "M_ARENA_MAX": (-8, 1),
    "M_TOP_PAD": (-2, 2**29),
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_MMAP_MAX": (-4, 0),
}


def on_cpu() -> bool:
    """Whether JAX computes on the CPU."""
    import jax  # here: PyTorch's process shall not pay for it

    return jax.devices()[0].platform == "cpu"


def threads() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> str:
    """Returns the machine, the device and the versions, as a line."""
    import jax

    information = Path("/proc/cpuinfo").read_text()
    fields = {}
    for line in information.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = fields.get("flags", "").split()
    vectors = next((v for v in ("avx512f", "avx2", "avx") if v in flags), "no AVX")
    device = jax.devices()[0]
    cores = f"{threads()} cores" if threads() > 1 else "1 core"
    name = fields.get("model name", "unknown CPU")
    # Clouds give processors of several generations one name.
    which = f"family {fields.get('cpu family')} model {fields.get('model')}"
    return (
        f"{cores}, {name} ({which}, {vectors}); "
        f"device {device.platform} ({device.device_kind}); {_versions()}"
    )


def _versions() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def keep_freed_memory() -> None:
    """Makes the C library keep what is freed, where it is glibc.

    By default large arrays go back to the kernel, and every new one is cleared page
    by page: a single pass over the memory would mostly measure that.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, (option, value) in _KEEP.items():
            if not mallopt(option, value):
                raise OSError(f"malloc refuses {name}={value}")
