# SPDX-License-Identifier: Apache-2.0
"""The files of one run: what it was asked, where it ran, what came out."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from dropout_jax.config import canonical
from dropout_jax.config.errors import InUse, UserError
from dropout_jax.config.flat import flat
from dropout_jax.config.schema import BY_PATH
from dropout_jax.files import to_json, write_atomically

RUNNING, DONE, DIVERGED = "running", "done", "diverged"
PRUNED, FAILED = "pruned", "failed"
# What may differ between two runs of the same seed: how long things took.
TIMES = ("seconds", "images_per_second")


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
          UserError: it belongs to another config, is no run directory, cannot be
            written, or (`InUse`) another process is at work in it.
        """
        if self.path.is_dir() and not self._file("config.json").exists():
            # Hidden files are the lock, and what a kill may leave of the first write.
            strangers = [p for p in self.path.iterdir() if p.name[0] != "."]
            if strangers:
                raise UserError(
                    f"--workdir {self.path} holds other files (such as "
                    f"{strangers[0].name}) and no run; choose a new or empty directory"
                )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._file(".lock").open("w")
        except OSError as error:
            raise UserError(
                f"--workdir {self.path} cannot be written ({error.strerror}); choose "
                "a directory you may write to"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return self._claim(canonical(config))
        except BlockingIOError as error:
            self.close()
            raise InUse(
                f"--workdir {self.path} is in use by another process; wait for it or "
                "choose another directory"
            ) from error
        except UserError:
            self.close()
            raise

    def _claim(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        stored = self.config()
        changed = [] if stored is None else _changed(stored, wanted)
        if stored is not None and changed:
            self._check_extension(stored, wanted, changed)
            # Before the config: killed in between, the old result is not the new one's.
            self.set_status(RUNNING)
        elif stored is not None and self.status in (DONE, DIVERGED, PRUNED):
            return self.result()
        if stored != wanted:
            write_atomically(self._file("config.json"), to_json(wanted))
        return None

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

    def _json(self, name: str) -> Any:
        path = self._file(name)
        if not path.exists():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise UserError(
                f"{path} cannot be read as JSON ({error}); restore the file or choose "
                "another --workdir"
            ) from error

    def _check_extension(
        self, stored: dict[str, Any], wanted: dict[str, Any], changed: list[str]
    ) -> None:
        more = wanted["train"]["epochs"] > stored["train"]["epochs"]
        if changed != ["train.epochs"] or not more:
            raise UserError(
                f"--workdir {self.path} belongs to a run with other settings "
                f"({', '.join(changed)}); choose another directory or use its config"
            )
        if wanted["optimizer"]["schedule"] == "cosine":
            raise UserError(
                f"train.epochs={wanted['train']['epochs']} cannot extend the run in "
                f"{self.path}: its cosine schedule was laid out for "
                f"{stored['train']['epochs']} epochs; choose another --workdir, or "
                "a constant or step schedule from the start"
            )

    @property
    def status(self) -> str | None:
        """One of running, done, diverged, pruned, failed; None for a new directory."""
        path = self._file("status")
        return path.read_text().split("\n")[0] if path.exists() else None

    def set_status(self, status: str, reason: str = "") -> None:
        """Stores the status, and why on a second line."""
        write_atomically(self._file("status"), f"{status}\n{reason}".rstrip() + "\n")

    def result(self) -> dict[str, Any] | None:
        """Returns what the finished run found, or None."""
        return self._json("result.json")

    def write_result(self, result: dict[str, Any]) -> None:
        """Stores what the run found."""
        write_atomically(self._file("result.json"), to_json(result))

    def write_environment(self, environment: dict[str, Any]) -> None:
        """Stores where the run takes place."""
        write_atomically(self._file("env.json"), to_json(environment))

    def environment(self) -> dict[str, Any] | None:
        """Returns where the run took place."""
        return self._json("env.json")

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
        found = self._json("lane.json") or {"lane": 0, "lanes": 1}
        return found["lane"], found["lanes"]

    @property
    def checkpoints(self) -> Path:
        """The directory of the checkpoints, which a group shares."""
        found = self._json("lane.json") or {"group": "."}
        return self.path / found["group"] / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """The directory of the TensorBoard events."""
        return self._file("tensorboard")

    def append_metrics(self, record: dict[str, Any]) -> int:
        """Appends one line to metrics.jsonl and returns the file's new size, bytes."""
        line = json.dumps(record, sort_keys=True, allow_nan=False) + "\n"
        with self._file("metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def truncate_metrics(self, size: int) -> None:
        """Cuts metrics.jsonl back to `size` bytes: to what a checkpoint knows."""
        path = self._file("metrics.jsonl")
        path.touch()
        os.truncate(path, size)

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the records of metrics.jsonl, one per epoch."""
        path = self._file("metrics.jsonl")
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def metrics_sha256(self) -> str:
        """Returns the SHA-256 of the metrics with their times left out."""
        digest = hashlib.sha256()
        for record in self.metrics():
            kept = {name: v for name, v in record.items() if name not in TIMES}
            digest.update(json.dumps(kept, sort_keys=True).encode())
        return digest.hexdigest()


def _changed(stored: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Returns the fields that differ and may change a number of the run."""
    old, new = flat(stored), flat(wanted)
    return sorted(
        field
        for field in old.keys() | new.keys()
        if old.get(field) != new.get(field)
        and (field not in BY_PATH or BY_PATH[field].identity)
    )
