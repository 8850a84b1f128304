# SPDX-License-Identifier: Apache-2.0
"""A study read back from its ledger: one JSON line per trial, checked on the way in.

What a ledger says is not trusted: a line that cannot be averaged honestly (a second
result for the same seed, two configurations under one name) is an error here, so
that nothing downstream has to think of it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dropout_jax.config import canonical, defaults
from dropout_jax.config.errors import UserError
from dropout_jax.config.flat import flat
from dropout_jax.reports.fields import differing_fields
from dropout_jax.reports.numbers import counted

METRICS = ("accuracy", "nll", "ece", "brier")
STATUSES = ("done", "diverged", "failed")
_DEFAULTS = flat(canonical(defaults()))


@dataclass(frozen=True)
class Trial:
    """One training run.

    `config` is by dotted path; a field that is newer than the line has its default.
    `test` holds METRICS and is empty unless `status` is "done". `history` maps a
    series name to its values, "epoch" among them; `reliability` maps "confidence",
    "accuracy" and "count" to one value per bin. Both may be empty.
    """

    arm: str
    seed: int
    status: str
    config: dict[str, Any]
    test: dict[str, float]
    seconds: float | None
    history: dict[str, list[float]] = field(default_factory=dict)
    reliability: dict[str, list[float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""

    @property
    def done(self) -> bool:
        """Whether the run has results that may be averaged."""
        return self.status == "done"


@dataclass(frozen=True)
class Study:
    """Trials of one study, in order of arm and seed."""

    name: str
    trials: tuple[Trial, ...]
    notes: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the methods, in the order in which the ledger brings them."""
        return tuple(dict.fromkeys(trial.arm for trial in self.trials))

    def of(self, arm: str) -> tuple[Trial, ...]:
        """All trials of a method, by seed."""
        return tuple(trial for trial in self.trials if trial.arm == arm)

    def done(self, arm: str) -> dict[int, Trial]:
        """Trials of a method that have results, by seed."""
        return {trial.seed: trial for trial in self.of(arm) if trial.done}


def load_study(
    ledgers: str | Path | Sequence[str | Path], *, name: str | None = None
) -> Study:
    """Reads the trials of one study.

    Args:
      ledgers: path of a JSONL ledger, or several, read in order.
      name: which study to read; may be left out where there is only one.

    Returns:
      A `Study`. A run that is "done" with a test metric that is not finite counts as
      "diverged". A trial found twice, as after merging ledgers, counts once: the
      first line stands, and `notes` says so.

    Raises:
      UserError: no such file, a line that is not a trial, several studies and no
        `name`, two results for one arm and seed, or one arm with two configurations.
    """
    paths = [ledgers] if isinstance(ledgers, str | Path) else list(ledgers)
    lines = [line for path in paths for line in _lines(Path(path))]
    where = ", ".join(str(path) for path in paths)
    found = list(dict.fromkeys(record.get("study", "") for _, record in lines))
    if name is None and len(found) > 1:
        raise UserError(f"{where} holds the studies {found}: choose one by its name")
    chosen = [line for line in lines if name is None or line[1].get("study") == name]
    if not chosen:
        wanted = "" if name is None else f" of study {name!r} (it holds {found})"
        raise UserError(f"{where} has no trial{wanted}: run the study first")

    trials: dict[tuple[str, int], Trial] = {}
    again = 0
    for place, record in chosen:
        trial = _trial(place, record)
        key = (trial.arm, trial.seed)
        if key not in trials:
            _check_same_method(place, trial, trials)
            trials[key] = trial
        elif trials[key].config == trial.config:
            again += 1
        else:
            raise UserError(
                f"{place}: {trial.arm!r} has a second result for seed {trial.seed} "
                "with another configuration: give the two methods two names"
            )
    notes = (
        f"Found twice and counted once, by its first line: {counted(again, 'trial')}.",
    )
    order = {arm: place for place, (arm, _) in reversed(list(enumerate(trials)))}
    return Study(
        name=str(name or found[0]),
        trials=tuple(sorted(trials.values(), key=lambda t: (order[t.arm], t.seed))),
        notes=notes if again else (),
    )


def _lines(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The records of a file, each with the place to name in a message."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the ledger {path}: {error}") from None
    records = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines):  # cut off by a crash: its trial will run again
                break
            record = None
        if not isinstance(record, dict):
            raise UserError(
                f"{place} is not a JSON object: remove the line, "
                "its trial will run again"
            )
        records.append((place, record))
    return records


def _trial(place: str, record: dict[str, Any]) -> Trial:
    """A checked trial from one line."""

    def expect(container: Any, key: str, kind: Any, default: Any = ...) -> Any:
        value = container.get(key) if isinstance(container, dict) else None
        if value is None and default is not ...:
            return default
        # bool is an int to Python, and never a number here.
        if isinstance(value, bool) or not isinstance(value, kind):
            names = getattr(kind, "__name__", "a number")
            raise UserError(f"{place}: {key} is {value!r}: expected {names}")
        return value

    arm = expect(record, "arm", str)
    if not arm.strip() or not arm.isprintable() or len(arm) > 100:
        raise UserError(
            f"{place}: arm {arm[:100]!r} is not a name: "
            "give 1 to 100 printable characters"
        )
    result = expect(record, "result", dict)
    status = expect(result, "status", str)
    if status not in STATUSES:
        raise UserError(
            f"{place}: status is {status!r}: expected one of {', '.join(STATUSES)}"
        )
    test: dict[str, float] = {}
    if status == "done":
        raw = expect(result, "test", dict)
        test = {metric: float(expect(raw, metric, int | float)) for metric in METRICS}
        if not all(math.isfinite(value) for value in test.values()):
            status, test = "diverged", {}
        elif not 0 <= test["accuracy"] <= 1:
            raise UserError(
                f"{place}: accuracy is {test['accuracy']}: "
                "expected a fraction in [0, 1]"
            )
    seconds = expect(result, "seconds", int | float, None)
    return Trial(
        arm=arm,
        seed=expect(record, "seed", int),
        status=status,
        config=_DEFAULTS | flat(expect(record, "config", dict)),
        test=test,
        seconds=None if seconds is None else float(seconds),
        history=_columns(place, "history", expect(record, "history", dict, {})),
        reliability=_columns(
            place, "reliability", expect(record, "reliability", dict, {})
        ),
        versions={
            str(key): str(value)
            for key, value in expect(record, "versions", dict, {}).items()
        },
        device=expect(record, "device", str, ""),
    )


def _columns(place: str, name: str, table: dict[str, Any]) -> dict[str, list[float]]:
    """Named columns of equal length; what is no number (null) becomes NaN."""
    columns = {}
    for key, values in table.items():
        if not isinstance(values, list):
            raise UserError(f"{place}: {name}.{key} is not a list")
        columns[str(key)] = [
            float(value) if isinstance(value, int | float) else math.nan
            for value in values
        ]
    if len({len(values) for values in columns.values()}) > 1:
        raise UserError(f"{place}: the columns of {name} differ in length")
    return columns


def _check_same_method(
    place: str, trial: Trial, trials: dict[tuple[str, int], Trial]
) -> None:
    """One name, one configuration: seeds are the only thing averaged over."""
    for other in trials.values():
        if other.arm != trial.arm:
            continue
        fields = differing_fields([other.config, trial.config])
        fields = [name for name in fields if name != "seed"]
        if fields:
            raise UserError(
                f"{place}: {trial.arm!r} differs from its earlier trials in "
                f"{', '.join(fields)}: give the two methods two names"
            )
        return
