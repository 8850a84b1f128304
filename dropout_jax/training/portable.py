# SPDX-License-Identifier: Apache-2.0
"""The flags of XLA with which a seed gives the same bits on any x86-64 processor.

By default XLA and its libraries choose instructions, vector widths and block sizes by
the processor, and with them the order of sums. These flags leave no such choice where
all products are of the form of `dropout_jax.nn.products`.
"""

from __future__ import annotations

import os
import platform

from dropout_jax.config.errors import UserError
from dropout_jax.training import xla_flags

NAME = "portable"  # of all flags together, in what a run records
FLAGS = (
    # Elementary functions, and the tiles of YNNPACK's products, from no property of
    # the processor (YNN_FLAG_CONSISTENT_ARITHMETIC).
    "--xla_cpu_enable_platform_dependent_math=false",
    # XLA's own loops in the instructions that all processors of x86-64-v3 have.
    "--xla_cpu_max_isa=AVX2",
    # Of YNNPACK the products alone: its sums have as many parts as a vector is wide.
    "--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
    # Nothing to XNNPACK and oneDNN, which choose kernels by the processor.
    "--xla_cpu_use_xnnpack=false",
    "--xla_cpu_experimental_xnn_fusion_type=",
    "--xla_cpu_use_onednn=false",
    "--xla_cpu_experimental_onednn_fusion_type=",
)
NAMES = tuple(flag.partition("=")[0] for flag in FLAGS)
VARIABLE = "DROPOUT_JAX_PORTABLE"


def enable() -> None:
    """Adds the flags to `XLA_FLAGS`, in front of the user's, which win.

    Called before JAX compiles anything; later it has no effect. Does nothing on
    another kind of processor, nor if the variable `DROPOUT_JAX_PORTABLE` is "no".

    Raises:
      UserError: the variable is something else than "yes" or "no", or `XLA_FLAGS` names
        a file that cannot be read.
    """
    choice = os.environ.get(VARIABLE, "yes")
    if choice not in ("yes", "no"):
        raise UserError(f"{VARIABLE}={choice!r}: must be yes or no; unset it for yes")
    if choice == "no" or platform.machine() != "x86_64":
        return
    own = xla_flags.given()
    added = [flag for flag in FLAGS if flag not in own]
    os.environ[xla_flags.VARIABLE] = " ".join([*added, *own])


def in_effect() -> bool:
    """Whether `XLA_FLAGS` has all flags, none of them set to another value later."""
    last = {}
    for flag in xla_flags.given():
        last[flag.partition("=")[0]] = flag
    return set(FLAGS) <= set(last.values())
