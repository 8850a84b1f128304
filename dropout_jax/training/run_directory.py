# SPDX-License-Identifier: Apache-2.0
"""The files of one run: what it was asked, where it ran, what came out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dropout_jax import stored
from dropout_jax.config import canonical, defaults, from_json
from dropout_jax.config.causes import reading, writing
from dropout_jax.config.errors import InUse, UserError
from dropout_jax.config.flat import flat
from dropout_jax.config.places import refuse_place
from dropout_jax.config.schema import BY_PATH
from dropout_jax.files import (
    lock,
    make_private,
    refuse_odd,
    remove_unfinished,
    to_json,
    write_atomically,
)
from dropout_jax.training import outcome, parts
from dropout_jax.training.parts import Part

MOST_LANES = 10_000


class RunDirectory:
    """One run's directory, held by one process at a time.

    Attributes:
      path: the directory.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._lock: Any = None

    def open(self, config: Any) -> dict[str, Any] | None:
        """Creates or reopens the directory for `config`.

        Returns:
          The stored result if this very run is finished; None if there is work left.

        Raises:
          UserError: it belongs to another config, is no run directory, has links in
            it, cannot be written, is `Damaged`, or (`InUse`) another process is at
            work in it.
        """
        self.check(config)
        with writing(self.path, 0):
            make_private(self.path)
            self._lock = self._file(".lock").open("w")
        try:
            if not lock(self._lock, self._file(".lock")):
                raise InUse(
                    f"--workdir {self.path} is in use by another process; wait for it "
                    "or choose another directory"
                )
            with writing(self.path, 0):
                remove_unfinished(self.path)
            return self._claim(canonical(config))
        except BaseException:
            self.close()
            raise

    def check(self, config: Any) -> None:
        """Raises UserError, as `open` does, for a directory that is not this run's.

        Nothing is written.
        """
        refuse_place("--workdir", self.path)
        with reading(self.path):
            refuse_odd(self.path)
            if (found := self.config()) is not None:
                self._extends(found, canonical(config))
            elif self.path.is_dir():
                # Hidden files are the lock, and what a kill may leave of the first
                # write.
                strangers = [p for p in self.path.iterdir() if p.name[0] != "."]
                if strangers:
                    raise UserError(
                        f"--workdir {self.path} holds other files (such as "
                        f"{strangers[0].name}) and no run; choose a new or empty "
                        "directory"
                    )

    def _claim(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        found = self.config()
        if found is not None and self._extends(found, wanted):
            # Before the config: killed in between, the old result is not the new one's.
            self.set_status(outcome.RUNNING)
        elif found is not None and self.status in outcome.FINISHED:
            if (result := self._whole_result()) is not None:
                return result
            self.set_status(outcome.RUNNING)
        if found != wanted:
            write_atomically(self._file("config.json"), to_json(wanted))
        return None

    def _whole_result(self) -> dict[str, Any] | None:
        """Returns the result if all that the finished run wrote is still there.

        Otherwise the last checkpoint has it once more.
        """
        try:
            result, found = self.result(), self.parts()
            digest = outcome.metrics_sha256(self.metrics())
        except stored.Damaged:
            return None
        if result is None or not found:
            return None
        same = result.get("metrics_sha256") == digest
        return result if same and result.get("status") == self.status else None

    def close(self) -> None:
        """Lets other processes use the directory."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _file(self, name: str) -> Path:
        return self.path / name

    def config(self) -> dict[str, Any] | None:
        """Returns the stored config as plain data, or None for a new directory."""
        return self._json("config.json")

    def _json(self, name: str) -> dict[str, Any] | None:
        return stored.read_if_there(self._file(name))

    def _extends(self, found: dict[str, Any], wanted: dict[str, Any]) -> bool:
        """Whether the wanted run goes on where the one found ends.

        Raises:
          UserError: they are two runs.
        """
        if not (changed := _changed(found, wanted)):
            return False
        epochs = wanted["train"]["epochs"]
        if changed != ["train.epochs"] or epochs < from_json(found).train.epochs:
            raise UserError(
                f"--workdir {self.path} belongs to a run with other settings "
                f"({', '.join(changed)}); choose another directory or use its config"
            )
        if count := wanted["train"]["validations"]:
            raise UserError(
                f"train.epochs={epochs} cannot extend the run in {self.path}: its "
                f"train.validations={count} were laid out for "
                f"{found['train']['epochs']} epochs; choose another --workdir, or "
                "train.validations=0 from the start"
            )
        if wanted["optimizer"]["schedule"] == "cosine":
            raise UserError(
                f"train.epochs={epochs} cannot extend the run in {self.path}: its "
                f"cosine schedule was laid out for {found['train']['epochs']} epochs; "
                "choose another --workdir, or a constant or step schedule from the "
                "start"
            )
        return True

    @property
    def status(self) -> str | None:
        """One of running, done, diverged, pruned, failed; None for a new directory."""
        found = stored.written(self._file("status"))
        return None if found is None else found.decode(errors="replace").split("\n")[0]

    def set_status(self, status: str, reason: str = "") -> None:
        """Stores the status, and why on a second line."""
        write_atomically(self._file("status"), f"{status}\n{reason}".rstrip() + "\n")

    def result(self) -> dict[str, Any] | None:
        """Returns what the finished run found, or None."""
        found = self._json("result.json")
        if found is not None:
            outcome.check_result(self._file("result.json"), found)
        return found

    def write_result(self, result: dict[str, Any]) -> None:
        """Stores what the run found."""
        write_atomically(self._file("result.json"), to_json(result))

    def parts(self) -> list[Part]:
        """Returns the parts of the run, in order; none before it begins."""
        found = self._json("env.json")
        return [] if found is None else parts.read(self._file("env.json"), found)

    def add_part(self, part: Part) -> Part | None:
        """Adds where and with what the run goes on; returns the part before, if any."""
        try:
            known = self.parts()
        except stored.Damaged:
            known = []
        content = {"format": stored.FORMAT, "parts": parts.added(known, part)}
        write_atomically(self._file("env.json"), to_json(content))
        before = [p for p in parts.in_effect(known) if p["step"] < part["step"]]
        return before[-1] if before else None

    def write_lane(self, group: Path, number: int, of: int) -> None:
        """Stores where the checkpoints are that the trial shares with a group.

        Args:
          group: directory of the group; the run's own for a trial alone.
          number: the trial's lane, from 0.
          of: number of lanes.
        """
        if group != self.path:
            place = {"group": os.path.relpath(group, self.path)}
            found = {**place, "lane": number, "lanes": of}
            write_atomically(self._file("lane.json"), to_json(found))

    def lane(self) -> tuple[int, int]:
        """Returns the trial's lane and the number of lanes of its group."""
        found, path = self._json("lane.json"), self._file("lane.json")
        if found is None:
            return 0, 1
        lane, lanes = (stored.expect(path, found, n, int) for n in ("lane", "lanes"))
        if not 0 <= lane < lanes <= MOST_LANES:
            raise stored.Damaged(f"{path}: lane {lane} of {lanes} is none")
        return lane, lanes

    @property
    def checkpoints(self) -> Path:
        """The directory of the checkpoints, which a group shares."""
        found, path = self._json("lane.json"), self._file("lane.json")
        group = "." if found is None else stored.expect(path, found, "group", str)
        return self.path / group / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """The directory of the TensorBoard events."""
        return self._file("tensorboard")

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl."""
        path, line = self._file("metrics.jsonl"), _line(record)
        with writing(path, len(line)), path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def write_metrics(self, records: Sequence[dict[str, Any]]) -> None:
        """Makes metrics.jsonl what a checkpoint knows, whatever it was."""
        write_atomically(self._file("metrics.jsonl"), "".join(map(_line, records)))

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the records of metrics.jsonl, one per validation.

        A torn last line, left by a crash, is passed over.

        Raises:
          Damaged: a whole line is not what was written.
        """
        path = self._file("metrics.jsonl")
        lines = stored.whole_lines(stored.written(path) or b"")
        records = [
            stored.record(line, f"{path}:{n}") for n, line in enumerate(lines, 1)
        ]
        for record in records:
            outcome.check_record(path, record)
        return records


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, allow_nan=False) + "\n"


def _changed(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Returns the fields that differ and may change a number of the run.

    A field that is newer than the run had its default.
    """
    old, new = {**flat(canonical(defaults())), **flat(found)}, flat(wanted)
    return sorted(
        field
        for field in old.keys() | new.keys()
        if old.get(field) != new.get(field)
        and (field not in BY_PATH or BY_PATH[field].identity)
    )
