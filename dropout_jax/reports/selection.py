# SPDX-License-Identifier: Apache-2.0
"""Which setting of a method counts: chosen on validation, before test is looked at.

The choice is made among runs whose test results were taken away, so that no code
below `choose` can rank by them, and nothing above it gets to see the test results of
the settings that were not chosen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dropout_jax.config.errors import UserError
from dropout_jax.evaluation.statistics import Interval, mean_interval
from dropout_jax.reports.study import Setting, Study
from dropout_jax.reports.trial import Trial


@dataclass(frozen=True)
class Candidate:
    """One setting of a method, as the choice sees it: validation and no test.

    `setting` maps the knobs to their values. `accuracies` are validation accuracies
    by seed, in percent; `mean` is their mean with its 95 % t interval, None where no
    run finished.
    """

    arm: str
    setting: Mapping[str, Any]
    accuracies: Mapping[int, float]
    unfinished: int = 0  # runs without results
    loss: float = 0.0  # mean validation NLL of those with results

    @cached_property
    def mean(self) -> Interval | None:
        """Mean over the seeds with its interval."""
        values = list(self.accuracies.values())
        return mean_interval(values) if values else None


@dataclass(frozen=True)
class Selection:
    """A study with one setting per method, and what that was chosen among.

    `candidates` and `chosen` hold the methods that had a choice; `study` holds every
    method, in its one setting, and is all that may be tested.
    """

    study: Study
    candidates: tuple[Candidate, ...]
    chosen: Mapping[str, Candidate]

    def among(self, arm: str) -> tuple[Candidate, ...]:
        """The settings of one method, as the ledger brings them."""
        return tuple(c for c in self.candidates if c.arm == arm)

    def varied(self, arm: str) -> tuple[str, ...]:
        """The knobs that one method was tried with several values of."""
        return tuple(
            knob
            for knob in self.study.knobs
            if len({candidate.setting[knob] for candidate in self.among(arm)}) > 1
        )


def choose(study: Study) -> Selection:
    """Chooses each method's setting by its mean validation accuracy over seeds.

    Only settings with as many finished seeds as the best covered one compete: a mean
    over the seeds that did not diverge flatters. Of equals the one of the smaller
    validation NLL counts, as in a search, then the first.

    Args:
      study: what `load_study` returned. Methods with one setting are left as they are.

    Returns:
      A `Selection`, which chosen from again stays as it is.

    Raises:
      UserError: a method with several settings has a run without validation accuracy.
    """
    blind = replace(study, trials=tuple(t.without_test() for t in study.trials))
    candidates: list[Candidate] = []
    chosen: dict[str, Candidate] = {}
    kept: dict[str, Setting] = {}
    runs: dict[tuple[str, Setting], list[Trial]] = {}
    for trial in blind.trials:
        runs.setdefault((trial.arm, blind.setting(trial)), []).append(trial)
    for arm in blind.arms:
        settings = blind.settings(arm)
        best = 0
        if len(settings) > 1:
            tried = [_candidate(blind.knobs, s, runs[arm, s]) for s in settings]
            best = _best(tried)
            candidates += tried
            chosen[arm] = tried[best]
        kept[arm] = settings[best]
    trials = tuple(t for t in study.trials if study.setting(t) == kept[t.arm])
    return Selection(replace(study, trials=trials), tuple(candidates), chosen)


def _candidate(
    knobs: Sequence[str], setting: Setting, trials: Sequence[Trial]
) -> Candidate:
    for trial in trials:
        if trial.done and "accuracy" not in trial.validation:
            raise UserError(
                f"{trial.arm!r}, seed {trial.seed}: no validation accuracy in the "
                "ledger, by which alone a setting may be chosen; give its settings "
                "names of their own, and leave --knobs out"
            )
    return Candidate(
        trials[0].arm,
        dict(zip(knobs, setting, strict=True)),
        {t.seed: round(100 * t.validation["accuracy"], 9) for t in trials if t.done},
        unfinished=sum(not trial.done for trial in trials),
        loss=_mean_loss(trials),
    )


def _mean_loss(trials: Sequence[Trial]) -> float:
    losses = [t.validation["nll"] for t in trials if t.done and "nll" in t.validation]
    return sum(losses) / len(losses) if losses else 0.0


def _best(tried: list[Candidate]) -> int:
    """Place of the setting with the highest mean among the best covered ones."""
    cover = max(len(candidate.accuracies) for candidate in tried)

    def rank(place: int) -> tuple[float, float]:
        mean = tried[place].mean
        if mean is None or len(tried[place].accuracies) < cover:
            return (float("-inf"), 0.0)
        return (round(mean.mean, 6), -tried[place].loss)

    return max(range(len(tried)), key=rank)
