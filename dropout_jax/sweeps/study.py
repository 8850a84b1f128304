# SPDX-License-Identifier: Apache-2.0
"""The directory of a study: its plan, its runs, who is at work on what."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dropout_jax import stored
from dropout_jax.config.causes import Unreadable, reading, writing
from dropout_jax.config.errors import UserError
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.config.places import NOTHING, missing, refuse_place
from dropout_jax.files import (
    content,
    lock,
    make_private,
    refuse_odd,
    to_json,
    write_atomically,
)
from dropout_jax.sweeps import plan_file
from dropout_jax.sweeps.described import check_reporting
from dropout_jax.sweeps.ledger import Ledger
from dropout_jax.sweeps.trials import Trial

ATTEMPTS = 3  # failures after which a trial is given up
_OWN_LEDGER = "ledger.jsonl"
_ROOMS = ("trials", "groups", "claims", "failures", "workers", "report")
_ABOUT = {"name": str, "test": bool, "ledger": str, "lanes": int}
_REMEMBERED = ("inputs", "accepted", "execution", "checkpoints")  # by `remember`


class StudyDirectory:
    """The files of one study; all its state, so that any process can go on with it.

        study.json       its name, its ledger, and what holds for all trials
        plan.jsonl       one line per trial, never changed, only added to
        trials/NAME/     the run directory of a trial
        groups/ID/       checkpoints of trials that train in step
        ledger.jsonl     one line per finished trial (or elsewhere: `ledger`)
        results.jsonl    those of the plan, for the report
        report/          what came out
        claims/ID        locked by the process that is at work on the trial
        failures/ID      one line per failed attempt
        workers/         heartbeats and logs

    The kernel frees a claim when its holder dies, however it dies.

    Attributes:
      path: the directory.
      ledger: the file of results.
    """

    def __init__(self, path: str | Path, ledger: str | Path = ""):
        """Names the directory; nothing is written yet.

        Args:
          path: the directory.
          ledger: the file of results; `ledger.jsonl` in the directory by default.
        """
        self.path = Path(path)
        refuse_place("--study", path)
        if ledger:
            refuse_place("--ledger", ledger)
        if ledger and Path(ledger).suffix != ".jsonl":  # no other file is appended to
            raise UserError(f"--ledger={ledger}: its name must end in .jsonl")
        self._ledger, place = _OWN_LEDGER, self.path / _OWN_LEDGER
        if ledger:
            # Relative, so that study and ledger can be moved together; not what is
            # read, because it leads nowhere until the study is there.
            real = os.path.realpath(ledger), os.path.realpath(self.path)
            self._ledger = os.path.relpath(*real)
        if self._ledger != _OWN_LEDGER:
            place = Path(ledger).absolute()
        self.ledger = Ledger(place)

    def extend(
        self,
        trials: Sequence[Trial],
        *,
        test: bool = True,
        lanes: int = 1,
        reporting: Mapping[str, Any] | None = None,
    ) -> int:
        """Writes the plan, or adds to it what it lacks.

        Args:
          trials: of one study.
          test: whether the test set is looked at; a search says no.
          lanes: how many trials of one program train in step at most.
          reporting: what `report` is told, as JSON knows it; replaces what it was told
            before.

        Returns:
          The number of trials that are new to the plan.

        Raises:
          UserError: the directory belongs to another study, or cannot be written.
        """
        about = {"name": trials[0].study, "test": test, "ledger": self._ledger}
        check_reporting("reporting", reporting or {})
        with writing(self.path, 0):
            make_private(self.path)
            self._refuse_odd()
            with self._locked("lock", wait=True):
                found = self.about()
                if found is not None and any(found[k] != v for k, v in about.items()):
                    raise UserError(
                        f"{self.path} belongs to study {found['name']!r} with ledger "
                        f"{found['ledger']}, not to {about['name']!r} with "
                        f"{about['ledger']}; choose another directory"
                    )
                # Fixed with the first trial: other batches have other checkpoints.
                about["lanes"] = found["lanes"] if found else lanes
                about["reporting"] = dict(reporting or {})
                about |= {k: v for k, v in (found or {}).items() if k in _REMEMBERED}
                known = self._known(about["name"], found)
                ids = {trial.id for trial in known}
                new = [trial for trial in trials if trial.id not in ids]
                about["plan"] = plan_file.write(self._plan, [*known, *new])
                write_atomically(self.path / "study.json", to_json(about))
                if self._ledger != _OWN_LEDGER:
                    self.ledger.begin()
        return len(new)

    def _refuse_odd(self) -> None:
        for directory in (self.path, *(self.path / room for room in _ROOMS)):
            refuse_odd(directory)

    @property
    def _plan(self) -> Path:
        return self.path / "plan.jsonl"

    def known_trials(self) -> list[Trial]:
        """Returns the trials of the plan, or what is left of it if it is damaged.

        For a command that goes on to mend it; the others read `trials`.
        """
        about = self.about()
        return self._known(about["name"], about) if about else []

    def _known(self, name: str, about: dict[str, Any] | None) -> list[Trial]:
        try:
            return plan_file.read(self._plan, name, about and about["plan"])
        except stored.Damaged:
            return plan_file.read_whole(self._plan, name)

    def about(self) -> dict[str, Any] | None:
        """Returns the content of study.json, or None: what holds for all trials.

        Raises:
          Damaged: it is not what was written.
        """
        path = self.path / "study.json"
        try:
            if (found := stored.read_if_there(path)) is None:
                return None
            for name, kind in {**_ABOUT, "reporting": dict, "plan": dict}.items():
                stored.expect(path, found, name, kind)
            if not stored.is_name(found["name"]):
                raise stored.Damaged(f"{path}: {found['name']!r:.80} is no name")
            check_reporting(path, found["reporting"])
            for name in _REMEMBERED:
                stored.expect(path, found, name, dict, {})
            for value in found.get("accepted", {}).values():
                if not isinstance(value, list):
                    raise stored.Damaged(f"{path}: accepted has {value!r:.80}")
        except Unreadable:
            raise
        except UserError as error:
            raise stored.Damaged(
                f"{error}; remove the file, and the command that began the study mends "
                "it"
            ) from error
        return found

    def remember(self, **entries: Mapping[str, Any]) -> None:
        """Adds to study.json how the study is computed.

        Args:
          **entries: `inputs` and `accepted` as `inputs.check` returns them, `execution`
            of `shares`, `checkpoints` of `kept`; each replaces what was there.
        """
        assert set(entries) <= set(_REMEMBERED)
        with self._locked("lock", wait=True):
            found = self.about()
            if found is not None and found | entries != found:
                write_atomically(self.path / "study.json", to_json(found | entries))

    def tests(self) -> bool:
        """Whether trials look at the test set; a search does not."""
        return (self.about() or {"test": True})["test"]

    def lanes(self) -> int:
        """Returns how many trials train in step at most."""
        return (self.about() or {"lanes": 1})["lanes"]

    def group_directory(self, batch: Sequence[Trial]) -> Path:
        """Returns where trials that train in step have their checkpoints."""
        if len(batch) == 1:
            return self.run_directory(batch[0])
        ids = " ".join(trial.id for trial in batch)
        return self.path / "groups" / hashlib.sha256(ids.encode()).hexdigest()[:16]

    def trials(self) -> list[Trial]:
        """Returns the planned trials in order.

        Raises:
          Damaged: study.json or plan.jsonl is not what was written.
        """
        about = self.about() or {"name": "", "plan": None}
        return plan_file.read(self._plan, about["name"], about["plan"])

    def write_lines(self, trials: Sequence[Trial]) -> Path:
        """Writes the ledger's lines of some trials to results.jsonl; returns its path.

        The ledger may know other trials as well, of other lengths or arms.
        """
        known = self.ledger.results()
        lines = [line for trial in trials for line in known.get(trial.id, ())]
        path = self.path / "results.jsonl"
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines))
        return path

    def run_directory(self, trial: Trial) -> Path:
        """Returns the run directory of a trial."""
        arm = re.sub(r"[^A-Za-z0-9._-]+", "_", trial.arm)[:80]
        return self.path / "trials" / f"{arm}_seed_{trial.seed}_{trial.id[:8]}"

    @contextlib.contextmanager
    def claim(self, trial: Trial) -> Iterator[bool]:
        """Holds the trial for the length of a `with`; False if another process does."""
        with self._locked(f"claims/{trial.id}") as claimed:
            yield claimed

    def claimed(self, trial: Trial) -> bool:
        """Whether a process is at work on the trial."""
        path = self.path / "claims" / trial.id
        with contextlib.suppress(FileNotFoundError), path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextlib.contextmanager
    def driven(self) -> Iterator[bool]:
        """Holds the search, that asks for trials, as `claim` does a trial."""
        with self._locked("claims/search") as held:
            yield held

    @contextlib.contextmanager
    def _locked(self, name: str, *, wait: bool = False) -> Iterator[bool]:
        path = self.path / name
        with writing(path, 0):
            path.parent.mkdir(exist_ok=True)
            file = path.open("a")
        with file:
            yield lock(file, path, wait=wait)

    def record_failure(self, trial_id: str, reason: str, where: str = "") -> None:
        """Remembers that an attempt at a trial failed.

        Args:
          trial_id: id of the trial.
          reason: why, for a reader.
          where: traceback, for whoever mends it.
        """
        path = self.path / "failures" / trial_id
        line = json.dumps({"reason": " ".join(reason.split()), "traceback": where})
        with writing(path, len(line)):
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def failures(self) -> dict[str, list[str]]:
        """Returns why attempts failed, by trial id."""
        path = self.path / "failures"
        found = {}
        for file in filter(Path.is_file, path.glob("*")):
            # `retry` may forget it in between.
            lines = stored.whole_lines(content(file) or b"")
            reasons = [stored.record(line, file).get("reason") for line in lines]
            found[file.name] = [str(reason) for reason in reasons]
        return found

    def given_up(self) -> dict[str, str]:
        """Returns the trials that failed too often, with the last reason."""
        failures = self.failures().items()
        return {found: r[-1] for found, r in failures if len(r) >= ATTEMPTS}

    def forget_failures(self) -> int:
        """Gives failed trials a new chance; returns how many there are."""
        count = 0
        for trial_id in self.failures():
            (self.path / "failures" / trial_id).unlink(missing_ok=True)
            count += 1
        return count


def unfinished(study: StudyDirectory, trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials that the ledger does not have."""
    known = study.ledger.by_trial()
    return [trial for trial in trials if trial.id not in known]


def remaining(study: StudyDirectory, trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials that are neither finished nor given up."""
    given_up = study.given_up()
    return [t for t in unfinished(study, trials) if t.id not in given_up]


def open_study(path: str | Path) -> StudyDirectory:
    """Returns the study that a directory holds.

    Raises:
      UserError: it holds none, or is not as it was written.
    """
    with reading(Path(path)):
        StudyDirectory(path)._refuse_odd()
    about = StudyDirectory(path).about()
    if about is None:
        near = hint_of_path(path, "*/study.json")
        raise UserError(f"--study {path} holds no study; `run` makes one{near}")
    study = StudyDirectory(path, Path(path, about["ledger"]))
    # Only a user makes a file outside of the study, by the --ledger of `run`.
    if study._ledger != _OWN_LEDGER and not os.path.isfile(study.ledger.path):
        place = f"--study {path} keeps its results in {study.ledger.path}"
        if (why := missing(study.ledger.path)) != NOTHING:
            raise UserError(f"{place}: {why or 'it is a directory'}")
        raise UserError(
            f"{place}, which is not there; the command that began the study makes it, "
            "and every machine that works on it must see it"
        )
    return study
