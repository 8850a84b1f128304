# SPDX-License-Identifier: Apache-2.0
"""docs/claims.md: every claim with its verdict and what bears it out.

python -m experiments.claims.page

The verdicts stand with the claims; the page says of each check that a claim rests on
whether it held when its experiment last ran.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dropout_jax.config.guard import guarded
from dropout_jax.files import write_atomically
from experiments import evidence
from experiments.claims import (
    FAILS,
    NOT_RUN,
    TEXTS,
    VERDICTS,
    Claim,
    changes,
    exhibit,
    read,
    tally,
)
from experiments.claims.seen import seen

PATH = evidence.ROOT / "docs" / "claims.md"
HEADINGS = [
    "#",
    "where",
    "it says",
    "verdict",
    "what is right",
    "shown by",
    "not shown",
]
NOTHING, COVERED = "nothing is run for it", "–"


def shown_by(entry: str) -> str:
    """Returns an entry of `Claim.shown` as Markdown."""
    one = exhibit(entry)
    if one.is_test:
        return f"`{one.name}`"
    if one.state == NOT_RUN:
        return f"{one.name} ({NOT_RUN})"
    fails = f" **{FAILS}**" if one.state else ""
    return f"[{one.name}](evidence/{one.name}.md): {one.check}{fails}"


def seen_in(entry: str) -> str:
    """Returns an entry of `Claim.seen` as Markdown."""
    name, text = seen(entry)
    link = f"`results/{name}.jsonl`"
    if name in evidence.experiments():
        link = f"[{name}](evidence/{name}.md)"
    return f"*seen* in {link}: {text}"


def grounds(claim: Claim) -> list[str]:
    """Returns all that stands beside a claim, as Markdown."""
    return [
        *map(shown_by, claim.shown),
        *map(seen_in, claim.seen),
        *claim.sources,
    ]


def row(claim: Claim) -> list[str]:
    """Returns the cells of a claim."""
    verdict = VERDICTS[claim.verdict].name
    return [
        str(claim.number),
        claim.where,
        claim.says,
        f"**{verdict}**" if claim.verdict == "wrong" else verdict,
        claim.right,
        "; ".join(grounds(claim)) or NOTHING,
        claim.not_shown or COVERED,
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
        "in our words, with the verdict, the correct statement, what it rests on and "
        "what that leaves open. It rests on checks of experiments, whose pages have "
        "the figure and the command; on tests, which `make test` runs; and on the "
        "literature. What was *seen* describes runs and concludes nothing: a check "
        "that describes or estimates, or two arms of a study beside each other in test "
        "accuracy. Intervals are 95 %, not corrected, and cover what a seed decides; "
        "there is one split and one test set. Rate is the probability of dropping, "
        "k = 1 - rate.\n",
        f"{tally()}\n",
        "## What the verdicts mean\n",
        table(["verdict", "meaning"], [[*verdict] for verdict in VERDICTS.values()]),
    ]
    for text, title in TEXTS.items():
        parts += [
            f"## {title}\n",
            table(HEADINGS, [row(claim) for claim in read(text)]),
        ]
    parts += [
        "## Verdicts that changed\n",
        "Against the first list of 87 claims. Most changed because the words above "
        "had no fixed meaning then, because five seeds decided, or because a check "
        "was cited that compares something else.\n",
        table(
            ["#", "was", "is", "why"],
            [[str(one.number), was, now, one.why] for one, was, now in changes()],
        ),
        "`python -m experiments.claims.page` writes this page.",
        "",
    ]
    return "\n".join(parts)


def main(path: Path = PATH) -> None:
    """Writes the page."""
    write_atomically(path, page())


if __name__ == "__main__":
    sys.exit(guarded(main))
