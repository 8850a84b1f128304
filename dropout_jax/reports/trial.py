# SPDX-License-Identifier: Apache-2.0
"""One training run, as a ledger tells it."""

from dataclasses import dataclass, field, replace
from typing import Any

METRICS = ("accuracy", "nll", "ece", "brier")
WITHDRAWN = "withdrawn"  # what a line says that was found wrong after it was written


@dataclass(frozen=True)
class TestedSet:
    """One of the sets of parameters that a run keeps, and what was found with it.

    Attributes:
      epoch: number of epochs after which the parameters were kept.
      validation: metrics on the validation set, those of METRICS that the line has.
      test: metrics on the test set; empty where the run did not look at it.
      reliability: bins of the test set, as in `Trial`.
      noise: mean of each learned noise parameter at that epoch, by path; empty where
        the noise is not learned, or the line does not have it for this epoch.
      sparsity: by path of a layer with learned noise on its weights, the share of its
        weights that may be removed.
    """

    epoch: int
    validation: dict[str, float]
    test: dict[str, float]
    reliability: dict[str, list[float]] = field(default_factory=dict)
    noise: dict[str, float] = field(default_factory=dict)
    sparsity: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One training run.

    Attributes:
      arm: its method.
      seed: its seed.
      status: one of `outcome.FINISHED`, or WITHDRAWN.
      config: by dotted path; a field that is newer than the line has its default.
      test: those of METRICS that the line has, with the parameters that `train.keep`
        names; empty unless `status` is "done", and in a search, which does not look at
        the test set.
      seconds: what it took, None where the line does not say.
      history: series name to values, "epoch" among them; may be empty.
      reliability: "confidence", "accuracy" and "count", each with one value per bin;
        may be empty.
      versions: of packages, by name.
      device: what it ran on.
      data_sha256: of its data.
      id: of the trial.
      validation: as `test`, on the validation set.
      sets: the sets of parameters that were kept, by name: "best_accuracy" (highest
        validation accuracy), "least_nll" (least validation loss) and "last". A line of
        format 1 has one, that of `train.keep`: "best_accuracy" or "last". Empty unless
        `status` is "done".
      sites: names of the model's noise sites, the input first; empty in format 1.
      noise: mean of each learned noise parameter at the end of the run, by path.
      withdrawn: why the result does not count; empty where it does.
      test_count: number of test images, None where the line does not say.
      digest: of its metrics over the epochs; empty where the line has none.
      parts: with what and where it was computed, each stretch of its steps.
      inputs: those of its inputs that are not the same in all its study.
      remarks: what the run said of its model, one line each.
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
    parts: tuple[dict[str, Any], ...] = ()
    inputs: dict[str, Any] = field(default_factory=dict)
    sets: dict[str, TestedSet] = field(default_factory=dict)
    sites: tuple[str, ...] = ()
    noise: dict[str, float] = field(default_factory=dict)
    withdrawn: str = ""
    test_count: int | None = None
    digest: str = ""
    remarks: tuple[str, ...] = ()

    def without_test(self) -> "Trial":
        """The run as a choice may see it: nothing in it is of the test set."""
        sets = {
            name: replace(found, test={}, reliability={})
            for name, found in self.sets.items()
        }
        return replace(self, test={}, reliability={}, sets=sets)

    @property
    def done(self) -> bool:
        """Whether the run went to its end, and has results that may be averaged.

        Those of a search are results on the validation set alone.
        """
        return self.status == "done"
