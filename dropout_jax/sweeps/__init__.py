# SPDX-License-Identifier: Apache-2.0
"""Studies: many training runs, planned whole, resumable, with one ledger.

Names are loaded when first used (PEP 562): a mistake in a plan, and the status of a
study, are told without importing JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropout_jax.sweeps.groups import by_program
    from dropout_jax.sweeps.ledger import Ledger, ledger_line
    from dropout_jax.sweeps.local import run_local
    from dropout_jax.sweeps.ray_executor import run_ray
    from dropout_jax.sweeps.study import StudyDirectory, open_study, unfinished
    from dropout_jax.sweeps.trials import Trial, across_seeds, plan
    from dropout_jax.sweeps.worker import work

_PLACES = {
    "Ledger": "ledger",
    "StudyDirectory": "study",
    "Trial": "trials",
    "across_seeds": "trials",
    "by_program": "groups",
    "ledger_line": "ledger",
    "open_study": "study",
    "plan": "trials",
    "run_local": "local",
    "run_ray": "ray_executor",
    "unfinished": "study",
    "work": "worker",
}

__all__ = [
    "Ledger",
    "StudyDirectory",
    "Trial",
    "across_seeds",
    "by_program",
    "ledger_line",
    "open_study",
    "plan",
    "run_local",
    "run_ray",
    "unfinished",
    "work",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
