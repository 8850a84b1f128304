# SPDX-License-Identifier: Apache-2.0
"""docs/reproductions.md: published results of the field, ours beside them.

python -m experiments.reproductions
"""

from __future__ import annotations

import math
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dropout_jax.config.guard import guarded
from dropout_jax.evaluation.comparison import ACCURACY, Comparison, Paired, compare
from dropout_jax.evaluation.statistics import Interval, percent_right
from dropout_jax.files import write_atomically
from dropout_jax.reports.numbers import bracketed, signed
from dropout_jax.reports.study import load_study
from experiments import evidence
from experiments.claims import NOT_RUN
from experiments.claims.page import table
from experiments.intervals import shown
from experiments.over_seeds import HIGHER, OverSeeds

PATH = evidence.ROOT / "docs" / "reproductions.md"
HEADINGS = ["published in", "it says", "ours", "difference", "verdict"]
HEADINGS += ["earlier verdict", "what differs"]
NO_VERDICT = "no verdict: a number beside a number"
APART = " | "  # between the first cells that name a row


def rows() -> list[dict[str, Any]]:
    """Returns the published results, in their order."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["row"]


def accuracies(ledger: str, method: str) -> dict[int, float] | None:
    """Returns the test accuracies, in %, of a method by seed; None before its run.

    Raises:
      ValueError: the ledger has no such method.
    """
    path = evidence.ROOT / ledger
    if not path.exists():
        return None
    study = load_study(path)
    if method not in study.arms:
        raise ValueError(f"{ledger} has no method {method!r}, but {study.arms}")
    done = study.done(method).items()
    return {s: percent_right(t.test["accuracy"], t.test_count) for s, t in done}


def cell(where: Sequence[str]) -> str | None:
    """Returns a result of ours as it was printed; None if it is not run.

    Args:
      where: a ledger and a method; or an experiment, the first cells of a row of its
        table, and the heading of a column.

    Raises:
      ValueError: there is no such method, row or column.
    """
    if len(where) == 2:
        found = accuracies(*where)
        return None if found is None else shown([*found.values()])
    name, first, heading = where
    record = evidence.found(name)
    if record is None:
        return None
    column = record["headings"].index(heading)
    wanted = first.split(APART)
    for row in record["rows"]:
        if [evidence.number(one) for one in row[: len(wanted)]] == wanted:
            return evidence.number(row[column])
    raise ValueError(f"{name} has no row that begins with {first!r}")


def shifted(ours: str, number: float) -> str:
    """Returns a number of ours less the published one, its interval with it.

    Example:
      >>> shifted("90.50 [90.10, 90.90]", 91.0)
      '−0.50 [−0.90, −0.10]'
    """
    numbers = re.findall(r"[\d.]+", ours)
    digits = len(numbers[0].partition(".")[2])
    off = [float(one) - number for one in numbers]
    ends = off[1:] if len(off) == 3 else [math.nan] * 2
    return bracketed(Interval(off[0], *ends), lambda value: signed(value, digits))


def difference_of(ledger: str, better: str, worse: str) -> Paired:
    """Returns the paired differences in test accuracy of two methods, points."""
    high, low = (accuracies(ledger, method) or {} for method in (better, worse))
    seeds = sorted(high.keys() & low.keys())
    label = f"{better} less {worse}"
    gains = tuple(high[seed] - low[seed] for seed in seeds)
    return Paired(label, ACCURACY, tuple(seeds), gains)


def compared(every: Sequence[dict[str, Any]]) -> dict[tuple[str, ...], Comparison]:
    """Judges all orders of the page, which are one family, by what names them."""
    ranks = [tuple(rank) for row in every for rank in row.get("ranks", ())]
    return dict(
        zip(ranks, compare([difference_of(*one) for one in ranks]), strict=True)
    )


def judged(
    row: dict[str, Any], ours: str, orders: Mapping[tuple[str, ...], Comparison]
) -> tuple[str, str]:
    """Returns the difference and the verdict of a published result.

    Args:
      row: the published result.
      ours: the first cell that stands beside it.
      orders: what `compared` says of all orders of the page.
    """
    if "number" in row:
        return shifted(ours, row["number"]), NO_VERDICT
    if "ranks" in row:
        of_row = tuple(orders[tuple(rank)] for rank in row["ranks"])
        check = OverSeeds(row["says"], of_row, HIGHER)
        found = (bracketed(one.interval, signed) for one in of_row)
        return "; ".join(found), check.verdict
    verdicts = []
    for entry in row["checks"]:
        name, _, check = entry.partition(": ")
        found = evidence.check_of(name, check)["verdict"]
        verdicts.append(found if len(row["checks"]) == 1 else f"{check}: {found}")
    return "–", "; ".join(verdicts)


def line(
    row: dict[str, Any], orders: Mapping[tuple[str, ...], Comparison]
) -> list[str]:
    """Returns the cells of a published result."""
    name = row["ours"][0][0]
    cells = [cell(where) for where in row["ours"]]
    ours, difference, verdict = name, "–", NOT_RUN
    if None not in cells:
        texts = [str(one) for one in cells]
        difference, verdict = judged(row, texts[0], orders)
        each = zip(labels(row["ours"]), texts, strict=True)
        ours = f"{place(name)}: {'; '.join(map(': '.join, each))}"
    earlier = row.get("earlier", "–")
    says = [row["source"], row["says"], ours, difference, verdict, earlier]
    return [*says, row["differs"]]


def labels(ours: Sequence[Sequence[str]]) -> list[str]:
    """Returns what to call cells: their rows, and each column where it begins."""
    if len(ours[0]) == 2:
        return [method for _, method in ours]
    columns = [heading for *_, heading in ours]
    names = [
        row if columns[n - 1 : n] == [heading] else f"({heading}) {row}"
        for n, (_, row, heading) in enumerate(ours)
    ]
    return [name.replace(APART, ", ") for name in names]


def place(name: str) -> str:
    """Returns a link to a ledger, or to the page of an experiment."""
    if "/" in name:
        return f"[{Path(name).stem}](../{name})"
    return f"[{name}](evidence/{name}.md)"


def page() -> str:
    """Returns the page."""
    every = rows()
    orders = compared(every)
    return "\n".join(
        [
            "# Published results, and ours\n",
            "What others have published of dropout, and what this project finds on the "
            "same question. Ours are means over seeds with 95 % intervals; differences "
            "are in points of test accuracy.\n",
            "- **A number** of ours stands beside the published one, with the "
            "difference and no verdict: the data, and much else, differ. (Most of the "
            "field's numbers are of MNIST and ours of Fashion-MNIST: there the "
            "statement can be asked again, the number cannot.)\n"
            "- **An order** is judged by the paired difference of the arm published as "
            "the better one less the other, by the rule of all comparisons here: from "
            "10 pairs on by the exact sign-flip test, corrected over the "
            f"{len(orders)} orders of this page; under 10 by a description: in how "
            "many seeds the order was seen, and nothing of other seeds.\n"
            "- **A statement** has the verdicts of the checks of its experiment "
            "([kinds](experiments.md#kinds-of-checks)).\n",
            "The intervals cover what a seed decides: one split, one test set, and "
            "settings that were chosen once or not at all.\n",
            '**Earlier verdicts.** Until November 2026 a number was "reproduced" '
            "within a margin, an order by the interval of five seeds, a statement by "
            "checks of which many were no tests (each experiment's page says which and "
            "why). The margins of the course (3 points) and of the two submissions to "
            "Fashion-MNIST (1.5) were set after the results were known; of those of "
            "Nado et al., set before, three were met by less than a tenth. The rule "
            "of figure 11 was made stricter, those of figures 9 and 10 split, table 9 "
            "on 5,000 images and the recurrent network that overfits added after "
            "results were known. Of Liu et al. five seeds left the sign open, and "
            'twenty others decided. "Contradicted" of Gal and Ghahramani is '
            "withdrawn: it rested on masks of the state per step, with which they do "
            "not compare.\n",
            table(HEADINGS, [line(row, orders) for row in every]),
            "`python -m experiments.reproductions` writes this page.",
            "",
        ]
    )


def main(path: Path = PATH) -> None:
    """Writes the page."""
    write_atomically(path, page())


if __name__ == "__main__":
    sys.exit(guarded(main))
