# SPDX-License-Identifier: Apache-2.0
"""Rules that changed after their results were known: what they were, and said."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

PATH = Path(__file__).with_suffix(".toml")
WITHDRAWN = "withdrawn"


class Revision(NamedTuple):
    """A check as it was, and what stands in its place.

    Attributes:
      check: its name then.
      rule: what it said, and the bounds that decided it.
      found: the number that it was decided by.
      verdict: what it said then.
      now: names of the checks that take its place; none where it is withdrawn.
      why: what was wrong with the rule.
    """

    check: str
    rule: str
    found: str
    verdict: str
    now: tuple[str, ...]
    why: str


def of(experiment: str) -> list[Revision]:
    """Returns the revisions of an experiment, in the order of its earlier checks."""
    return [
        Revision(
            one["check"],
            one["rule"],
            one["found"],
            one["verdict"],
            tuple(one["now"]),
            one["why"],
        )
        for one in tomllib.loads(PATH.read_text())["revision"]
        if one["experiment"] == experiment
    ]


def cells(one: Revision, checks: list[dict[str, Any]]) -> list[str]:
    """Returns the row of a revision: both rules with both verdicts.

    Args:
      one: the revision.
      checks: those of the experiment now, as its JSON file has them.

    Raises:
      ValueError: it names a check that the experiment does not have.
    """
    verdicts = {check["name"]: check["verdict"] for check in checks}
    if missing := [name for name in one.now if name not in verdicts]:
        raise ValueError(
            f"{one.check!r} is revised to {missing}, but the checks are "
            f"{', '.join(verdicts)}"
        )
    now = "; ".join(f"{name}: {verdicts[name]}" for name in one.now) or WITHDRAWN
    return [f"{one.check}: {one.rule}", one.found, one.verdict, now, one.why]
