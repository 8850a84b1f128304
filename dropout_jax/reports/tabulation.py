# SPDX-License-Identifier: Apache-2.0
"""From the runs of a study to its table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from dropout_jax.config.errors import UserError
from dropout_jax.evaluation.statistics import (
    P_VALUE_FROM,
    holm,
    mean_interval,
    paired_difference,
    sign_flip_p_value,
)
from dropout_jax.reports.selection import Candidate, choose
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import CONFIDENCE, Difference, Row, Table
from dropout_jax.reports.table_notes import table_notes
from dropout_jax.reports.trial import METRICS, Trial

UNTESTED = "untested"


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
      study: what `load_study` returned. Of a method that was tried with several
        settings the one chosen on validation counts, and no other is tested.
      baseline: the method that the others are compared with.
      arms: methods that the study should have, in the order of the table; those
        without a run are shown as missing. Others follow.
      search_budget: number of trials spent on choosing each method's settings; for
        one that is chosen here, the number of its runs.
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
    selection = choose(study)
    study = selection.study
    spent = {arm: _runs(selection.among(arm)) for arm in selection.chosen}
    budget, printed = spent | dict(search_budget or {}), published or {}
    rows = [_row(study, arm, budget.get(arm), printed.get(arm, "")) for arm in order]

    reference = _tested(study, baseline)
    rivals = [
        arm
        for arm in order[1:]
        if _tested(study, arm).keys() & reference.keys()
        and study.comparable(arm, baseline)
    ]
    differences = {
        arm: _difference(_tested(study, arm), reference, comparisons=len(rivals))
        for arm in rivals
    }
    tested = {
        arm: difference.p_value
        for arm, difference in differences.items()
        if difference.p_value is not None
    }
    for arm, p_value in zip(tested, holm(list(tested.values())), strict=True):
        differences[arm] = replace(differences[arm], p_value=p_value)
    rows = [
        replace(
            row,
            difference=differences.get(row.arm),
            setting={
                knob: selection.chosen[row.arm].setting[knob]
                for knob in selection.varied(row.arm)
            },
        )
        for row in rows
    ]

    # A lead without an interval would be read as a fact: it takes two pairs each.
    race = [arm for arm in rivals if len(differences[arm].seeds) > 1]
    race.sort(key=lambda arm: differences[arm].interval.mean, reverse=True)
    lead = None
    if (
        len(race) > 1
        and study.comparable(race[0], race[1])
        and len(_tested(study, race[0]).keys() & _tested(study, race[1]).keys()) > 1
    ):
        lead = _difference(
            _tested(study, race[0]), _tested(study, race[1]), comparisons=1
        )
    return Table(study.name, baseline, tuple(rows), table_notes(selection, rows), lead)


def _runs(candidates: Sequence[Candidate]) -> int:
    return sum(len(c.accuracies) + c.lost for c in candidates)


def _row(study: Study, arm: str, budget: int | None, published: str) -> Row:
    done = _tested(study, arm)
    lost: dict[str, int] = {}
    for trial in study.of(arm):
        if not trial.test:
            why = UNTESTED if trial.done else trial.status
            lost[why] = lost.get(why, 0) + 1
    row = Row(arm, tuple(done), lost, search_budget=budget, published=published)
    if not done:
        return row
    values = {
        metric: [trial.test[metric] for trial in done.values()]
        for metric in METRICS
        if all(metric in trial.test for trial in done.values())
    }
    values["accuracy"] = [_percent(trial) for trial in done.values()]
    seconds = [t.seconds for t in done.values() if t.seconds is not None]
    return replace(
        row,
        accuracies=tuple(values["accuracy"]),
        **{metric: mean_interval(values[metric]) for metric in values},
        # A run that was paused, or had a busy neighbour, says nothing of its length.
        seconds=median(seconds) if seconds else None,
    )


def _tested(study: Study, arm: str) -> dict[int, Trial]:
    """Trials of a method with test results, by seed; a search has none."""
    return {seed: trial for seed, trial in study.done(arm).items() if trial.test}


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
