# SPDX-License-Identifier: Apache-2.0
"""What a score of doubt is good for: finding strangers, and leaving cases to others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class RiskCoverage(NamedTuple):
    """Errors among the cases that are answered, the least doubtful first, each [N].

    Attributes:
      coverage: share of the cases that are answered, 1/N to 1.
      risk: share of errors among these.
      area: mean of `risk`, under the curve; lower is better.
    """

    coverage: np.ndarray
    risk: np.ndarray
    area: float


def auroc(known: ArrayLike, strange: ArrayLike) -> float:
    """How well a score tells strange inputs from known ones.

    The probability that a strange one scores higher than a known one, ties counted
    half: the area under the ROC curve.

    Args:
      known: [N], scores of inputs of the kind that was trained on.
      strange: [M], scores of others; higher is meant to be stranger.

    Returns:
      In [0, 1]; 0.5 tells nothing.

    Raises:
      ValueError: one of them is empty, of more dimensions, or not finite.

    Example:
      >>> auroc([0.1, 0.2], [0.2, 0.9])
      0.875

    References:
      Hendrycks, Gimpel 2017, A baseline for detecting misclassified and
      out-of-distribution examples, ICLR; Mann, Whitney 1947.
    """
    known, strange = _scores("known", known), _scores("strange", strange)
    ranks = stats.rankdata(np.concatenate([known, strange]))[len(known) :]
    count = len(strange)
    return float((ranks.sum() / count - (count + 1) / 2) / len(known))


def risk_coverage(doubt: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """Errors that are left when the most doubtful cases are not answered.

    Equal scores are one step: which of them would come first means nothing, so each
    has the mean of its ties.

    Args:
      doubt: [N], such as `uncertainty.predictive_entropy`.
      correct: [N], whether each prediction was right.

    Returns:
      A `RiskCoverage`.

    Raises:
      TypeError: `correct` holds something else than True and False (or 1 and 0).
      ValueError: they do not fit, are empty, or scores are not finite.

    Example:
      >>> found = risk_coverage([0.1, 0.5, 0.9], [True, True, False])
      >>> [round(float(r), 3) for r in found.risk]
      [0.0, 0.0, 0.333]

    References:
      Geifman, El-Yaniv 2017, Selective classification for deep neural networks,
      NeurIPS, section 2.
    """
    doubt, correct = _scores("doubt", doubt), np.asarray(correct)
    if correct.shape != doubt.shape:
        raise ValueError(
            f"doubt {doubt.shape} and correct {correct.shape} do not fit: give one of "
            "each per example"
        )
    if correct.dtype != bool and not np.isin(correct, (0, 1)).all():
        raise TypeError(
            f"correct has dtype {correct.dtype}; it must say whether each "
            "prediction was right, True or False"
        )
    order = np.argsort(doubt, kind="stable")
    wrong = 1.0 - correct[order].astype(float)
    _, tie = np.unique(doubt[order], return_inverse=True)
    wrong = (np.bincount(tie, wrong) / np.bincount(tie))[tie]
    answered = np.arange(1, len(doubt) + 1)
    risk = np.cumsum(wrong) / answered
    return RiskCoverage(answered / len(doubt), risk, float(risk.mean()))


def _scores(name: str, values: ArrayLike) -> np.ndarray:
    found = np.asarray(values, float)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise ValueError(
            f"{name} has shape {found.shape}: give at least one score, all finite, in "
            "one dimension"
        )
    return found
