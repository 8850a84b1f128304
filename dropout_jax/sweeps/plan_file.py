# SPDX-License-Identifier: Apache-2.0
"""The plan of a study on the disk: a line per trial, never changed, only added to.

Its seal, number and SHA-256 of its lines, stands in study.json, which is written after
it: a plan may be longer than its seal says, never shorter or different.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dropout_jax import stored
from dropout_jax.config.errors import UserError
from dropout_jax.config.identity import stored_id
from dropout_jax.files import write_atomically
from dropout_jax.sweeps.trials import Trial

_ID = re.compile(r"[0-9a-f]{64}")  # it names files


def read(path: Path, study: str, seal: Mapping[str, Any] | None) -> list[Trial]:
    """Returns the planned trials in order.

    Args:
      path: of the plan; there need be none.
      study: name of the study.
      seal: of the lines that must be there, as `write` returned it; None: any.

    Raises:
      Damaged: the plan is not what was written.
    """
    lines = _lines(path)
    if seal is not None:
        count = stored.expect("seal of the plan", seal, "trials", int)
        if _seal(lines[:count]) != seal:
            raise stored.Damaged(
                f"{path} is damaged: it should begin with the {count:,} lines "
                "that were written; the command that began the study mends it"
            )
    return [_trial(line, f"{path}:{n}", study) for n, line in enumerate(lines, 1)]


def read_whole(path: Path, study: str) -> list[Trial]:
    """Returns the trials of those lines of a damaged plan that are as they were."""
    found = []
    for line in _lines(path):
        try:
            trial = _trial(line, path, study)
            if stored_id(trial.values) == trial.id:
                found.append(trial)
        except UserError:
            continue
    return found


def write(path: Path, trials: Iterable[Trial]) -> dict[str, Any]:
    """Writes the plan; returns its seal."""
    lines = [_line(trial) for trial in trials]
    content = b"".join(line + b"\n" for line in lines)
    if stored.written(path) != content:
        write_atomically(path, content)
    return _seal(lines)


def _lines(path: Path) -> list[bytes]:
    return stored.whole_lines(stored.written(path) or b"")


def _seal(lines: list[bytes]) -> dict[str, Any]:
    digest = hashlib.sha256(b"\n".join(lines)).hexdigest()
    return {"trials": len(lines), "sha256": digest}


def _trial(line: bytes, place: object, study: str) -> Trial:
    found = stored.record(line, place)
    values = stored.expect(place, found, "config", dict)
    stored.expect(place, values, "seed", int)
    id_ = stored.expect(place, found, "trial", str)
    if not _ID.fullmatch(id_):
        raise stored.Damaged(f"{place}: {id_!r:.80} is no id of a trial")
    if not stored.is_name(arm := stored.expect(place, found, "arm", str)):
        raise stored.Damaged(f"{place}: {arm!r:.80} is no name of an arm")
    return Trial(study, arm, values, id_)


def _line(trial: Trial) -> bytes:
    line = {
        "trial": trial.id,
        "arm": trial.arm,
        "seed": trial.seed,
        "config": trial.values,
    }
    return json.dumps(line, sort_keys=True, allow_nan=False).encode()
