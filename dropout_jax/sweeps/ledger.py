# SPDX-License-Identifier: Apache-2.0
"""The ledger of a study: one JSON line per finished trial, fit to be committed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dropout_jax import stored
from dropout_jax.config.causes import reading, writing
from dropout_jax.config.errors import UserError
from dropout_jax.config.identity import stored_id
from dropout_jax.files import ABSENT, lock
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training import parts
from dropout_jax.training.outcome import CURVES, DONE, check_result, check_set
from dropout_jax.training.run_directory import RunDirectory

# Entries of result.json that are entries of the line, not of its result.
OWN_ENTRIES = ("format", "inputs", "reliability", "sets", "sites")
WITHDRAWN = "withdrawn"  # in a line whose result no longer stands: the reason


class Ledger:
    """An append-only file of results; a line in it means the trial need not run.

    A line with the entry `"withdrawn"`, a reason, stays in the file but is no result:
    its trial runs again, and the new line is appended.

    Attributes:
      path: the file, made by `begin` or with the first line.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._read = 0  # bytes that `_lines` and `_results` hold
        self._lines: list[dict[str, Any]] = []
        self._results: dict[str, list[dict[str, Any]]] = {}
        self._withdrawn: dict[str, dict[str, Any]] = {}

    def lines(self) -> list[dict[str, Any]]:
        """Returns all whole lines, also withdrawn ones; reads what is new.

        A torn last line, left by a crash, is passed over; its trial runs again.

        Raises:
          UserError: a whole line is not JSON, or its configuration is impossible.
        """
        for text in stored.whole_lines(self._new()):
            self._add(text)
        return list(self._lines)

    def _new(self) -> bytes:
        """Returns what the file has besides what is read of it."""
        with reading(self.path):
            try:
                size = self.path.stat().st_size
                if size < self._read:  # another file by now
                    self._forget()
                if size > self._read:
                    with self.path.open("rb") as file:
                        file.seek(self._read)
                        return file.read()
            except ABSENT:
                self._forget()
        return b""

    def _forget(self) -> None:
        self._read, self._lines = 0, []
        self._results, self._withdrawn = {}, {}

    def _add(self, text: bytes) -> None:
        place = f"{self.path} line {len(self._lines) + 1}"
        try:
            line = stored.record(text, place)
            found = _id_of(place, line)
        except stored.OtherVersion:
            raise
        except ValueError as error:  # NaN in the configuration is one too
            raise stored.Damaged(
                f"{error}; remove the line and its trial runs again"
            ) from error
        if WITHDRAWN in line:
            self._withdrawn[found] = line
        else:
            self._results.setdefault(found, []).append(line)
        self._lines.append(line)
        self._read += len(text) + 1

    def by_trial(self) -> dict[str, dict[str, Any]]:
        """Returns the line that counts of each trial, by id; withdrawn ones do not.

        It is the first, as in a report; one that was done comes before others.
        """
        return {trial: lines[0] for trial, lines in self.results().items()}

    def results(self) -> dict[str, list[dict[str, Any]]]:
        """Returns all lines of each trial, by id, the one that counts at first.

        There are several where ledgers were merged. Withdrawn ones are left out.
        """
        self.lines()
        return {
            trial: sorted(lines, key=lambda line: line["result"]["status"] != DONE)
            for trial, lines in self._results.items()
        }

    def withdrawn(self) -> dict[str, dict[str, Any]]:
        """Returns the withdrawn lines of trials that have no other line, by id."""
        self.lines()
        trials = self._withdrawn.keys() - self._results.keys()
        return {trial: self._withdrawn[trial] for trial in trials}

    def begin(self) -> None:
        """Makes the file, and its directory, where there is none."""
        with writing(self.path, 0):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()

    def append(self, line: dict[str, Any]) -> None:
        """Adds one line, whole and on the disk when this returns.

        Several processes may append to one file.

        Raises:
          UserError: it cannot be written, or (`Damaged`) is not what `lines` returns.
        """
        _id_of(f"line for {self.path}", line)
        content = (json.dumps(line, sort_keys=True, allow_nan=False) + "\n").encode()
        with writing(self.path, len(content)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._append(content)

    def _append(self, content: bytes) -> None:
        with self.path.open("ab+") as file:
            lock(file, self.path, wait=True)
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # cut off what a crash left of a line
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _id_of(place: str, line: dict[str, Any]) -> str:
    """Returns the trial's id of a line that is of the right shape, or raises Damaged.

    It is computed anew from the configuration: a new field leaves old results in place.
    """
    stored.check_format(place, line)
    config = stored.expect(place, line, "config", dict)
    stored.expect(place, line, "arm", str)
    stored.expect(place, line, "history", dict)
    stored.check_seed(place, line)
    check_result(place, stored.expect(place, line, "result", dict))
    sets = stored.expect(place, line, "sets", dict, {})
    for name in sets:
        check_set(f"{place}: set {name!r:.30}", stored.expect(place, sets, name, dict))
    if WITHDRAWN in line:
        reason = stored.expect(place, line, WITHDRAWN, str)
        if not reason.strip() or not reason.isprintable():
            found = f"{place}: {WITHDRAWN} is {reason!r:.100}"
            raise stored.Damaged(f"{found}: expected a reason in one line")
    try:
        return stored_id(config)
    except stored.OtherVersion as error:
        raise stored.OtherVersion(f"{place}: {error}") from error


def ledger_line(trial: Trial, run: RunDirectory) -> dict[str, Any]:
    """Returns the line of a finished trial, from the files of its run.

    Args:
      trial: the trial.
      run: its run directory.
    """
    result, known = run.result(), parts.in_effect(run.parts())
    if result is None or not known:
        raise UserError(f"{run.path} holds no finished run; run it again")
    records, last = run.metrics(), known[-1]
    return {
        "format": stored.FORMAT,
        "study": trial.study,
        "arm": trial.arm,
        "seed": trial.seed,
        "trial": trial.id,
        "config": run.config(),
        "result": {k: v for k, v in result.items() if k not in OWN_ENTRIES},
        "reliability": _drawn(result.get("reliability", {})),
        "sets": {
            name: {**found, "reliability": _drawn(found.get("reliability", {}))}
            for name, found in result.get("sets", {}).items()
        },
        "sites": result.get("sites", []),
        "history": {
            name: [_short(record.get(name)) for record in records]
            for name in ("epoch", *CURVES)
        },
        "noise": records[-1]["noise"] if records else {},
        "versions": last["versions"],
        "device": f"{last['device']['kind']}, {last['threads']} threads",
        "data_sha256": last["data"]["sha256"],
        "parts": [parts.summary(part) for part in known],
    }


def _drawn(bins: dict[str, list[float]]) -> dict[str, list[float | None]]:
    return {name: [_short(value) for value in values] for name, values in bins.items()}


def _short(value: float | None) -> float | None:
    """Rounds what is only drawn: a committed file should not carry noise digits."""
    return round(value, 5) if isinstance(value, float) else value
