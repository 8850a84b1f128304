# SPDX-License-Identifier: Apache-2.0
"""The training run: pure functions on the device, a host loop around them.

Names are loaded when first used (PEP 562): a directory that belongs to another run is
told without importing JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropout_jax.config.errors import Interrupted
    from dropout_jax.training.load import LoadedRun, load_run
    from dropout_jax.training.progress import TerminalProgress
    from dropout_jax.training.runs import Result, run, run_group

_PLACES = {
    "Interrupted": "dropout_jax.config.errors",
    "LoadedRun": "dropout_jax.training.load",
    "Result": "dropout_jax.training.runs",
    "TerminalProgress": "dropout_jax.training.progress",
    "load_run": "dropout_jax.training.load",
    "run": "dropout_jax.training.runs",
    "run_group": "dropout_jax.training.runs",
}

__all__ = [
    "Interrupted",
    "LoadedRun",
    "Result",
    "TerminalProgress",
    "load_run",
    "run",
    "run_group",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
