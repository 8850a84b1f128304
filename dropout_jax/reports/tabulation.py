# SPDX-License-Identifier: Apache-2.0
"""From the runs of a study to its table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from dropout_jax.config.alike import hint
from dropout_jax.config.errors import UserError
from dropout_jax.evaluation.comparison import ACCURACY, NLL, Measure, Paired, compare
from dropout_jax.evaluation.statistics import Interval, mean_interval, percent_right
from dropout_jax.reports.noise import trained_noise
from dropout_jax.reports.selection import Candidate, choose
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Row, Table
from dropout_jax.reports.table_notes import table_notes
from dropout_jax.reports.trial import Trial

LEAST_NLL = "least_nll"
SETS = {
    "best_accuracy": "of the epoch of the best validation accuracy",
    LEAST_NLL: "of the epoch of the least validation NLL",
    "last": "of the last epoch",
}


def tabulate(
    study: Study,
    *,
    baseline: str = "none",
    arms: Sequence[str] = (),
    search_budget: Mapping[str, int] | None = None,
    published: Mapping[str, str] | None = None,
) -> Table:
    """Averages a study over its seeds and compares every method with the baseline.

    Accuracy is that of the parameters that a run keeps (`train.keep`). NLL, ECE and
    Brier score are those of the parameters of the least validation NLL; where a run was
    not tested with these, all are of the kept parameters, and NLL is not compared.

    Args:
      study: what `load_study` returned. Of a method that was tried with several
        settings the one chosen on validation counts, and no other is compared.
      baseline: the method that the others are compared with.
      arms: methods that the study should have, in the order of the table; those
        without a run are shown as missing. Others follow.
      search_budget: number of trials spent on choosing each method's settings; for
        one that is chosen here, the number of its runs.
      published: results that others have printed, by method, shown beside ours.

    Returns:
      A `Table`. Only runs that have test results are averaged; the others are counted.

    Raises:
      UserError: a baseline that is neither in the study nor in `arms`.
    """
    order = dict.fromkeys([*arms, *study.arms])
    if baseline not in order:
        raise UserError(
            f"the baseline {baseline!r} is no method of study {study.name!r}: "
            f"choose one of {', '.join(order)}{hint(baseline, order)} (on the command "
            "line, with --baseline)"
        )
    order = [baseline, *(arm for arm in order if arm != baseline)]
    selection = choose(study)
    study = selection.study
    spent = {arm: _runs(selection.among(arm)) for arm in selection.chosen}
    budget, printed = spent | dict(search_budget or {}), published or {}
    tested = {arm: _tested(study, arm) for arm in order}
    runs = [trial for of_arm in tested.values() for trial in of_arm.values()]
    judged = bool(runs) and all(LEAST_NLL in trial.sets for trial in runs)
    rows = [
        _row(study, arm, tested[arm], judged, budget.get(arm), printed.get(arm, ""))
        for arm in order
    ]
    measures = (ACCURACY, NLL) if judged else (ACCURACY,)
    rivals = {a: r for a, r in tested.items() if study.comparable(a, baseline)}
    compared = compare(_pairs(rivals, tested[baseline], measures))
    rows = [
        replace(
            row,
            comparisons={c.measure.name: c for c in compared if c.method == row.arm},
            setting={
                knob: selection.chosen[row.arm].setting[knob]
                for knob in selection.varied(row.arm)
            },
        )
        for row in rows
    ]
    kept = _kept(runs)
    return Table(
        study.name,
        baseline,
        tuple(rows),
        table_notes(selection, rows, judged=judged, kept=kept),
        measures if runs else (),
        kept,
        SETS[LEAST_NLL] if judged else kept,
    )


def _runs(candidates: Sequence[Candidate]) -> int:
    return sum(len(c.accuracies) + c.unfinished for c in candidates)


def _tested(study: Study, arm: str) -> dict[int, Trial]:
    """The runs of a method that have test results, by seed."""
    return {seed: t for seed, t in study.done(arm).items() if "accuracy" in t.test}


def _kept(runs: Sequence[Trial]) -> str:
    """The parameters that the runs were tested with first, in words."""
    keeps = {str(trial.config.get("train.keep", "best")) for trial in runs}
    names = {"best": "best_accuracy"}
    return " or ".join(sorted(SETS[names.get(keep, keep)] for keep in keeps))


def _row(
    study: Study,
    arm: str,
    tested: Mapping[int, Trial],
    judged: bool,
    budget: int | None,
    published: str,
) -> Row:
    unfinished: dict[str, int] = {}
    for trial in study.of(arm):
        if tested.get(trial.seed) is not trial:
            status = "not tested" if trial.done else trial.status
            unfinished[status] = unfinished.get(status, 0) + 1
    row = Row(arm, tuple(tested), unfinished, search_budget=budget, published=published)
    if not tested:
        return row
    runs = list(tested.values())
    accuracies = tuple(value_of(trial, ACCURACY) for trial in runs)
    scores = [trial.sets[LEAST_NLL].test if judged else trial.test for trial in runs]
    seconds = [trial.seconds for trial in runs if trial.seconds is not None]
    return replace(
        row,
        accuracies=accuracies,
        accuracy=mean_interval(accuracies),
        nll=_mean(scores, "nll"),
        ece=_mean(scores, "ece"),
        brier=_mean(scores, "brier"),
        noise=trained_noise(runs),
        # A run that was paused, or had a busy neighbor, says nothing of its length.
        seconds=median(seconds) if seconds else None,
    )


def _mean(scores: Sequence[Mapping[str, float]], metric: str) -> Interval | None:
    """The mean over the runs; None where one of them lacks the metric."""
    if any(metric not in score for score in scores):
        return None
    return mean_interval([score[metric] for score in scores])


def _pairs(
    tested: Mapping[str, Mapping[int, Trial]],
    reference: Mapping[int, Trial],
    measures: Sequence[Measure],
) -> list[Paired]:
    """Every method minus the baseline on the seeds that both have, by each measure."""
    found = []
    for arm, runs in tested.items():
        seeds = tuple(seed for seed in runs if seed in reference)
        if runs is reference or not seeds:
            continue
        for measure in measures:
            values = tuple(
                round(value_of(runs[s], measure) - value_of(reference[s], measure), 9)
                for s in seeds
            )
            found.append(Paired(arm, measure, seeds, values))
    return found


def value_of(trial: Trial, measure: Measure) -> float:
    """A run's test result by a measure: accuracy in percent, NLL in nats.

    Accuracy is exact to the number of images, so that ties are ties.
    """
    if measure is NLL:
        return trial.sets[LEAST_NLL].test["nll"]
    return percent_right(trial.test["accuracy"], trial.test_count)
