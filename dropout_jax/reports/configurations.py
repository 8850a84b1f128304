# SPDX-License-Identifier: Apache-2.0
"""How the methods of a study are configured, and how to run it again, as HTML."""

import json
from collections.abc import Sequence
from html import escape

from dropout_jax.reports.fields import differing_fields
from dropout_jax.reports.markup import headings, table
from dropout_jax.reports.numbers import counted
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table


def configurations(study: Study, results: Table) -> str:
    """What sets the methods apart first; what they share folded away below.

    Args:
      study: one setting per method.
      results: its table, for the order.

    Returns:
      HTML; one table where the methods differ in nothing.
    """
    configs = {
        row.arm: {k: v for k, v in trials[0].config.items() if k != "seed"}
        for row in results.rows
        if (trials := study.of(row.arm))
    }
    arms, flats = list(configs), list(configs.values())
    differing = differing_fields(flats)
    shared = [name for name in flats[0] if name not in differing]
    head = headings(["field", *arms])
    body = [
        _settings(name, [c.get(name, _ABSENT) for c in flats]) for name in differing
    ]
    parts = []
    if body:
        caption = "Fields in which the methods differ"
        parts.append(table("Differing fields", caption, head, body, "settings"))
    if shared:
        body = [_settings(name, [flats[0][name]]) for name in shared]
        head = headings(["field", "value"])
        grid = table("Common fields", "Without seed", head, body, "settings")
        title = f"{counted(len(shared), 'field')} that all methods share"
        parts.append(f"<details><summary>{title}</summary>\n{grid}</details>")
    return "\n".join(parts)


_ABSENT = object()


def _settings(name: str, values: Sequence[object]) -> str:
    shown = ["" if v is _ABSENT else json.dumps(v, ensure_ascii=False) for v in values]
    columns_html = "".join(f"<td>{escape(value)}</td>" for value in shown)
    return f'<tr><th scope="row">{escape(name)}</th>{columns_html}</tr>'


def environment(study: Study, command: str) -> str:
    """The command of the whole study, then the versions that its runs recorded.

    Args:
      study: every run.
      command: what to type, several lines allowed; empty: not shown.

    Returns:
      HTML, empty where nothing is known.
    """
    parts = []
    if command:
        parts.append(f'<pre tabindex="0"><code>{escape(command)}</code></pre>')
    facts: dict[str, set[str]] = {}
    for trial in study.trials:
        for name, version in trial.versions.items():
            facts.setdefault(name, set()).add(version)
        for name, fact in (("device", trial.device), ("data", trial.data_sha256)):
            if fact:
                facts.setdefault(name, set()).add(fact)
    body = [
        f'<tr><th scope="row">{escape(name)}</th>'
        f"<td>{escape(', '.join(sorted(values)))}</td></tr>"
        for name, values in sorted(facts.items())
    ]
    if body:
        head = headings(["what", "which"])
        caption = "As recorded by the runs"
        parts.append(table("Versions", caption, head, body, "settings"))
    return "\n".join(parts)
