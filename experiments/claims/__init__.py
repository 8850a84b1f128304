# SPDX-License-Identifier: Apache-2.0
"""The claims of the two source texts, and what experiments and tests say of them."""

from __future__ import annotations

import collections
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from experiments import evidence

NOTHING = "nothing is run for it"
NOT_RUN, FAILS = "not run yet", "does not hold"

TEXTS = {
    "textbook": "The textbook, section 9.4",
    "notes": "The course notes",
}
VERDICTS = {
    "holds": "holds",
    "condition": "holds with a condition",
    "wrong": "wrong",
    "opinion": "a matter of opinion",
}


@dataclass(frozen=True)
class Claim:
    """What a text says, and what is right.

    Attributes:
      number: 1 to 87, by which the project refers to it.
      where: its place in the text.
      says: the claim, in our words and names.
      verdict: one of VERDICTS.
      right: the correct statement.
      shown: what shows it: "E05: name of a check"; "E05", whose figure shows what no
        number decides; or the name of a test.
    """

    number: int
    where: str
    says: str
    verdict: str
    right: str
    shown: list[str]

    def __post_init__(self):
        if self.verdict not in VERDICTS:
            raise ValueError(
                f"claim {self.number}: verdict {self.verdict!r}; there are "
                f"{', '.join(VERDICTS)}"
            )


def read(text: str) -> list[Claim]:
    """Returns the claims of a text, one of TEXTS, in its order."""
    path = Path(__file__).with_name(f"{text}.toml")
    return [Claim(**entry) for entry in tomllib.loads(path.read_text())["claim"]]


def tally() -> str:
    """Returns how many claims there are, and how many of each verdict."""
    every = [claim.verdict for text in TEXTS for claim in read(text)]
    counts = collections.Counter(every)
    of_each = ", ".join(f"{name} {counts[key]}" for key, name in VERDICTS.items())
    return f"{len(every)} claims. Verdicts: {of_each}."


class Exhibit(NamedTuple):
    """An entry of `Claim.shown`.

    Attributes:
      name: of an experiment, or of a test.
      check: of the experiment; may be empty.
      state: NOT_RUN or FAILS, or empty where there is nothing to be said.
    """

    name: str
    check: str = ""
    state: str = ""

    @property
    def is_test(self) -> bool:
        """Whether it is a test."""
        return self.name.startswith("test_")


def exhibit(entry: str) -> Exhibit:
    """Returns what an entry of `Claim.shown` names, and how it stands.

    Raises:
      ValueError: the experiment has run and has no such check.
    """
    name, _, check = entry.partition(": ")
    if name.startswith("test_"):
        return Exhibit(name)
    if evidence.found(name) is None:
        return Exhibit(name, state=NOT_RUN)
    return Exhibit(name, check, "" if not check or held(name, check) else FAILS)


def held(name: str, check: str) -> bool:
    """Returns whether a check held when its experiment last ran.

    Raises:
      ValueError: the experiment has not run, or has no such check.
    """
    record = evidence.found(name) or {"checks": []}
    found = {one["name"]: one["holds"] for one in record["checks"]}
    if check not in found:
        raise ValueError(f"{name} has no check {check!r}, but {', '.join(found)}")
    return found[check]
