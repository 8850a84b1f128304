# SPDX-License-Identifier: Apache-2.0
"""What a run leaves of itself: how it ended, and the shapes of what its files hold."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from dropout_jax import stored

RUNNING, DONE, DIVERGED = "running", "done", "diverged"
PRUNED, FAILED = "pruned", "failed"
FINISHED = (DONE, DIVERGED, PRUNED)
# What may differ between two runs of the same seed: how long things took.
TIMES = ("seconds", "images_per_second")
# What is chosen by, and so is there in every summary on a data split.
REQUIRED = ("accuracy", "nll")
# Metrics of validated epochs that reports draw over the epochs; a file that is older
# than one of them, or was written without it, lacks it.
CURVES = (
    "train_loss",
    "clean_train_loss",
    "clean_train_accuracy",
    "validation_loss",
    "validation_accuracy",
)


def check_record(place: object, record: Any) -> None:
    """Raises Damaged unless it is what a validation leaves in metrics.jsonl."""
    stored.check_format(place, record)
    for name in ("epoch", "step"):
        stored.expect(place, record, name, int)
    stored.expect(place, record, "noise", dict)
    for name in ("train_loss", "validation_loss", "validation_accuracy"):
        stored.expect(place, record, name, int | float)
    for name in CURVES:
        stored.expect(place, record, name, int | float, None)


def check_result(place: object, values: Any) -> None:
    """Raises Damaged unless it is what a run leaves in result.json."""
    stored.check_format(place, values)
    expect = functools.partial(stored.expect, place, values)
    status = expect("status", str)
    expect("seconds", int | float)
    if status == DIVERGED:
        expect("reason", str)
        return
    if status not in FINISHED:
        raise stored.Damaged(f"{place}: no run ends as {status!r:.80}")
    for name in ("epochs", "best_epoch"):
        expect(name, int)
    expect("images_per_second", int | float, None)
    for site in expect("sites", list, []):
        if not stored.is_name(site):
            raise stored.Damaged(f"{place}: {site!r:.80} is no name of a noise site")
    expect("validation", dict)
    check_found(place, values)
    sets = expect("sets", dict, {})
    for name in sets:
        check_set(f"{place}: set {name!r:.30}", stored.expect(place, sets, name, dict))


def check_set(place: object, found: Any) -> None:
    """Raises Damaged unless it is what a run says of one set of its parameters."""
    stored.expect(place, found, "epoch", int)
    stored.expect(place, found, "validation", dict)
    for name in ("noise", "sparsity"):
        numbers = stored.expect(place, found, name, dict, {})
        for path in numbers:
            stored.expect(f"{place}: {name}", numbers, path, int | float)
    check_found(place, found)


def check_found(place: object, found: Any) -> None:
    """Raises Damaged unless the summaries in it hold numbers.

    A metric that is newer than the file, or was left out, is absent from a summary.
    """
    # A search leaves the test set alone.
    for name in ("validation", *(("test",) if "test" in found else ())):
        summary = stored.expect(place, found, name, dict)
        for metric in REQUIRED + tuple(summary):
            stored.expect(f"{place}: {name}", summary, metric, int | float)
    bins = stored.expect(place, found, "reliability", dict, {})
    for name in bins:
        stored.expect(f"{place}: reliability", bins, name, list)


def metrics_sha256(records: Sequence[dict[str, Any]]) -> str:
    """Returns the SHA-256 of the metrics without their times and their format."""
    digest = hashlib.sha256()
    for record in records:
        left_out = (*TIMES, "format")
        kept = {name: v for name, v in record.items() if name not in left_out}
        digest.update(json.dumps(kept, sort_keys=True).encode())
    return digest.hexdigest()
