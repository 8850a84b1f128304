# SPDX-License-Identifier: Apache-2.0
"""docs/reliability.md: a line per figure, each written by the test that found it."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_MARKS = re.compile(r"(<!-- figures -->\n).*(<!-- /figures -->)", re.DOTALL)
_HEAD = "| # | what is done | target | found |\n|---:|---|---|---|\n"


def write(rows: dict[str, tuple[str, str, str]]) -> None:
    """Puts rows into the table; those of other figures stay as they are.

    Args:
      rows: what is done, target and found, by the number of the figure.
    """
    text = PAGE.read_text(encoding="utf-8")
    marked = _MARKS.search(text)
    assert marked, f"{PAGE} has lost its markers"
    known = {
        line.split("|")[1].strip(): line
        for line in marked[0].splitlines()
        if re.match(r"\| \d", line)
    }
    for number, row in rows.items():
        known[number] = f"| {' | '.join([number, *row])} |"
    order = sorted(known, key=lambda n: (int(re.match(r"\d+", n)[0]), n))
    body = _HEAD + "".join(f"{known[number]}\n" for number in order)
    PAGE.write_text(
        text[: marked.start()] + marked[1] + body + marked[2] + text[marked.end() :],
        encoding="utf-8",
    )
