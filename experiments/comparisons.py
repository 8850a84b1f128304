# SPDX-License-Identifier: Apache-2.0
"""Differences over paired seeds; those of an experiment are judged as one family."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from dropout_jax.evaluation.comparison import (
    ACCURACY,
    Comparison,
    Measure,
    Paired,
    compare,
)

Label = TypeVar("Label", bound=Hashable)
# Measures of which no margin of equivalence is set.
GAP = Measure("gap between training and validation accuracy", "points", False, 0.0)
FIT = Measure("training accuracy", "points", True, 0.0)
VALIDATION_NLL = Measure("least validation NLL", "nats", False, 0.0)


class Difference(NamedTuple):
    """One method less another, seed by seed.

    Attributes:
      values: [n], in the unit of the measure, the seeds in order.
      measure: what is compared.
    """

    values: Sequence[float] | np.ndarray
    measure: Measure = ACCURACY


def over(
    values: Mapping[str, Sequence[float]],
    method: str,
    other: str,
    measure: Measure = ACCURACY,
) -> Difference:
    """Returns the paired differences of two methods, of what `by_arm` found.

    Raises:
      ValueError: they have not the same number of seeds.
    """
    first, second = (np.asarray(values[name], float) for name in (method, other))
    if first.shape != second.shape:
        raise ValueError(
            f"{method!r} has {first.size} seeds and {other!r} {second.size}: give the "
            "seeds that both have"
        )
    return Difference([*map(float, first - second)], measure)


def judged(differences: Mapping[Label, Difference]) -> dict[Label, Comparison]:
    """Judges all comparisons of an experiment, which are one family.

    Args:
      differences: by a label, which names the comparison where it is shown; of a tuple
        its parts.
    """
    pairs = [
        Paired(
            named(label),
            of.measure,
            tuple(range(len(of.values))),
            tuple(map(float, of.values)),
        )
        for label, of in differences.items()
    ]
    return dict(zip(differences, compare(pairs), strict=True))


def named(label: Hashable) -> str:
    """Returns a label as text."""
    return ", ".join(map(str, label)) if isinstance(label, tuple) else str(label)
