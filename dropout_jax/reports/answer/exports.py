# SPDX-License-Identifier: Apache-2.0
"""The answer as CSV and JSON, every number unrounded."""

import csv
import io
import json
import math
from typing import Any

from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.answer.cell import Cell
from dropout_jax.reports.answer.judging import Answer, Row
from dropout_jax.reports.answer.words import conditions, outcome, sentences, state


def as_csv(answer: Answer) -> str:
    """A line for each method of each cell by each measure (RFC 4180)."""
    lines = [
        _flat(record(cell, row)) for cell in answer.cells for row in _rows(answer, cell)
    ]
    heads = dict.fromkeys(name for line in lines for name in line)
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(heads), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def as_json(answer: Answer) -> str:
    """All rows by cell, with the differences behind each comparison."""
    record_of = {
        "conditions": conditions(answer),
        "comparisons": answer.family,
        "cells": [
            {
                "cell": cell.name,
                "train_size": cell.train_size,
                "descriptive": cell.descriptive,
                "finished": cell.finished,
                "state": state(cell),
                "sentences": [
                    said
                    for measure in cell.measures
                    for said in sentences(answer, cell, measure)
                ],
                "rows": [
                    record(cell, row) | {"replicates": _replicates(row)}
                    for row in _rows(answer, cell)
                ],
            }
            for cell in answer.cells
        ],
    }
    return json.dumps(record_of, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def record(cell: Cell, row: Row) -> dict[str, Any]:
    """One row as plain values; intervals as mean, low and high."""
    found = row.comparison
    return {
        "cell": row.cell,
        "method": row.method,
        "measure": row.measure.name,
        "unit": row.measure.unit,
        "margin": row.measure.margin,
        "runs": len(row.values),
        "planned": row.planned,
        "diverged": len(row.diverged),
        "unfinished": dict(row.unfinished),
        "mean": _ends(row.mean),
        "by_search": _by_search(row.by_search),
        "outcome": outcome(cell, row),
        "pairs": len(found.values) if found else 0,
        "difference": _ends(found.interval if found else None),
        "difference_corrected": _ends(found.corrected if found else None),
        "difference_by_search": _by_search(found.by_search if found else {}),
        "difference_between_searches": {
            f"{search}_minus_{first}": _ends(interval)
            for (search, first), interval in (
                found.between_searches if found else {}
            ).items()
        },
        "p_corrected": found.p_value if found else None,
        "p_equivalence_corrected": found.equivalence if found else None,
        "minimum_detectable_effect": _number(found.detectable if found else None),
        "superiority": _ends(row.superiority),
        "superiority_unpaired": _ends(row.superiority_unpaired),
        "settings": {
            str(search): {
                "strength": choice.strength,
                "learning_rate": choice.learning_rate,
                "at_end": choice.at_end,
                "fields": dict(choice.fields),
            }
            for search, choice in row.choices.items()
        },
        "noise": {
            str(search): {site.name or "all": site.value for site in sites}
            for search, sites in row.noise.items()
        },
        "median_seconds": row.seconds,
        "times_baseline": row.cost,
        "gain_per_minute": row.gain_per_minute,
        "search_trials": {str(search): n for search, n in row.trials.items()},
        "search_seconds": row.search_seconds,
    }


def _rows(answer: Answer, cell: Cell) -> list[Row]:
    return [row for measure in cell.measures for row in answer.of(cell, measure)]


def _replicates(row: Row) -> list[dict[str, Any]]:
    """What each replicate gave, with its difference to the baseline."""
    found = row.comparison
    differences: dict[tuple[int, int], float] = {}
    if found:
        pairs = zip(found.searches, found.seeds, strict=True)
        differences = dict(zip(pairs, found.values, strict=True))
    return [
        {
            "search": search,
            "seed": seed,
            "value": value,
            "difference": differences.get((search, seed)),
            "diverged": (search, seed) in row.diverged,
        }
        for (search, seed), value in row.values.items()
    ]


def _ends(interval: Interval | None) -> dict[str, float | None]:
    values = interval or (None, None, None)
    names = ("mean", "low", "high")
    return {name: _number(v) for name, v in zip(names, values, strict=True)}


def _by_search(found: Any) -> dict[str, dict[str, float | None]]:
    return {str(search): _ends(interval) for search, interval in found.items()}


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested names joined by an underscore, as columns of a spreadsheet have them."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name == "fields":
            found[before + name] = json.dumps(value)
        elif isinstance(value, dict):
            found |= _flat(value, f"{before}{name}_")
        else:
            found[before + name] = value
    return found
