# SPDX-License-Identifier: Apache-2.0
"""The claims of the two source texts, and what experiments and tests say of them."""

from __future__ import annotations

import collections
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from experiments import evidence

NOT_RUN, FAILS = "not run yet", "does not hold"
FIRST_LIST = 87  # claims of the first list; higher numbers were added to it

TEXTS = {
    "textbook": "The textbook, section 9.4",
    "notes": "The course notes",
}


class Verdict(NamedTuple):
    """A verdict.

    Attributes:
      name: as pages show it.
      means: when a claim gets it.
    """

    name: str
    means: str


VERDICTS = {
    "holds": Verdict(
        "holds",
        "True as the text says it, in the setting that it names; borne out by a "
        "formula that a test checks, by a measurement with a stated error, or by a "
        "comparison over 10 or more paired seeds.",
    ),
    "condition": Verdict(
        "holds with a condition",
        "True under a condition, or in a reading, that the text leaves out at that "
        "place; the row names it. Borne out like *holds*.",
    ),
    "wrong": Verdict(
        "wrong",
        "Not true as the text says it: a counterexample or a contradiction is shown. "
        "Borne out like *holds*.",
    ),
    "described": Verdict(
        "described, not tested",
        "A statement about what training gives, with runs beside it that do not decide "
        "it: the row says in how many seeds it was seen, and concludes nothing.",
    ),
    "literature": Verdict(
        "from the literature",
        "A statement about practice or history, or one for which nothing is run here: "
        "the row says what the sources it names have.",
    ),
    "definition": Verdict(
        "a definition",
        "Fixes a name, a form or a setting, and is neither right nor wrong; the row "
        "says what follows.",
    ),
    "opinion": Verdict(
        "a matter of opinion",
        "An appraisal, a motive or an analogy, without a measure that could decide it.",
    ),
    "untested": Verdict(
        "not tested here",
        "It could be looked into, and nothing here does.",
    ),
}
OF_FACT = ("holds", "condition", "wrong")
# Kinds of checks that can bear a verdict of fact. A description and an estimate cannot.
BEARING = ("identity", "measurement", "test")


@dataclass(frozen=True)
class Claim:
    """What a text says, and what is right.

    Attributes:
      number: by which the project refers to it.
      where: its place in the text.
      says: the claim, in our words and names.
      verdict: one of VERDICTS.
      right: the correct statement.
      shown: what bears the verdict out: "E05: name of a check", or the name of a test.
      seen: what only describes: "E19: one arm over another", of an experiment or a
        study in results/.
      sources: of the literature, each with its place.
      not_shown: what the evidence leaves open; empty where it covers the statement.
      convention: of the text, if it is the condition of the verdict.
      was: the verdict of the first list, where it or its grounds changed.
      why: why they did, or why the claim was added.
    """

    number: int
    where: str
    says: str
    verdict: str
    right: str
    shown: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    not_shown: str = ""
    convention: str = ""
    was: str = ""
    why: str = ""

    def __post_init__(self):
        for verdict in filter(None, (self.verdict, self.was)):
            if verdict not in VERDICTS:
                self._refuse(f"verdict {verdict!r}; there are {', '.join(VERDICTS)}")
        if self.verdict in OF_FACT and not self.shown:
            self._refuse(f"{self.verdict!r} needs a check or a test in `shown`")
        if self.verdict == "described" and not self.seen:
            self._refuse("'described' needs runs in `seen`")
        if self.verdict == "literature" and not self.sources:
            self._refuse("'literature' needs `sources`")
        if self.verdict not in OF_FACT and not self.not_shown:
            self._refuse(f"{self.verdict!r} needs `not_shown`")
        if bool(self.why) != (bool(self.was) or self.added):
            self._refuse("`why` goes with `was`, or with a claim that was added")

    @property
    def added(self) -> bool:
        """Whether the first list lacked it."""
        return self.number > FIRST_LIST

    def _refuse(self, problem: str):
        raise ValueError(f"claim {self.number}: {problem}")


def read(text: str) -> list[Claim]:
    """Returns the claims of a text, one of TEXTS, in its order."""
    path = Path(__file__).with_name(f"{text}.toml")
    return [Claim(**entry) for entry in tomllib.loads(path.read_text())["claim"]]


def every() -> list[Claim]:
    """Returns the claims of both texts, in their order."""
    return [claim for text in TEXTS for claim in read(text)]


def tally() -> str:
    """Returns how many claims there are, and how many of each verdict."""
    claims = every()
    counts = collections.Counter(claim.verdict for claim in claims)
    of_each = ", ".join(f"{it.name} {counts[key]}" for key, it in VERDICTS.items())
    return f"{len(claims)} claims. Verdicts: {of_each}."


def changes() -> list[tuple[Claim, str, str]]:
    """Returns the claims that changed or were added, in order of their numbers.

    Returns:
      (claim, what its verdict was, what it is) for each; both are words for a page.
    """
    found = []
    for claim in sorted(every(), key=lambda claim: claim.number):
        now = VERDICTS[claim.verdict].name
        if claim.added:
            found.append((claim, "not in the list", now))
        elif claim.was:
            same = claim.was == claim.verdict
            was = VERDICTS[claim.was].name
            found.append((claim, was, f"{now}, on other grounds" if same else now))
    return found


class Exhibit(NamedTuple):
    """An entry of `Claim.shown`.

    Attributes:
      name: of an experiment, or of a test.
      check: of the experiment.
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
      ValueError: the experiment has run and has no such check, or one that cannot
        bear a verdict.
    """
    name, _, check = entry.partition(": ")
    if name.startswith("test_"):
        return Exhibit(name)
    if evidence.found(name) is None:
        return Exhibit(name, state=NOT_RUN)
    one = evidence.check_of(name, check)
    if one["kind"] not in BEARING:
        raise ValueError(
            f"{name}: {check!r} is a {one['kind']}, which bears out no verdict; there "
            f"are {', '.join(BEARING)}"
        )
    return Exhibit(name, check, "" if one["holds"] else FAILS)
