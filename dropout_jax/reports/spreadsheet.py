# SPDX-License-Identifier: Apache-2.0
"""The table, the settings and the runs as CSV (RFC 4180), every number unrounded."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from dropout_jax.evaluation.comparison import PRIMARY, Comparison, Measure
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.noise import noise_text
from dropout_jax.reports.numbers import setting_text
from dropout_jax.reports.runs import revealed, run_columns, run_values
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table

_ENDS = ("mean", "low", "high")


def table_csv(table: Table) -> str:
    """A line per method; every column names its unit where it has one."""
    metrics = {
        "accuracy": "test_accuracy_percent",
        "nll": "test_nll_nats",
        "ece": "test_ece",
        "brier": "test_brier",
    }
    compared = [
        column for measure in PRIMARY for column in _comparison_columns(measure)
    ]
    head = [
        "method",
        "setting",
        "seeds",
        "unfinished",
        *(f"{name}_{end}" for name in metrics.values() for end in _ENDS),
        *compared,
        "comparisons_corrected_for",
        "accuracy_parameters",
        "nll_ece_brier_parameters",
        "noise_at_the_end",
        "median_seconds",
        "search_trials",
    ]
    lines = [
        [
            row.arm,
            setting_text(row.setting),
            len(row.seeds),
            sum(row.unfinished.values()),
            *(v for metric in metrics for v in _ends(getattr(row, metric))),
            *(v for m in PRIMARY for v in _comparison(row.comparisons.get(m.name))),
            table.family,
            table.accuracy_set,
            table.probability_set,
            noise_text(row.noise),
            row.seconds,
            row.search_budget,
        ]
        for row in table.rows
    ]
    return _csv(head, lines)


def _comparison_columns(measure: Measure) -> list[str]:
    difference = f"{measure.name}_difference_{measure.unit}"
    return [
        *(f"{difference}_{end}" for end in _ENDS),
        f"{difference}_corrected_low",
        f"{difference}_corrected_high",
        f"{measure.name}_pairs",
        f"{measure.name}_pairs_higher",
        f"{measure.name}_p_corrected",
        f"{measure.name}_equivalence_p_corrected",
        f"{measure.name}_minimum_detectable_effect_{measure.unit}",
        f"{measure.name}_verdict",
    ]


def _comparison(found: Comparison | None) -> list[Any]:
    if found is None:
        return [None] * 11
    return [
        *_ends(found.interval),
        *_ends(found.corrected)[1:],
        len(found.seeds),
        found.seeds_higher,
        found.p_value,
        found.equivalence,
        found.detectable,
        found.outcome.value,
    ]


def settings_csv(selection: Selection) -> str:
    """A line per setting that was tried, by validation accuracy."""
    head = [
        "method",
        "setting",
        *(f"validation_accuracy_percent_{end}" for end in _ENDS),
        "seeds",
        "unfinished",
        "chosen",
    ]
    lines = [
        [
            candidate.arm,
            setting_text(candidate.setting),
            *_ends(candidate.mean),
            len(candidate.accuracies),
            candidate.unfinished,
            candidate is selection.chosen[candidate.arm],
        ]
        for candidate in selection.candidates
    ]
    return _csv(head, lines)


def runs_csv(study: Study, selection: Selection) -> str:
    """A line per run; test results only of the settings that were chosen."""
    shown = revealed(selection)
    lines = [run_values(study, t, id(t) in shown) for t in study.trials]
    return _csv(run_columns(study), lines)


def _ends(interval: Interval | None) -> Sequence[float | None]:
    if interval is None:
        return (None, None, None)
    return [value if value == value else None for value in interval]


def _csv(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_inert(value) for value in line] for line in lines)
    return text.getvalue()


def _inert(value: Any) -> Any:
    """A name that a spreadsheet would take for a formula is quoted to stay text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return f"'{value}"
    return value
