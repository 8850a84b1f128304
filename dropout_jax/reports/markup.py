# SPDX-License-Identifier: Apache-2.0
"""Pieces of HTML that several parts of the page are made of."""

from collections.abc import Sequence
from html import escape


def table(
    label: str, caption: str, head: str, body: Sequence[str], kind: str = ""
) -> str:
    """A table in a region that scrolls by itself, by finger and by arrow keys.

    Args:
      label: names the region, plain text.
      caption: plain text above the table.
      head: cells of the heading line, as HTML.
      body: lines, as HTML.
      kind: classes of the table; "sortable" gives its headings buttons.

    Example:
      >>> print(table("Runs", "All", headings(["seed"]), ["<tr><td>0</td></tr>"]))
      <div class="scroll" role="region" aria-label="Runs" tabindex="0">
      <table>
      <caption>All</caption>
      <thead><tr><th scope="col">seed</th></tr></thead>
      <tbody>
      <tr><td>0</td></tr>
      </tbody>
      </table>
      </div>
      <BLANKLINE>
    """
    rows = "\n".join(body)
    classes = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0">'
        f"\n<table{classes}>\n<caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>\n"
    )


def headings(names: Sequence[str], fixed: Sequence[str] = ()) -> str:
    """Cells of a heading line; those in `fixed` are not sorted by.

    Example:
      >>> headings(["a<b"])
      '<th scope="col">a&lt;b</th>'
    """
    return "".join(
        f'<th scope="col"{" data-fixed" if name in fixed else ""}>{escape(name)}</th>'
        for name in names
    )


def number(text: str, value: float | None = None) -> str:
    """A cell: what qualifies the number stands below it, smaller.

    Args:
      text: what is shown.
      value: what it is sorted by, where that is not the number that it begins with.

    Example:
      >>> number("0.25 ± 0.01")
      '<td>0.25 <small>± 0.01</small></td>'
    """
    sorted_by = "" if value is None else f' data-value="{value:g}"'
    for mark in ("[", "±", "("):
        figure, found, rest = text.partition(f" {mark}")
        if found:
            detail = escape((mark + rest).replace(" (p", "\n(p")).replace("\n", "<br>")
            return f"<td{sorted_by}>{escape(figure)} <small>{detail}</small></td>"
    return f"<td{sorted_by}>{escape(text)}</td>"


def word_filter(rows: str) -> str:
    """A field that leaves the rows with some words; it appears where scripts run.

    Args:
      rows: class of the table, and what its rows are called.

    Example:
      >>> "Show runs with these words" in word_filter("runs")
      True
    """
    return (
        f'<p class="filter" hidden><label for="filter">Show {rows} with these words'
        f'</label> <input type="search" id="filter" data-rows="{rows}" '
        'autocomplete="off"> <output for="filter" id="found"></output></p>\n'
    )
