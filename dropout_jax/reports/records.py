# SPDX-License-Identifier: Apache-2.0
"""The lines of a ledger, each checked on the way in.

What a ledger says is not trusted: a line that is not a trial is an error that names
its place.
"""

import functools
import math
from pathlib import Path
from typing import Any

from dropout_jax import stored
from dropout_jax.config import canonical, defaults
from dropout_jax.config.errors import UserError
from dropout_jax.config.flat import flat
from dropout_jax.reports.trial import METRICS, STATUSES, TestedSet, Trial

_DEFAULTS = flat(canonical(defaults()))


def records(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The records of a file, each with the place to name in a message.

    Args:
      path: of a JSONL ledger. A last line that a crash cut off is passed over.

    Raises:
      UserError: no such file, or a line that is not a JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the ledger {path}: {error}") from None
    found = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            found.append((place, stored.record(line, place)))
        except stored.Damaged as error:
            if number == len(lines):  # cut off by a crash: its trial will run again
                break
            raise stored.Damaged(
                f"{error}: remove the line, its trial will run again"
            ) from None
    return found


def trial(place: str, record: dict[str, Any]) -> Trial:
    """A checked trial from one line.

    Args:
      place: of the line, for messages.
      record: the parsed line.

    Returns:
      A `Trial`; "done" with a test metric that is not finite counts as "diverged".

    Raises:
      UserError: the line is not a trial.
    """
    expect = functools.partial(stored.expect, place)
    arm = expect(record, "arm", str)
    if not stored.is_name(arm):
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
    withdrawn = expect(record, "withdrawn", str, "")
    if withdrawn:
        status = "withdrawn"
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
    validation = {
        metric: float(value)
        for metric in METRICS
        if (value := expect(result.get("validation"), metric, int | float, None))
        is not None
    }
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
        data_sha256=expect(record, "data_sha256", str, ""),
        id=expect(record, "trial", str, ""),
        validation=validation if status == "done" else {},
        sets=_sets(place, record, test, validation, result) if status == "done" else {},
        sites=tuple(map(str, expect(record, "sites", list, []))),
        noise={str(k): float(v) for k, v in expect(record, "noise", dict, {}).items()},
        withdrawn=withdrawn,
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


def _sets(place, record, test, validation, result):
    """Stub."""
    told = result.get("sets") or record.get("sets")
    if told:
        return {
            name: TestedSet(
                of["epoch"],
                of["validation"],
                of.get("test", {}),
                of.get("reliability", {}),
                of.get("noise", {}),
                of.get("sparsity", {}),
            )
            for name, of in told.items()
        }
    keep = flat(record["config"]).get("train.keep", "best")
    name = "last" if keep == "last" else "best_accuracy"
    return {
        name: TestedSet(
            result.get("best_epoch", 0),
            validation,
            test,
            record.get("reliability") or {},
            {},
            result.get("sparsity") or {},
        )
    }
