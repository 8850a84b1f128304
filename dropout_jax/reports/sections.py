# SPDX-License-Identifier: Apache-2.0
"""The parts of the page, each as HTML; every text from outside is escaped."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from dropout_jax.reports.captions import Drawing, chart_captions, printed_captions
from dropout_jax.reports.charts import Chart
from dropout_jax.reports.configurations import configurations, environment
from dropout_jax.reports.markup import headings, number, table
from dropout_jax.reports.render import parts
from dropout_jax.reports.runs_section import runs_section
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.settings import (
    SETTING_HEADINGS,
    sensitivity_notes,
    setting_rows,
)
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table
from dropout_jax.reports.verdict import sentences


class Section(NamedTuple):
    """A part of the page: anchor, heading and HTML below the heading."""

    anchor: str
    heading: str
    body: str


def sections(
    study: Study,
    selection: Selection,
    results: Table,
    figures: Mapping[str, bytes],
    charts: Mapping[str, Chart],
    downloads: Mapping[str, bytes],
    *,
    notes: Sequence[str],
    command: str,
) -> list[Section]:
    """Writes the parts that the study has something for, the answer first.

    Args:
      study: every run.
      selection: one setting per method, and what it was chosen among.
      results: the table.
      figures: file contents by name; the SVGs are embedded.
      charts: the interactive charts that will be drawn, by name.
      downloads: further files that the page hands out, by name.
      notes: paragraphs of plain text.
      command: what to type to get these numbers again.

    Returns:
      Sections in the order of the page.
    """
    final = selection.study
    drawn = _charts(chart_captions(selection, results), charts)
    printed = _printed(printed_captions(selection, results), figures)
    found = [
        Section("answer", "Answer", _answer(results)),
        Section("table", "Table", _results(results)),
        Section("settings", "Settings tried", _settings(selection)),
        Section("figures", "Figures", drawn + printed),
        Section("why", "Notes", _paragraphs(notes)),
        Section("runs", "Runs", runs_section(study, selection)),
        Section("configurations", "Configurations", configurations(final, results)),
        Section("reproduce", "How to reproduce", environment(study, command)),
        Section("downloads", "Downloads", _downloads(downloads)),
    ]
    return [part for part in found if part.body]


def _answer(results: Table) -> str:
    first, *rest = sentences(results)
    more = f" {escape(' '.join(rest))}" if rest else ""
    return f'<p class="verdict"><strong>{escape(first)}</strong>{more}</p>'


def _results(results: Table) -> str:
    grids = []
    for part in parts(results):
        body = []
        for row, (name, *numbers) in zip(results.rows, part.rows, strict=True):
            kind = ' class="baseline"' if row.arm == results.baseline else ""
            filled = "".join(map(number, numbers))
            if part.headings[-1] == "median time":
                filled = "".join(map(number, numbers[:-1]))
                filled += number(numbers[-1], row.seconds)
            body.append(f'<tr{kind}><th scope="row">{escape(name)}</th>{filled}</tr>')
        label = part.caption.partition(",")[0]
        head = headings(part.headings)
        grids.append(table(label, part.caption, head, body, "sortable"))
    return "".join(grids) + _list(results.notes)


def _list(notes: Sequence[str]) -> str:
    items = "\n".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">\n{items}\n</ul>' if notes else ""


def _settings(selection: Selection) -> str:
    """Every setting by validation; test has no column here."""
    body = []
    for kept, (name, *numbers) in setting_rows(selection):
        kind = ' class="baseline"' if kept else ""
        filled = "".join(map(number, numbers))
        body.append(f'<tr{kind}><th scope="row">{escape(name)}</th>{filled}</tr>')
    if not body:
        return ""
    caption = "Chosen by validation accuracy; test results of the others are not shown."
    grid = table("Settings", caption, headings(SETTING_HEADINGS), body, "sortable")
    return grid + _list(sensitivity_notes(selection))


def _charts(drawings: Sequence[Drawing], charts: Mapping[str, Chart]) -> str:
    parts = [
        f"<figure>\n<h3>{escape(drawing.heading)}</h3>\n"
        f'<div id="chart-{drawing.name}" role="group" '
        f'aria-label="{escape(drawing.heading)}: {escape(drawing.caption)}"></div>\n'
        f"<figcaption>{escape(drawing.caption)}</figcaption>\n</figure>"
        for drawing in drawings
        if drawing.name in charts
    ]
    return '<div class="charts">\n' + "\n".join(parts) + "\n</div>\n" if parts else ""


def _printed(drawings: Sequence[Drawing], figures: Mapping[str, bytes]) -> str:
    """The figures of the paper, which also serve where scripts are off."""
    parts = []
    for drawing in drawings:
        if content := figures.get(f"{drawing.name}.svg"):
            source = base64.b64encode(content).decode()
            said = escape(f"{drawing.heading}. {drawing.caption}")
            parts.append(
                f'<figure><img src="data:image/svg+xml;base64,{source}" '
                f'alt="{said}" loading="lazy"><figcaption>{said} '
                f"File {drawing.name}.svg beside this page.</figcaption></figure>"
            )
    if not parts:
        return ""
    inside = "\n".join(parts)
    return (
        '<details class="printed"><summary>The figures as a paper shows them</summary>'
        f"\n{inside}\n</details>"
    )


def _paragraphs(notes: Sequence[str]) -> str:
    return "\n".join(f"<p>{escape(note)}</p>" for note in notes)


_KINDS = {"csv": "text/csv", "json": "application/json", "md": "text/markdown"}


def _downloads(files: Mapping[str, bytes]) -> str:
    """The files themselves, so that the page alone is enough to work on."""
    items = []
    for name, content in files.items():
        kind = _KINDS[name.rpartition(".")[2]]
        source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        size = f"{max(1, round(len(content) / 1000)):,} kB"
        items.append(
            f'<li><a download="{escape(name)}" href="{source}">{escape(name)}</a> '
            f"({size})</li>"
        )
    inside = "\n".join(items)
    return f"<ul>\n{inside}\n</ul>" if items else ""
