# SPDX-License-Identifier: Apache-2.0
"""Measures of a trained classifier, and of a set of seeds.

`metrics`, `mc_dropout` and `uncertainty` work on logits, in JAX; `detection`,
`statistics`, `power`, `sensitivity`, `superiority` and `expected_best` on finished
numbers, in SciPy. Each is loaded when first used, so that a report never pays for
importing JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropout_jax.evaluation import (
        comparison,
        detection,
        expected_best,
        mc_dropout,
        metrics,
        power,
        sensitivity,
        statistics,
        superiority,
        uncertainty,
    )

__all__ = [
    "comparison",
    "detection",
    "expected_best",
    "mc_dropout",
    "metrics",
    "power",
    "sensitivity",
    "statistics",
    "superiority",
    "uncertainty",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
