# SPDX-License-Identifier: Apache-2.0
"""Parts of sentences on comparisons, in which every report words them."""

import math
from collections.abc import Sequence

from dropout_jax.evaluation.comparison import Comparison
from dropout_jax.reports.numbers import difference, p_text

NOUNS = {"accuracy": "test accuracy", "nll": "NLL"}


def quoted(arm: str) -> str:
    """A name set apart from the prose: "none" is a method here.

    Example:
      >>> quoted("none")
      '‘none’'
    """
    inside = arm.replace("‘", "'").replace("’", "'")
    return f"‘{inside}’"


def listed(items: Sequence[str]) -> str:
    """One item or several, the last one after "and".

    Example:
      >>> listed(["a", "b", "c"])
      'a, b and c'
    """
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def up(text: str) -> str:
    """A sentence begins with a capital.

    Example:
      >>> up("test accuracy")
      'Test accuracy'
    """
    return text[:1].upper() + text[1:]


def amount(found: Comparison) -> str:
    """The mean difference with its unit."""
    return f"{difference(found.interval.mean, found.measure)} {found.measure.unit}"


def with_p(found: Comparison) -> str:
    """The method with its difference and the corrected p-value."""
    within = ", within the margin" if found.within_margin else ""
    p = p_text(found.p_value)
    return f"{quoted(found.method)} ({amount(found)}, p = {p}{within})"


def with_equivalence(found: Comparison) -> str:
    """The method with its difference and the corrected p-value of equivalence."""
    p = p_text(found.equivalence)
    return f"{quoted(found.method)} ({amount(found)}, p = {p})"


def with_detectable(found: Comparison) -> str:
    """The method with its difference and its minimum detectable effect."""
    assert found.detectable is not None
    if math.isinf(found.detectable):
        return f"{quoted(found.method)} ({amount(found)})"
    least = difference(found.detectable, found.measure).removeprefix("+")
    return (
        f"{quoted(found.method)} ({amount(found)}, minimum detectable effect "
        f"{least} {found.measure.unit})"
    )
