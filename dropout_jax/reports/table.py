# SPDX-License-Identifier: Apache-2.0
"""The numbers of a study: one row per method, differences paired by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from dropout_jax.config.errors import UserError
from dropout_jax.evaluation.statistics import (
    BCA_FROM,
    P_VALUE_FROM,
    Interval,
    holm,
    mean_interval,
    paired_difference,
    sign_flip_p_value,
)
from dropout_jax.reports.numbers import counted
from dropout_jax.reports.study import METRICS, Study, Trial

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Test accuracy of one method minus another's, in points, paired by seed.

    `interval` has 95 % coverage for this one difference; `joint` is wider, so that
    all differences of the table to the baseline hold together with 95 %
    (Bonferroni). `p_value` is adjusted for the same family (Holm) and None under 10
    pairs. `values` are the differences of the single `seeds`.
    """

    interval: Interval
    joint: Interval
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    p_value: float | None = None

    @property
    def established(self) -> bool:
        """Whether the sign stands after allowing for all comparisons made."""
        if self.p_value is not None and self.p_value >= 1 - CONFIDENCE:
            return False
        bounds = self.interval if self.p_value is not None else self.joint
        return bounds.low > 0 or bounds.high < 0


@dataclass(frozen=True)
class Row:
    """One method. Accuracies are percentages; a metric is None without results."""

    arm: str
    seeds: tuple[int, ...]
    lost: Mapping[str, int]  # runs without results, by status
    accuracies: tuple[float, ...] = ()
    accuracy: Interval | None = None
    nll: Interval | None = None
    ece: Interval | None = None
    brier: Interval | None = None
    difference: Difference | None = None
    seconds: float | None = None  # median over the seeds
    search_budget: int | None = None
    published: str = ""  # what others have printed for this method


@dataclass(frozen=True)
class Table:
    """The rows of a study, baseline first, and what must be said about them.

    `lead` is the difference of the highest method to the runner-up, where both are
    compared with the baseline.
    """

    study: str
    baseline: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    lead: Difference | None = None

    def row(self, arm: str) -> Row | None:
        """The row of a method, if there is one."""
        return next((row for row in self.rows if row.arm == arm), None)


def tabulate(
    study: Study,
    *,
    baseline: str = "none",
    arms: Sequence[str] = (),
    search_budget: Mapping[str, int] | None = None,
    published: Mapping[str, str] | None = None,
) -> Table:
    """Averages a study over its seeds and compares every method with the baseline.

    Args:
      study: what `load_study` returned.
      baseline: the method that the others are compared with.
      arms: methods that the study should have, in the order of the table; those
        without a run are shown as missing. Others follow.
      search_budget: number of trials spent on choosing each method's settings.
      published: results that others have printed, by method, shown beside ours.

    Returns:
      A `Table`. Only runs that are done are averaged; the others are counted.

    Raises:
      UserError: a baseline that is neither in the study nor in `arms`.
    """
    order = dict.fromkeys([*arms, *study.arms])
    if baseline not in order:
        raise UserError(
            f"the baseline {baseline!r} is no method of study {study.name!r}: "
            f"choose one of {', '.join(order)}"
        )
    order = [baseline, *(arm for arm in order if arm != baseline)]
    budget, printed = search_budget or {}, published or {}
    rows = [_row(study, arm, budget.get(arm), printed.get(arm, "")) for arm in order]

    reference = study.done(baseline)
    rivals = [arm for arm in order[1:] if study.done(arm).keys() & reference.keys()]
    differences = {
        arm: _difference(study.done(arm), reference, comparisons=len(rivals))
        for arm in rivals
    }
    tested = {
        arm: difference.p_value
        for arm, difference in differences.items()
        if difference.p_value is not None
    }
    for arm, p_value in zip(tested, holm(list(tested.values())), strict=True):
        differences[arm] = replace(differences[arm], p_value=p_value)
    rows = [replace(row, difference=differences.get(row.arm)) for row in rows]

    # A lead without an interval would be read as a fact: it takes two pairs each.
    race = [arm for arm in rivals if len(differences[arm].seeds) > 1]
    race.sort(key=lambda arm: differences[arm].interval.mean, reverse=True)
    lead = None
    if (
        len(race) > 1
        and len(study.done(race[0]).keys() & study.done(race[1]).keys()) > 1
    ):
        lead = _difference(study.done(race[0]), study.done(race[1]), comparisons=1)
    return Table(study.name, baseline, tuple(rows), _notes(study, rows), lead)


def _row(study: Study, arm: str, budget: int | None, published: str) -> Row:
    done = study.done(arm)
    lost: dict[str, int] = {}
    for trial in study.of(arm):
        if not trial.done:
            lost[trial.status] = lost.get(trial.status, 0) + 1
    row = Row(arm, tuple(done), lost, search_budget=budget, published=published)
    if not done:
        return row
    values = {
        metric: [trial.test[metric] for trial in done.values()] for metric in METRICS
    }
    values["accuracy"] = [_percent(trial) for trial in done.values()]
    seconds = [t.seconds for t in done.values() if t.seconds is not None]
    return replace(
        row,
        accuracies=tuple(values["accuracy"]),
        **{metric: mean_interval(values[metric]) for metric in METRICS},
        # A run that was paused, or had a busy neighbour, says nothing of its length.
        seconds=median(seconds) if seconds else None,
    )


def _percent(trial: Trial) -> float:
    """Test accuracy; rounded, because 0.9004 * 100 is 90.03999999999999."""
    return round(100 * trial.test["accuracy"], 9)


def _difference(
    method: dict[int, Trial], reference: dict[int, Trial], *, comparisons: int
) -> Difference:
    """Compares two methods on the seeds that both have."""
    seeds = tuple(seed for seed in method if seed in reference)
    values = tuple(
        round(_percent(method[seed]) - _percent(reference[seed]), 9) for seed in seeds
    )
    zeros = [0.0] * len(values)
    return Difference(
        interval=paired_difference(values, zeros, CONFIDENCE),
        joint=paired_difference(values, zeros, 1 - (1 - CONFIDENCE) / comparisons),
        seeds=seeds,
        values=values,
        p_value=sign_flip_p_value(values) if len(values) >= P_VALUE_FROM else None,
    )


def _notes(study: Study, rows: Sequence[Row]) -> tuple[str, ...]:
    """Everything a reader needs to read the numbers rightly; baseline first in rows."""
    notes = []
    reference = rows[0]
    pairs = [len(row.difference.seeds) for row in rows if row.difference]
    if any(n > 1 for n in pairs):
        kind = "t" if min(pairs) < BCA_FROM else "BCa bootstrap"
        if min(pairs) < BCA_FROM <= max(pairs):
            kind = f"t (BCa bootstrap from {BCA_FROM} pairs)"
        notes.append(
            "Brackets and ± are 95 % intervals over seeds (t); differences are paired "
            f"by seed ({kind}) and each interval stands for its own row."
        )
    if any(n >= P_VALUE_FROM for n in pairs):
        notes.append(
            "p: exact sign-flip permutation test, two-sided, Holm-adjusted over the "
            "methods of this table."
        )
    if any(n < P_VALUE_FROM for n in pairs):
        notes.append(f"No p-value is given under {P_VALUE_FROM} paired seeds.")
    if 1 in pairs:
        notes.append("A single seed has no interval: it shows nothing about chance.")

    if not reference.seeds:
        notes.append(f"{reference.arm} has no results, so nothing can be paired.")
    for row in rows:
        for status, count in row.lost.items():
            notes.append(
                f"{row.arm}: {counted(count, 'run')} {status}, counted and not "
                "averaged; its means describe the runs that finished."
            )
        if not row.seeds and not row.lost and row is not reference:
            notes.append(f"{row.arm}: no run in the ledger.")
        if row is not reference and row.seeds and reference.seeds:
            notes += _pairing_note(row, reference)
    devices = sorted({trial.device for trial in study.trials if trial.device})
    if len(devices) > 1:
        notes.append(
            f"Runs come from different devices ({'; '.join(devices)}): "
            "their wall times do not compare."
        )
    return (*notes, *study.notes)


def _pairing_note(row: Row, reference: Row) -> list[str]:
    ours, theirs = set(row.seeds), set(reference.seeds)
    if ours == theirs:
        return []
    if not ours & theirs:
        return [f"{row.arm}: shares no seed with {reference.arm}; no difference."]
    parts = [
        f"{arm} lacks {', '.join(str(seed) for seed in sorted(missing))}"
        for arm, missing in ((row.arm, theirs - ours), (reference.arm, ours - theirs))
        if missing
    ]
    return [
        f"{row.arm}: the difference uses the {counted(len(ours & theirs), 'seed')} "
        f"that both have ({'; '.join(parts)})."
    ]
