# SPDX-License-Identifier: Apache-2.0
"""docs/claims.md: every claim with its verdict and what shows it.

python -m experiments.claims.page

The verdicts stand with the claims; the page says of each check that a claim rests on
whether it held when its experiment last ran.
"""

from __future__ import annotations

from pathlib import Path

from dropout_jax.files import write_atomically
from experiments import evidence
from experiments.claims import (
    FAILS,
    NOT_RUN,
    NOTHING,
    TEXTS,
    VERDICTS,
    Claim,
    exhibit,
    read,
    tally,
)

PATH = evidence.ROOT / "docs" / "claims.md"
HEADINGS = ["#", "where", "it says", "verdict", "what is right", "shown by"]


def shown_by(entry: str) -> str:
    """Returns an entry of `Claim.shown` as Markdown."""
    one = exhibit(entry)
    if one.is_test:
        return f"`{one.name}`"
    if one.state == NOT_RUN:
        return f"{one.name} ({NOT_RUN})"
    check = f": {one.check}" if one.check else ""
    fails = f" **{FAILS}**" if one.state else ""
    return f"[{one.name}](evidence/{one.name}.md){check}{fails}"


def row(claim: Claim) -> list[str]:
    """Returns the cells of a claim."""
    shown = "; ".join(map(shown_by, claim.shown)) or NOTHING
    verdict = VERDICTS[claim.verdict]
    return [
        str(claim.number),
        claim.where,
        claim.says,
        f"**{verdict}**" if claim.verdict == "wrong" else verdict,
        claim.right,
        shown,
    ]


def table(headings: list[str], rows: list[list[str]]) -> str:
    """Returns rows under headings; unlike a report's, its cells are Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def page() -> str:
    """Returns the page."""
    parts = [
        "# Every claim of the source texts\n",
        "The project grew from two texts. This page lists what they claim of dropout, "
        "in our words, with the verdict, the correct statement and what shows it: "
        "checks of experiments, whose pages have the figure and the command, and "
        "tests, which `make test` runs. Rate is the probability of dropping, "
        "k = 1 - rate.\n",
        f"{tally()}\n",
    ]
    for text, title in TEXTS.items():
        parts += [
            f"## {title}\n",
            table(HEADINGS, [row(claim) for claim in read(text)]),
        ]
    parts += ["`python -m experiments.claims.page` writes this page.", ""]
    return "\n".join(parts)


def main(path: Path = PATH) -> None:
    """Writes the page."""
    write_atomically(path, page())


if __name__ == "__main__":
    main()
