# SPDX-License-Identifier: Apache-2.0
"""The file of a cell's choices and its gate, to be committed beside its ledgers.

Nothing reads it back: the ledgers say the same, to whoever has the protocol.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from dropout_jax.config.causes import writing
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.files import to_json, write_atomically
from dropout_jax.sweeps.choices import Choices
from dropout_jax.sweeps.course import Course
from dropout_jax.sweeps.gate import Verdict
from dropout_jax.sweeps.protocol import ANSWERS, Protocol, Role, Setting


def write_choices(course: Course, cell: str, ledgers: str | Path) -> Path | None:
    """Writes LEDGERS/CELL_choices.json; returns its path, None before the search ends.

    Args:
      course: the protocol and its files.
      cell: name of the cell.
      ledgers: directory of the file.
    """
    choices, gate = course.choices(cell), course.verdicts(cell)
    if choices is None:
        return None
    protocol, path = course.protocol, Path(ledgers) / f"{cell}_choices.json"
    content = {
        "cell": cell,
        "searches": [
            {
                "seeds": list(seeds),
                "methods": {
                    method: {
                        answer: _choice(protocol, cell, choices, number, method, answer)
                        for answer in ANSWERS
                    }
                    for method in protocol.methods
                },
            }
            for number, seeds in enumerate(protocol.cells[cell].searches)
        ],
        "pooled": {
            method: {
                answer: _setting(choices.pooled[method, answer]) for answer in ANSWERS
            }
            for method in protocol.methods
        },
        "curve": {
            answer: [{"method": s.method, **_setting(s)} for s in settings]
            for answer, settings in choices.curve.items()
        },
        "gate": gate and {method: _verdict(found) for method, found in gate.items()},
    }
    with writing(path, 0):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_json(content))
    return path


def _choice(
    protocol: Protocol,
    cell: str,
    choices: Choices,
    search: int,
    method: str,
    answer: str,
) -> dict[str, Any]:
    choice = choices.by_role[Role(search, method, answer)]
    return {
        **_setting(choice.setting),
        "fields": protocol.fields(cell, choice.setting),
        "validation": choice.score._asdict(),
        "at_end": list(choice.at_end),
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {"strength": setting.strength, "learning_rate": setting.learning_rate}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "passed": verdict.passed,
        "points": _interval(verdict.points),
        "nll": _interval(verdict.nll),
        "start": verdict.start,
        "failures": list(verdict.failures),
        "depends": verdict.depends,
    }


def _interval(interval: Interval | None) -> dict[str, float | None] | None:
    """The interval as JSON knows it: an end that one seed cannot give is None."""
    if interval is None:
        return None
    ends = interval._asdict().items()
    return {name: None if math.isnan(end) else end for name, end in ends}
