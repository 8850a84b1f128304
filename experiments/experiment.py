# SPDX-License-Identifier: Apache-2.0
"""What an experiment is: a question, how it is answered, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from experiments.checks import Check


@dataclass(frozen=True)
class Findings:
    """What an experiment found.

    Attributes:
      checks: its statements, each with a name by which claims refer to it; rules that
        changed after a result was known are in revisions.toml.
      headings: of the table.
      rows: of the table; text and numbers.
      figure: the picture that shows it.
      caption: what the picture shows, of how many, with which intervals.
    """

    checks: Mapping[str, Check]
    headings: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Experiment:
    """A question and how it is answered; said before anything is run.

    Attributes:
      id: E01 to E23.
      question: what is to be known.
      protocol: how it is found out.
      budget: what it takes.
      expected: what theory or the literature lets one expect.
      run: finds out; given whether to be quick about it.
    """

    id: str
    question: str
    protocol: str
    budget: str
    expected: str
    run: Callable[[bool], Findings]
