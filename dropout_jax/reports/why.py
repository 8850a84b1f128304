# SPDX-License-Identifier: Apache-2.0
"""Differences of the last epoch split into fit and gap: arithmetic, not a cause."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dropout_jax.evaluation.statistics import mean_interval
from dropout_jax.reports.numbers import bracketed, counted, plain, signed
from dropout_jax.reports.selection import choose
from dropout_jax.reports.study import Study
from dropout_jax.reports.trial import Trial

TRAIN, VALIDATION = "clean_train_accuracy", "validation_accuracy"


class Fit(NamedTuple):
    """Last epoch of some runs, percent of images right, by seed."""

    train: np.ndarray  # training images, without noise
    validation: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Generalization gap, points."""
        return self.train - self.validation


def gap_notes(study: Study, baseline: str) -> tuple[str, ...]:
    """Returns paragraphs that split each difference in validation.

    Validation accuracy is training accuracy minus the gap, so that a difference in it
    is the difference in fit minus that of the gap. All numbers are of the last epoch,
    the training images seen without noise, over the seeds that both methods have.

    Args:
      study: what `load_study` returned; of several settings of a method the chosen
        one is told of.
      baseline: the method that the others are compared with.

    Returns:
      One paragraph for the baseline, one for each other method that has learning
      curves; none where the baseline has none.
    """
    study = choose(study).study
    reference = _curves(study, baseline)
    if not reference:
        return ()
    base = _fit(list(reference.values()))
    paragraphs = [
        f"After the last epoch {baseline!r} is right on {plain(base.train.mean())} % "
        f"of the training images and {plain(base.validation.mean())} % of the "
        f"validation images, mean of {counted(len(reference), 'seed')}: a gap of "
        f"{plain(base.gap.mean())} points. For each method below, the difference in "
        "validation accuracy is that in fit minus that in the gap; this is "
        "arithmetic, and no cause is shown by it."
    ]
    for arm in study.arms:
        runs = _curves(study, arm)
        shared = [seed for seed in runs if seed in reference]
        if arm == baseline or not shared or not study.comparable(arm, baseline):
            continue
        ours = _fit([runs[seed] for seed in shared])
        theirs = _fit([reference[seed] for seed in shared])
        moved = mean_interval(ours.validation - theirs.validation)
        paragraphs.append(
            f"{arm!r}, {counted(len(shared), 'paired seed')}: "
            f"{plain(ours.train.mean())} % and {plain(ours.validation.mean())} %; fit "
            f"{signed(float(np.mean(ours.train - theirs.train)))} points, gap "
            f"{signed(float(np.mean(ours.gap - theirs.gap)))}, validation "
            f"{bracketed(moved, signed)} (95 % t interval)."
        )
    return tuple(paragraphs)


def _curves(study: Study, arm: str) -> dict[int, Trial]:
    """The finished runs of a method that have both curves, by seed."""
    runs = study.done(arm)
    return {s: t for s, t in runs.items() if {TRAIN, VALIDATION} <= t.history.keys()}


def _fit(runs: Sequence[Trial]) -> Fit:
    last = [
        np.array([100.0 * trial.history[name][-1] for trial in runs])
        for name in (TRAIN, VALIDATION)
    ]
    return Fit(*last)
