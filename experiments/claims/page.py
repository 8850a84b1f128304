# SPDX-License-Identifier: Apache-2.0
"""docs/claims.md: every claim with its verdict and what shows it.

python -m experiments.claims.page

The verdicts stand with the claims; the page says of each check that a claim rests on
whether it held when its experiment last ran.
"""

from __future__ import annotations

import collections
from pathlib import Path

from dropout_jax.files import write_atomically
from experiments import evidence
from experiments.claims import TEXTS, VERDICTS, Claim, read

PATH = evidence.ROOT / "docs" / "claims.md"
HEADINGS = ["#", "where", "it says", "verdict", "what is right", "shown by"]


def evidence_of(entry: str) -> str:
    """Returns an entry of `Claim.shown` as it is printed.

    Raises:
      ValueError: its experiment has run and has no such check.
    """
    if entry.startswith("test_"):
        return f"`{entry}`"
    name, _, check = entry.partition(": ")
    record = evidence.found(name)
    if record is None:
        return f"{name} (not run yet)"
    link = f"[{name}](evidence/{name}.md)"
    if not check:
        return link
    held = {one["name"]: one["holds"] for one in record["checks"]}
    if check not in held:
        raise ValueError(f"{entry!r}: {name} has the checks {', '.join(held)}")
    return f"{link}: {check}" + ("" if held[check] else " **does not hold**")


def row(claim: Claim) -> list[str]:
    """Returns the cells of a claim."""
    shown = "; ".join(map(evidence_of, claim.shown)) or "nothing is run for it"
    verdict = VERDICTS[claim.verdict]
    return [
        str(claim.number),
        claim.where,
        claim.says,
        f"**{verdict}**" if claim.verdict == "wrong" else verdict,
        claim.right,
        shown,
    ]


def table(rows: list[list[str]]) -> str:
    """Returns rows under HEADINGS; unlike a report's, its cells are Markdown."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def page() -> str:
    """Returns the page."""
    claims = {text: read(text) for text in TEXTS}
    every = [claim for of_text in claims.values() for claim in of_text]
    counts = collections.Counter(claim.verdict for claim in every)
    tally = ", ".join(f"{name} {counts[key]}" for key, name in VERDICTS.items())
    parts = [
        "# Every claim of the source texts\n",
        "The project grew from two texts. This page lists what they claim of dropout, "
        "in our words, with the verdict, the correct statement and what shows it: "
        "checks of experiments, whose pages have the figure and the command, and "
        "tests, which `make test` runs. Rate is the probability of dropping, "
        "k = 1 - rate.\n",
        f"{len(every)} claims. Verdicts: {tally}.\n",
    ]
    for text, title in TEXTS.items():
        parts += [f"## {title}\n", table([row(c) for c in claims[text]])]
    parts += ["`python -m experiments.claims.page` writes this page.", ""]
    return "\n".join(parts)


def main(path: Path = PATH) -> None:
    """Writes the page."""
    write_atomically(path, page())


if __name__ == "__main__":
    main()
