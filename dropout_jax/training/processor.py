# SPDX-License-Identifier: Apache-2.0
"""The processor of this machine: its kind decides how sums are rounded."""

from __future__ import annotations

import functools
import hashlib
import platform
from pathlib import Path

# Extensions by which XLA, Eigen and OpenBLAS choose between kernels, narrow to wide.
_VECTOR = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw"),
    *("avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_bf16", "amx_int8", "asimd", "asimdhp", "sve", "sve2", "bf16"),
)


def model() -> str:
    """Returns the name of the processor's model."""
    names = _lines("model name", "Model")
    return names[0].partition(":")[2].strip() if names else platform.processor()


def vector_extensions() -> list[str]:
    """Returns the vector extensions that decide which kernels run."""
    found = " ".join(_lines("flags", "Features")).split()
    return [name for name in _VECTOR if name in found]


def digest() -> str:
    """Returns a short hash of the processor's kind, which machine code is made for."""
    found = list(_lines("vendor_id", "cpu family", "model", "flags", "Features"))
    found += [platform.machine(), platform.processor()]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:12]


@functools.cache
def _lines(*names: str) -> tuple[str, ...]:
    """Returns the lines of /proc/cpuinfo that begin so, each once, in order."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return ()
    return tuple(sorted({line for line in lines if line.startswith(names)}))
