# SPDX-License-Identifier: Apache-2.0
"""The parts of the page, each as HTML; every text from outside is escaped."""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from dropout_jax.reports.charts import Chart
from dropout_jax.reports.fields import differing_fields
from dropout_jax.reports.numbers import counted
from dropout_jax.reports.render import cells, columns
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table
from dropout_jax.reports.verdict import clauses


class Section(NamedTuple):
    """A part of the page: anchor, heading and HTML below the heading."""

    anchor: str
    heading: str
    body: str


class _Drawing(NamedTuple):
    """A chart or figure with its heading and caption."""

    name: str
    heading: str
    caption: str


_DRAWINGS = (
    _Drawing(
        "accuracy",
        "Test accuracy",
        "Mean and 95 % interval; below each, a circle per seed.",
    ),
    _Drawing(
        "differences",
        "Paired differences",
        "Same seed, same start, same batches: what the method alone changes.",
    ),
    _Drawing(
        "curves_accuracy",
        "Accuracy while training",
        "Validation (line; band: all seeds) and training without noise (dashes). "
        "The distance between the two is the gap.",
    ),
    _Drawing(
        "curves_loss",
        "Loss while training",
        "Validation (line; band: all seeds) and training without noise (dashes).",
    ),
    _Drawing(
        "reliability",
        "Reliability",
        "Below the diagonal a method is surer than it is right. Seeds together.",
    ),
    _Drawing(
        "curves",
        "Learning curves",
        "The filled area is the gap between training and validation.",
    ),
)


def sections(
    study: Study,
    table: Table,
    figures: Mapping[str, bytes],
    charts: Mapping[str, Chart],
    *,
    notes: Sequence[str],
    command: str,
) -> list[Section]:
    """Writes the parts that the study has something for, the answer first.

    Args:
      study: the runs.
      table: their table.
      figures: file contents by name; the SVGs are embedded.
      charts: the interactive charts that will be drawn, by name.
      notes: paragraphs of plain text.
      command: what to type to get these numbers again.

    Returns:
      Sections in the order of the page.
    """
    parts = [
        Section("answer", "Answer", _answer(table)),
        Section("table", "Table", _results(table)),
        Section("figures", "Figures", _charts(charts) + _printed(figures)),
        Section("why", "Why", _why(notes)),
        Section("configurations", "Configurations", _configurations(study, table)),
        Section("reproduce", "How to reproduce", _reproduce(study, command)),
    ]
    return [part for part in parts if part.body]


def _answer(table: Table) -> str:
    first, *rest = clauses(table)
    more = f"; {escape('; '.join(rest))}" if rest else ""
    return f'<p class="verdict"><strong>{escape(first)}</strong>{more}.</p>'


def _results(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns(table))
    body = []
    for row in table.rows:
        name, *numbers = cells(table, row)
        kind = ' class="baseline"' if row.arm == table.baseline else ""
        body.append(
            f'<tr{kind}><th scope="row">{escape(name)}</th>'
            f"{''.join(map(_number, numbers))}</tr>"
        )
    notes = "\n".join(f"<li>{escape(note)}</li>" for note in table.notes)
    caption = "Test set, counted once per run; means over seeds."
    grid = _grid("Results", f"<caption>{caption}</caption>", head, body)
    return grid + (f'<ul class="notes">\n{notes}\n</ul>' if notes else "")


def _number(text: str) -> str:
    """A cell: what qualifies the number stands below it, smaller."""
    for mark in ("[", "±", "("):
        number, found, rest = text.partition(f" {mark}")
        if found:
            detail = escape((mark + rest).replace(" (p", "\n(p")).replace("\n", "<br>")
            return f"<td>{escape(number)} <small>{detail}</small></td>"
    return f"<td>{escape(text)}</td>"


def _grid(label: str, caption: str, head: str, body: Sequence[str], kind="") -> str:
    """A table in a region that scrolls by itself, by finger and by arrow keys."""
    rows = "\n".join(body)
    return (
        f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0">'
        f"\n<table{kind}>\n{caption}\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>\n"
    )


def _charts(charts: Mapping[str, Chart]) -> str:
    parts = [
        f"<figure>\n<h3>{drawing.heading}</h3>\n"
        f'<div id="chart-{drawing.name}" role="group" '
        f'aria-label="{drawing.heading}: {drawing.caption}"></div>\n'
        f"<figcaption>{drawing.caption}</figcaption>\n</figure>"
        for drawing in _DRAWINGS
        if drawing.name in charts
    ]
    return '<div class="charts">\n' + "\n".join(parts) + "\n</div>\n" if parts else ""


def _printed(figures: Mapping[str, bytes]) -> str:
    """The figures of the paper, which also serve where scripts are off."""
    parts = []
    for drawing in _DRAWINGS:
        if content := figures.get(f"{drawing.name}.svg"):
            source = base64.b64encode(content).decode()
            parts.append(
                f'<figure><img src="data:image/svg+xml;base64,{source}" '
                f'alt="{drawing.heading}. {drawing.caption}" loading="lazy">'
                f"<figcaption>{drawing.heading}. {drawing.caption} "
                f"File {drawing.name}.svg beside this page.</figcaption></figure>"
            )
    if not parts:
        return ""
    inside = "\n".join(parts)
    return (
        '<details class="printed"><summary>The figures as a paper shows them</summary>'
        f"\n{inside}\n</details>"
    )


def _why(notes: Sequence[str]) -> str:
    return "\n".join(f"<p>{escape(note)}</p>" for note in notes)


def _configurations(study: Study, table: Table) -> str:
    """What sets the methods apart first; what they share folded away below."""
    configs = {
        row.arm: {k: v for k, v in trials[0].config.items() if k != "seed"}
        for row in table.rows
        if (trials := study.of(row.arm))
    }
    arms, flats = list(configs), list(configs.values())
    differing = differing_fields(flats)
    shared = [name for name in flats[0] if name not in differing]
    head = '<th scope="col">field</th>' + "".join(
        f'<th scope="col">{escape(arm)}</th>' for arm in arms
    )
    body = [
        _settings(name, [c.get(name, _ABSENT) for c in flats]) for name in differing
    ]
    kind = ' class="settings"'
    parts = []
    if body:
        caption = "<caption>Fields in which the methods differ</caption>"
        parts.append(_grid("Differing fields", caption, head, body, kind))
    if shared:
        body = [_settings(name, [flats[0][name]]) for name in shared]
        head = '<th scope="col">field</th><th scope="col">value</th>'
        grid = _grid(
            "Common fields", "<caption>Without seed</caption>", head, body, kind
        )
        title = f"{counted(len(shared), 'field')} that all methods share"
        parts.append(f"<details><summary>{title}</summary>\n{grid}</details>")
    return "\n".join(parts)


_ABSENT = object()


def _settings(name: str, values: Sequence[object]) -> str:
    shown = ["" if v is _ABSENT else json.dumps(v, ensure_ascii=False) for v in values]
    columns_html = "".join(f"<td>{escape(value)}</td>" for value in shown)
    return f'<tr><th scope="row">{escape(name)}</th>{columns_html}</tr>'


def _reproduce(study: Study, command: str) -> str:
    parts = []
    if command:
        parts.append(f'<pre tabindex="0"><code>{escape(command)}</code></pre>')
    facts: dict[str, set[str]] = {}
    for trial in study.trials:
        for name, version in trial.versions.items():
            facts.setdefault(name, set()).add(version)
        if trial.device:
            facts.setdefault("device", set()).add(trial.device)
    body = [
        f'<tr><th scope="row">{escape(name)}</th>'
        f"<td>{escape(', '.join(sorted(values)))}</td></tr>"
        for name, values in sorted(facts.items())
    ]
    if body:
        head = '<th scope="col">what</th><th scope="col">which</th>'
        caption = "<caption>As recorded by the runs</caption>"
        parts.append(_grid("Versions", caption, head, body, ' class="settings"'))
    return "\n".join(parts)
