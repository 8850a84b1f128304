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
METRICS = ("accuracy", "nll", "ece", "brier")
# Per-epoch metrics that reports draw over the epochs.
CURVES = (
    "train_loss",
    "clean_train_loss",
    "clean_train_accuracy",
    "validation_loss",
    "validation_accuracy",
)


def check_record(place: object, record: Any) -> None:
    """Raises Damaged unless it is what an epoch leaves in metrics.jsonl."""
    for name in ("epoch", "step"):
        stored.expect(place, record, name, int)
    stored.expect(place, record, "noise", dict)
    for name in CURVES:
        stored.expect(place, record, name, int | float)


def check_result(place: object, values: Any) -> None:
    """Raises Damaged unless it is what a run leaves in result.json."""
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
    # A search leaves the test set alone.
    for name in ("validation", *(("test",) if "test" in values else ())):
        for metric in METRICS:
            stored.expect(f"{place}: {name}", expect(name, dict), metric, int | float)
    bins = expect("reliability", dict, {})
    for name in bins:
        stored.expect(f"{place}: reliability", bins, name, list)


def metrics_sha256(records: Sequence[dict[str, Any]]) -> str:
    """Returns the SHA-256 of the metrics with their times left out."""
    digest = hashlib.sha256()
    for record in records:
        kept = {name: v for name, v in record.items() if name not in TIMES}
        digest.update(json.dumps(kept, sort_keys=True).encode())
    return digest.hexdigest()
