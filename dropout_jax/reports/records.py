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
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.reports.trial import METRICS, WITHDRAWN, TestedSet, Trial
from dropout_jax.training import parts
from dropout_jax.training.outcome import FINISHED, REQUIRED
from dropout_jax.training.sets import NAMES, OF_KEEP

_DEFAULTS = flat(canonical(defaults()))


def records(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The records of a file, each with the place to name in a message.

    Args:
      path: of a JSONL ledger. A last line that a crash cut off is passed over.

    Raises:
      UserError: no such file, a line that is not a JSON object, or (`OtherVersion`)
        one that a newer version of this package wrote.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        near = hint_of_path(path, "*.jsonl")
        raise UserError(f"cannot read the ledger {path}: {error}{near}") from None
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
        stored.check_format(place, found[-1][1])
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
    if status not in FINISHED:
        raise UserError(
            f"{place}: status is {status!r}: expected one of {', '.join(FINISHED)}"
        )
    if withdrawn := expect(record, "withdrawn", str, ""):
        status = WITHDRAWN
    stored.check_seed(place, record)
    config = _DEFAULTS | flat(expect(record, "config", dict))
    test, found = {}, {}
    if status == "done":
        test, found = _test(place, result), _sets(place, record, config)
        if not _finite(test):
            status, test, found = "diverged", {}, {}
        # A set that diverged after the kept one takes nothing from that.
        found = {name: one for name, one in found.items() if _finite(one.test)}
    seconds = expect(result, "seconds", int | float, None)
    return Trial(
        arm=arm,
        seed=expect(record, "seed", int),
        status=status,
        config=config,
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
        validation=_metrics(place, result, "validation") if status == "done" else {},
        sets=found,
        sites=_sites(place, record),
        noise=_numbers(place, record, "noise"),
        withdrawn=withdrawn,
        test_count=expect(result, "test_count", int, None),
        digest=expect(result, "metrics_sha256", str, ""),
        parts=tuple(parts.of_line(place, record)),
        remarks=tuple(map(str, expect(result, "remarks", list, []))),
    )


def _sets(
    place: str, record: dict[str, Any], config: dict[str, Any]
) -> dict[str, TestedSet]:
    """The sets of parameters of a run that is done, by name."""
    expect = functools.partial(stored.expect, place)
    given = expect(record, "sets", dict, {})
    if unknown := given.keys() - set(NAMES):
        raise stored.Damaged(
            f"{place}: sets has {min(unknown)!r:.80}: expected {', '.join(NAMES)}"
        )
    if given:
        return {name: _set(place, expect(given, name, dict)) for name in given}
    result, epoch = record["result"], expect(record["result"], "best_epoch", int, None)
    keep = OF_KEEP.get(str(config["train.keep"]))
    if epoch is None or keep is None:
        return {}
    # Of format 1: the set that was kept, and the noise of the last epoch alone.
    last = expect(result, "epochs", int, None) == epoch
    noise = {"noise": expect(record, "noise", dict, {})} if last else {}
    bins = {"reliability": expect(record, "reliability", dict, {})}
    return {keep: _set(place, {**result, "epoch": epoch, **bins, **noise})}


def _finite(metrics: dict[str, float]) -> bool:
    return all(math.isfinite(value) for value in metrics.values())


def _set(place: str, found: dict[str, Any]) -> TestedSet:
    return TestedSet(
        epoch=stored.expect(place, found, "epoch", int),
        validation=_metrics(place, found, "validation"),
        test=_test(place, found),
        reliability=_columns(
            place, "reliability", stored.expect(place, found, "reliability", dict, {})
        ),
        noise=_numbers(place, found, "noise"),
        sparsity=_numbers(place, found, "sparsity"),
    )


def _test(place: str, found: dict[str, Any]) -> dict[str, float]:
    """The metrics on the test set; none of a search, which leaves it alone."""
    test = _metrics(place, found, "test")
    if not test:
        return {}
    for metric in REQUIRED:
        stored.expect(place, test, metric, float)
    if math.isfinite(test["accuracy"]) and not 0 <= test["accuracy"] <= 1:
        raise UserError(
            f"{place}: accuracy is {test['accuracy']}: expected a fraction in [0, 1]"
        )
    return test


def _metrics(place: str, found: dict[str, Any], name: str) -> dict[str, float]:
    """The metrics of one summary that the line has; a newer one is left out."""
    summary = _numbers(place, found, name)
    return {metric: summary[metric] for metric in METRICS if metric in summary}


def _numbers(place: str, found: dict[str, Any], name: str) -> dict[str, float]:
    """Named numbers, without those that are null."""
    table = stored.expect(place, found, name, dict, {})
    values = {key: stored.expect(place, table, key, int | float, None) for key in table}
    return {str(key): float(v) for key, v in values.items() if v is not None}


def _sites(place: str, record: dict[str, Any]) -> tuple[str, ...]:
    sites = stored.expect(place, record, "sites", list, [])
    for site in sites:
        if not stored.is_name(site):
            raise stored.Damaged(f"{place}: {site!r:.80} is no name of a noise site")
    return tuple(sites)


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
