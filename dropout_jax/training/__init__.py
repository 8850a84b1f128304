# SPDX-License-Identifier: Apache-2.0
"""The training run: pure functions on the device, a host loop around them."""

from dropout_jax.config.errors import Interrupted
from dropout_jax.training.load import LoadedRun, load_run
from dropout_jax.training.progress import TerminalProgress
from dropout_jax.training.run import Result, run, run_group

__all__ = [
    "Interrupted",
    "LoadedRun",
    "Result",
    "TerminalProgress",
    "load_run",
    "run",
    "run_group",
]
