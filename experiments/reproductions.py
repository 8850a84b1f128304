# SPDX-License-Identifier: Apache-2.0
"""docs/reproductions.md: published results of the field, ours beside them.

python -m experiments.reproductions
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dropout_jax.files import write_atomically
from dropout_jax.reports.study import load_study
from experiments import evidence
from experiments.claims import held
from experiments.claims.page import table
from experiments.intervals import shown

PATH = evidence.ROOT / "docs" / "reproductions.md"
HEADINGS = ["published in", "it says", "ours", "difference", "verdict", "what differs"]
NOT_RUN = "not run yet"
APART = " | "  # between the first cells that name a row


def rows() -> list[dict[str, Any]]:
    """Returns the published results, in their order."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["row"]


def cell(where: Sequence[str]) -> str | None:
    """Returns a result of ours as it was printed; None if it is not run.

    Args:
      where: a ledger and a method; or an experiment, the first cells of a row of its
        table, and the heading of a column.

    Raises:
      ValueError: there is no such method, row or column.
    """
    if len(where) == 2:
        ledger, method = where
        study = load_study(evidence.ROOT / ledger)
        if method not in study.arms:
            raise ValueError(f"{ledger} has no method {method!r}, but {study.arms}")
        return shown([100.0 * t.test["accuracy"] for t in study.done(method).values()])
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


def line(row: dict[str, Any]) -> list[str]:
    """Returns the cells of a published result."""
    ours = [cell(where) for where in row["ours"]]
    difference, verdict = "–", NOT_RUN
    if None not in ours:
        if "number" in row:
            off = float(str(ours[0]).split()[0]) - row["number"]
            within, good = row["within"], abs(off) <= row["within"]
            difference = f"{off:+.3g} (allowed: {within:g})"
        else:
            good = held(*row["check"].split(": ", 1))
        verdict = "reproduced" if good else "**not reproduced**"
    labels = [where[1].replace(APART, ", ") for where in row["ours"]]
    each = zip(labels, [one or NOT_RUN for one in ours], strict=True)
    return [
        row["source"],
        row["says"],
        f"{place(row['ours'][0][0])}: {'; '.join(map(': '.join, each))}",
        difference,
        verdict,
        row["differs"],
    ]


def place(name: str) -> str:
    """Returns a link to a ledger, or to an experiment that has run."""
    if "/" in name:
        return f"[{Path(name).stem}](../{name})"
    return name if evidence.found(name) is None else f"[{name}](evidence/{name}.md)"


def page() -> str:
    """Returns the page."""
    return "\n".join(
        [
            "# Published results, and ours\n",
            "What others have published of dropout, and what this project finds on the "
            "same question. A number is reproduced if ours lies within the difference "
            "that is allowed, a statement if the check of the experiment holds; both "
            "were written down before the experiments were run in full. Most of the "
            "field's numbers are of MNIST and ours of Fashion-MNIST: there the "
            "statement can be reproduced, the number cannot. Ours are means over seeds "
            "with 95 % intervals.\n",
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
