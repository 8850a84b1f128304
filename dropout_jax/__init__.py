# SPDX-License-Identifier: Apache-2.0
"""A research instrument for dropout in JAX.

Names are loaded when first used (PEP 562): `import dropout_jax.config` must not
import JAX, so that a command line can answer a wrong flag at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropout_jax import (
        config,
        data,
        evaluation,
        keys,
        nn,
        reports,
        sweeps,
        theory,
        training,
        transforms,
    )
    from dropout_jax.training import load_run

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "config",
    "data",
    "evaluation",
    "keys",
    "load_run",
    "nn",
    "reports",
    "sweeps",
    "theory",
    "training",
    "transforms",
]


def __getattr__(name: str) -> Any:
    if name == "load_run":
        return importlib.import_module("dropout_jax.training").load_run
    if name in __all__:
        return importlib.import_module(f"dropout_jax.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
