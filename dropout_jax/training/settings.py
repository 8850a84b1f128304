# SPDX-License-Identifier: Apache-2.0
"""Settings of JAX and XLA on which the numbers of a run depend."""

from __future__ import annotations

import enum
import os
from typing import Any

import jax

from dropout_jax.training import portable, xla_flags

# Another value gives other numbers: other random bits, another precision, another
# arithmetic. (`jax_numpy_dtype_promotion` is not here: it only raises.)
NUMBERS = (
    "jax_enable_x64",
    "jax_explicit_x64_dtypes",
    "jax_threefry_partitionable",
    "jax_default_prng_impl",
    "jax_random_seed_offset",
    "jax_default_matmul_precision",
    "jax_disable_jit",
    "jax_allow_f16_reductions",
    "jax_high_dynamic_range_gumbel",
    "jax_softmax_custom_jvp",
)
# Flags of XLA that leave IEEE arithmetic, with their defaults.
NUMBERS_XLA = {
    "--xla_cpu_enable_fast_math": "false",
    "--xla_cpu_enable_fast_min_max": "false",
    "--xla_gpu_enable_fast_min_max": "false",
    "--xla_allow_excess_precision": "true",
}
# These choose other programs for the same arithmetic: the last bits may differ.
_ROUNDING = (
    "jax_disable_most_optimizations",
    "jax_optimization_level",
    "jax_exec_time_optimization_effort",
    "jax_compiler_enable_remat_pass",
    "jax_use_direct_linearize",
    "jax_use_shardy_partitioner",
)
_ROUNDING_VARIABLES = (
    *("LIBTPU_INIT_ARGS", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS"),
    *("OMP_NUM_THREADS", "MKL_CBWR", "MKL_NUM_THREADS"),
)
# Of XLA's flags, these change no number.
_HARMLESS_XLA = ("--xla_dump", "--xla_force_host_platform_device_count")


def numbers() -> dict[str, Any]:
    """Returns the settings of this moment that change numbers, by name.

    XLA's flags and NVIDIA's switch for TF32 are named as their variables; of the flags
    only those are listed that differ from their defaults.
    """
    return {
        **_of_jax(NUMBERS),
        "XLA_FLAGS": " ".join(
            f"{name}={value}"
            for name, value in sorted(xla_flags.values().items())
            if name in NUMBERS_XLA and value != NUMBERS_XLA[name]
        ),
        "NVIDIA_TF32_OVERRIDE": os.environ.get("NVIDIA_TF32_OVERRIDE", ""),
    }


def rounding() -> dict[str, Any]:
    """Returns the settings of this moment that may change the last bits, by name.

    Of XLA's flags the word "portable" stands for all of those (`portable.in_effect`).
    """
    together = portable.NAMES if portable.in_effect() else ()
    flags = [
        f"{name}={value}"
        for name, value in sorted(xla_flags.values().items())
        if name not in (*NUMBERS_XLA, *together) and not name.startswith(_HARMLESS_XLA)
    ]
    if together:
        flags.insert(0, portable.NAME)
    found = {name: os.environ.get(name, "") for name in _ROUNDING_VARIABLES}
    return {**_of_jax(_ROUNDING), "XLA_FLAGS": " ".join(flags), **found}


def _of_jax(names: tuple[str, ...]) -> dict[str, Any]:
    """Returns JAX's settings as JSON has them; one that this version lacks is absent.

    They are those of this thread, as inside of `jax.enable_x64(True)`.
    """
    known = jax.config.values
    return {name: _plain(known[name]) for name in names if name in known}


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.name.lower()
    return value if isinstance(value, bool | int | float | None) else str(value)
