# SPDX-License-Identifier: Apache-2.0
"""One training run, as a ledger tells it."""

from dataclasses import dataclass, field
from typing import Any

METRICS = ("accuracy", "nll", "ece", "brier")
STATUSES = ("done", "diverged", "pruned", "failed")


@dataclass(frozen=True)
class TestedSet:
    """One of the parameter sets of a run, and what was found with it."""

    epoch: int
    validation: dict[str, float]
    test: dict[str, float]
    reliability: dict[str, list[float]] = field(default_factory=dict)
    noise: dict[str, float] = field(default_factory=dict)
    sparsity: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One training run.

    `config` is by dotted path; a field that is newer than the line has its default.
    `test` holds METRICS and is empty unless `status` is "done". `validation` has the
    same names, where the line has them. `history` maps a series name to its values,
    "epoch" among them; `reliability` maps "confidence", "accuracy" and "count" to one
    value per bin. Both may be empty.
    """

    arm: str
    seed: int
    status: str
    config: dict[str, Any]
    test: dict[str, float]
    seconds: float | None
    history: dict[str, list[float]] = field(default_factory=dict)
    reliability: dict[str, list[float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    data_sha256: str = ""
    id: str = ""
    validation: dict[str, float] = field(default_factory=dict)
    sets: dict[str, TestedSet] = field(default_factory=dict)
    sites: tuple[str, ...] = ()
    noise: dict[str, float] = field(default_factory=dict)
    withdrawn: str = ""

    @property
    def done(self) -> bool:
        """Whether the run has results that may be averaged."""
        return self.status == "done"
