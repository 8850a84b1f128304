# SPDX-License-Identifier: Apache-2.0
"""The table, the settings and the runs as CSV (RFC 4180), every number unrounded."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.numbers import setting_text
from dropout_jax.reports.runs import revealed, run_columns, run_values
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table

_ENDS = ("mean", "low", "high")


def table_csv(table: Table) -> str:
    """A line per method; accuracies and differences in points of a percentage."""
    metrics = ("accuracy", "nll", "ece", "brier")
    head = [
        "method",
        "setting",
        "seeds",
        "lost",
        *(f"test_{metric}_{end}" for metric in metrics for end in _ENDS),
        *(f"difference_{end}" for end in _ENDS),
        "paired_seeds",
        "p_holm",
        "median_seconds",
        "search_trials",
    ]
    lines = []
    for row in table.rows:
        found = row.difference
        lines.append(
            [
                row.arm,
                setting_text(row.setting),
                len(row.seeds),
                sum(row.lost.values()),
                *(v for metric in metrics for v in _ends(getattr(row, metric))),
                *_ends(found.interval if found else None),
                len(found.seeds) if found else None,
                found.p_value if found else None,
                row.seconds,
                row.search_budget,
            ]
        )
    return _csv(head, lines)


def settings_csv(selection: Selection) -> str:
    """A line per setting that was tried, by validation accuracy in percent."""
    head = [
        "method",
        "setting",
        *(f"validation_accuracy_{end}" for end in _ENDS),
        "seeds",
        "lost",
        "chosen",
    ]
    lines = [
        [
            candidate.arm,
            setting_text(candidate.setting),
            *_ends(candidate.mean),
            len(candidate.accuracies),
            candidate.lost,
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
