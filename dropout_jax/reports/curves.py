# SPDX-License-Identifier: Apache-2.0
"""What a method's runs have in common: curves and reliability over its seeds."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from dropout_jax.reports.trial import Trial

# Fewer examples in a bin show chance: the standard error of its accuracy is up to .05.
FEW = 100


class Curve(NamedTuple):
    """A series over epochs: mean, lowest and highest seed, each [epochs]."""

    epoch: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Bins(NamedTuple):
    """Confidence, accuracy and share of examples in the bins that hold enough."""

    confidence: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray


def curve(trials: Iterable[Trial], series: str) -> Curve | None:
    """One series of the history over the seeds, on the epochs that all of them have.

    Args:
      trials: runs of one method.
      series: a name such as "validation_loss".

    Returns:
      A `Curve`, or None where some run lacks the series or no epoch is shared.
    """
    runs = []
    for trial in trials:
        if not {"epoch", series} <= trial.history.keys():
            return None
        steps = zip(trial.history["epoch"], trial.history[series], strict=True)
        runs.append({epoch: value for epoch, value in steps if np.isfinite(value)})
    shared = sorted(set.intersection(*map(set, runs))) if runs else []
    if not shared:
        return None
    values = np.array([[run[epoch] for epoch in shared] for run in runs])
    return Curve(
        np.array(shared), values.mean(axis=0), values.min(axis=0), values.max(axis=0)
    )


def pooled_bins(trials: Iterable[Trial], of_set: str = "") -> Bins | None:
    """Reliability of all seeds together: bins weighted by their examples.

    Args:
      trials: runs of one method, with equal numbers of bins.
      of_set: which of a run's sets of parameters; by default the kept one.

    Returns:
      `Bins` without those of under FEW examples, or None where some run has no
      reliability or the numbers of bins differ.
    """
    columns = []
    for trial in trials:
        bins = trial.sets[of_set].reliability if of_set else trial.reliability
        if not {"confidence", "accuracy", "count"} <= bins.keys():
            return None
        columns.append([bins[key] for key in ("confidence", "accuracy", "count")])
    if not columns or len({len(column[0]) for column in columns}) > 1:
        return None
    confidence, accuracy, count = np.array(columns).transpose(1, 0, 2)  # [runs, bins]
    total = count.sum(axis=0)
    held = total >= FEW
    return Bins(
        (confidence * count).sum(axis=0)[held] / total[held],
        (accuracy * count).sum(axis=0)[held] / total[held],
        total[held] / total.sum(),
    )
