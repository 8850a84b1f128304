# SPDX-License-Identifier: Apache-2.0
"""docs/reproductions.md: published results of the field, ours beside them.

python -m experiments.reproductions
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dropout_jax.evaluation.statistics import Interval, paired_difference
from dropout_jax.files import write_atomically
from dropout_jax.reports.numbers import bracketed, signed
from dropout_jax.reports.study import load_study
from experiments import evidence
from experiments.claims import NOT_RUN, held
from experiments.claims.page import table
from experiments.intervals import shown

PATH = evidence.ROOT / "docs" / "reproductions.md"
HEADINGS = ["published in", "it says", "ours", "difference", "verdict", "what differs"]
REPRODUCED, NOT_REPRODUCED = "reproduced", "**not reproduced**"
NOT_TOLD, CONTRADICTED = "not told apart", "**contradicted**"
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
    return {seed: 100.0 * trial.test["accuracy"] for seed, trial in done}


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


def judged(row: dict[str, Any], ours: str) -> tuple[str, str]:
    """Returns the difference and the verdict of a published result.

    Args:
      row: the published result.
      ours: the first cell that stands beside it.
    """
    if "number" in row:
        off = float(ours.split()[0]) - row["number"]
        verdict = REPRODUCED if abs(off) <= row["within"] else NOT_REPRODUCED
        digits = len(ours.split()[0].partition(".")[2])
        far = signed(off, digits)
        told = f"{far} (allowed: {row['within']:g}{beyond(ours, row['number'])})"
        return told, verdict
    if "checks" in row:
        good = all(held(*check.split(": ", 1)) for check in row["checks"])
        return "–", REPRODUCED if good else NOT_REPRODUCED
    found = [gain(*rank) for rank in row["ranks"]]
    if any(one.high < 0.0 for one in found):
        verdict = CONTRADICTED
    else:
        verdict = REPRODUCED if all(one.low > 0.0 for one in found) else NOT_TOLD
    return "; ".join(map(bracketed, found)), verdict


def beyond(ours: str, number: float) -> str:
    """Returns a remark where a number lies outside the interval of ours."""
    ends = re.search(r"\[(\S+), (\S+)\]", ours)
    if ends and not float(ends[1]) <= number <= float(ends[2]):
        return "; outside our interval"
    return ""


def gain(ledger: str, better: str, worse: str) -> Interval:
    """Returns the paired difference in test accuracy of two methods, points."""
    high, low = (accuracies(ledger, method) or {} for method in (better, worse))
    seeds = sorted(high.keys() & low.keys())
    return paired_difference([high[s] for s in seeds], [low[s] for s in seeds])


def line(row: dict[str, Any]) -> list[str]:
    """Returns the cells of a published result."""
    name = row["ours"][0][0]
    cells = [cell(where) for where in row["ours"]]
    ours, difference, verdict = name, "–", NOT_RUN
    if None not in cells:
        texts = [str(one) for one in cells]
        difference, verdict = judged(row, texts[0])
        each = zip(labels(row["ours"]), texts, strict=True)
        ours = f"{place(name)}: {'; '.join(map(': '.join, each))}"
    return [row["source"], row["says"], ours, difference, verdict, row["differs"]]


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
    return "\n".join(
        [
            "# Published results, and ours\n",
            "What others have published of dropout, and what this project finds on the "
            "same question. A number is reproduced if ours lies within the difference "
            "that is allowed; an order if the intervals of the paired differences lie "
            "above 0, and contradicted if one lies below; a statement if the checks of "
            "the experiment hold. A paired difference is the arm published as the "
            "better one less the other. Rules about experiments (E01 to E23) were "
            "written down before these were run in full, with these exceptions: that "
            "of figure 11 was made stricter; that of figures 9 and 10 became two rows "
            "each when both results were known, and where little is kept and the curve "
            "is not flat, the words of figure 9 were changed; table 9 on 5,000 images "
            "was added, and the recurrent row where the network overfits; of Liu et "
            "al. five seeds left the sign open, and twenty others "
            "decided. The rows on the course and on the comparisons were added after "
            "their results were known. Most of the "
            "field's numbers are of MNIST and ours of Fashion-MNIST: there the "
            "statement can be reproduced, the number cannot. Ours are means over seeds "
            "with 95 % intervals; differences are in points of test accuracy.\n",
            table(HEADINGS, [line(row) for row in rows()]),
            "`python -m experiments.reproductions` writes this page.",
            "",
        ]
    )


def main(path: Path = PATH) -> None:
    """Writes the page."""
    write_atomically(path, page())


if __name__ == "__main__":
    main()
