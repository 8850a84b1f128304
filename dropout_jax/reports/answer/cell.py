# SPDX-License-Identifier: Apache-2.0
"""What a cell of a protocol has found: its searches, choices, final runs and curves.

A cell is one model at one training-set size. Each of its methods was searched several
times, on seeds of their own. Each search chose twice: by the validation accuracy of the
last epoch for the answer on accuracy, by the least validation NLL for the answer on
NLL. Each choice then ran on fresh replicates, where the test set was read.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dropout_jax.evaluation.comparison import ACCURACY, NLL, PRIMARY, Measure
from dropout_jax.evaluation.statistics import percent_right
from dropout_jax.reports.trial import Trial
from dropout_jax.sweeps.gate import Verdict
from dropout_jax.training.outcome import DIVERGED

# The parameters that each answer is about.
SET_OF = {ACCURACY.name: "last", NLL.name: "least_nll"}
MISSING, NOT_TESTED = "missing", "not tested"


class Tried(NamedTuple):
    """One run of a search or of a strength curve, judged on validation alone.

    Attributes:
      method: its name.
      search: the search that made it; 0 for a point of a curve.
      strength: the value of the method's one strength; None for a method without one.
      learning_rate: of the optimizer.
      seed: of the run.
      trial: what was found; None before it has run.
    """

    method: str
    search: int
    strength: float | None
    learning_rate: float
    seed: int
    trial: Trial | None


class Final(NamedTuple):
    """One final run in one of its roles; a run may serve both answers.

    Attributes:
      method: its name.
      search: the search whose choice it runs.
      measure: name of the measure that the choice was made by.
      seed: its replicate.
      trial: what was found; None before it has run.
    """

    method: str
    search: int
    measure: str
    seed: int
    trial: Trial | None

    @property
    def value(self) -> float | None:
        """The test result: percent or nats; None where there is none."""
        if self.trial is None or not self.trial.done:
            return None
        found = self.trial.sets.get(SET_OF[self.measure])
        if found is None or self.measure not in found.test:
            return None
        if self.measure == ACCURACY.name:
            return percent_right(found.test["accuracy"], self.trial.test_count)
        return found.test["nll"]

    @property
    def status(self) -> str:
        """Why there is no result: missing, not tested, or how the run ended."""
        if self.trial is None:
            return MISSING
        if not self.trial.done:
            return self.trial.status
        # A set of a finished run is left out where its test result is not finite.
        return NOT_TESTED if SET_OF[self.measure] in self.trial.sets else DIVERGED

    @property
    def diverged(self) -> bool:
        """Whether the run, or the parameters that its answer is about, diverged."""
        return self.value is None and self.status == DIVERGED

    @property
    def over(self) -> bool:
        """Whether the run needs no repetition: it has a result, or it diverged."""
        return self.value is not None or self.diverged


class Choice(NamedTuple):
    """The setting that one search chose for a method by one measure.

    Attributes:
      strength: of the method; None for a method without one.
      learning_rate: of the optimizer.
      fields: all that the choice sets, by path.
      at_end: what lies at an end of its grid, in words; empty where nothing does.
    """

    strength: float | None
    learning_rate: float
    fields: Mapping[str, Any]
    at_end: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a protocol with what it has so far.

    Attributes:
      name: its name.
      train_size: number of training images of a run.
      margin: the largest difference of accuracy that counts as none, points.
      methods: their names, the baseline first.
      searches: their numbers.
      replicates: number of final runs of a method for each search and measure.
      descriptive: whether it was declared so before its test results were read.
      strengths: the name of each method's strength, for the axis of a figure.
      choices: by method, search and name of the measure; empty before a search has
        ended.
      finals: the final runs that follow from the choices.
      tried: the runs of the searches.
      curve: by name of the measure, the runs of the strength curves: each strength at
        its best learning rate for that measure.
      gate: whether each method was trained to convergence; empty before the gate has
        ended.
      notes: what else the results of the final runs depend on, in sentences.
      held: why there are no choices although the searches have ended.
    """

    name: str
    train_size: int
    margin: float
    methods: tuple[str, ...]
    searches: tuple[int, ...]
    replicates: int
    descriptive: bool = False
    strengths: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[tuple[str, int, str], Choice] = field(default_factory=dict)
    finals: tuple[Final, ...] = ()
    tried: tuple[Tried, ...] = ()
    curve: Mapping[str, tuple[Tried, ...]] = field(default_factory=dict)
    gate: Mapping[str, Verdict] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    held: str = ""

    @property
    def baseline(self) -> str:
        """The method that the others are compared with."""
        return self.methods[0]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The primary measures, with the margins of this cell."""
        margins = {ACCURACY.name: self.margin}
        return tuple(m._replace(margin=margins.get(m.name, m.margin)) for m in PRIMARY)

    @property
    def planned(self) -> int:
        """Number of final runs, each counted in every role that it has."""
        per_method = len(PRIMARY) * len(self.searches) * self.replicates
        return len(self.methods) * per_method

    @property
    def finished(self) -> bool:
        """Whether every final run has a result, or diverged."""
        return len(self.finals) == self.planned and all(f.over for f in self.finals)


def validation_of(trial: Trial | None, measure: Measure) -> float:
    """Returns what a run was chosen by; NaN for one without a finite result.

    Args:
      trial: a run of a search or a curve.
      measure: accuracy, of the last epoch in percent; or NLL, the least in nats.

    Example:
      >>> math.isnan(validation_of(None, NLL))
      True
    """
    if trial is None or not trial.done:
        return math.nan
    found = trial.sets.get(SET_OF[measure.name])
    value = found.validation.get(measure.name, math.nan) if found else math.nan
    if not math.isfinite(value):
        return math.nan
    return percent_right(value) if measure.name == ACCURACY.name else value
