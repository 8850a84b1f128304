# SPDX-License-Identifier: Apache-2.0
"""Why a method gained or lost: fit given up against overfitting avoided."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dropout_jax.reports.numbers import plain, signed
from dropout_jax.reports.selection import choose
from dropout_jax.reports.study import Study

TRAIN, VALIDATION = "clean_train_accuracy", "validation_accuracy"


class Fit(NamedTuple):
    """Last epoch of one method, mean over seeds, percent of images right."""

    train: float  # training images, without noise
    validation: float

    @property
    def gap(self) -> float:
        """Generalisation gap, points."""
        return self.train - self.validation


def gap_notes(study: Study, baseline: str) -> tuple[str, ...]:
    """Returns paragraphs that split each difference into fit and gap.

    Validation accuracy is training accuracy minus the gap, so a method gains exactly
    what it takes off the gap beyond what it costs in fit. All numbers are of the last
    epoch, means over seeds, the training images seen without noise.

    Args:
      study: what `load_study` returned; of several settings of a method the chosen
        one is told of.
      baseline: the method that the others are compared with.

    Returns:
      One paragraph for the baseline, one for each other method that has learning
      curves; none where the baseline has none.
    """
    study = choose(study).study
    reference = _fit(study, baseline)
    if reference is None:
        return ()
    paragraphs = [
        f"After the last epoch {baseline!r} is right on {plain(reference.train)} % of "
        f"the training images and {plain(reference.validation)} % of the validation "
        f"images: a gap of {plain(reference.gap)} points. A method gains what it takes "
        "off this gap beyond what it costs in fit."
    ]
    for arm in study.arms:
        fit = _fit(study, arm)
        if arm == baseline or fit is None or not study.comparable(arm, baseline):
            continue
        paragraphs.append(
            f"{arm!r}: {plain(fit.train)} % and {plain(fit.validation)} %. Its fit "
            f"changes by {signed(fit.train - reference.train)} points and its gap by "
            f"{signed(fit.gap - reference.gap)}, so that validation moves by "
            f"{signed(fit.validation - reference.validation)}."
        )
    return tuple(paragraphs)


def _fit(study: Study, arm: str) -> Fit | None:
    histories = [trial.history for trial in study.done(arm).values() if trial.history]
    if not histories:
        return None
    return Fit(*(_last(histories, name) for name in (TRAIN, VALIDATION)))


def _last(histories: Sequence[dict[str, list[float]]], name: str) -> float:
    return 100.0 * float(np.mean([history[name][-1] for history in histories]))
