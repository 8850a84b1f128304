# SPDX-License-Identifier: Apache-2.0
"""One HTML file with the whole answer, that never asks the network for anything.

Style, script and Plotly are inside; a Content-Security-Policy forbids every request
and every script but these two. All text is escaped: names of methods, their
configurations and notes come from users.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from dropout_jax.reports.assets import asset, script_hash
from dropout_jax.reports.charts import (
    accuracy_chart,
    curves_chart,
    differences_charts,
    reliability_chart,
)
from dropout_jax.reports.knob_charts import knob_charts, time_chart
from dropout_jax.reports.numbers import counted
from dropout_jax.reports.runs import page_data
from dropout_jax.reports.sections import sections
from dropout_jax.reports.selection import choose
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table

_SCRIPTS = ("page.js", "page_tables.js", "page_runs.js")


def page(
    study: Study,
    table: Table,
    figures: Mapping[str, bytes],
    *,
    title: str,
    notes: Sequence[str] = (),
    command: str = "",
    downloads: Mapping[str, bytes] | None = None,
) -> str:
    """Writes the page.

    Args:
      study: every run; of a method that was tried with several settings the charts of
        test results show the one chosen on validation.
      table: their table.
      figures: what `figures.figures` returned; the SVGs are embedded.
      title: heading of the page, plain text.
      notes: paragraphs of plain text that explain the result.
      command: what to type to get these numbers again; several lines allowed.
      downloads: files to be handed out, by name (.csv, .json or .md).

    Returns:
      A complete HTML document. Equal input gives equal text.
    """
    selection = choose(study)
    final = selection.study
    charts = {
        "accuracy": accuracy_chart(table),
        **differences_charts(table),
        **knob_charts(selection, table),
        "curves_accuracy": curves_chart(final, table, "accuracy"),
        "curves_loss": curves_chart(final, table, "loss"),
        "reliability": reliability_chart(final, table),
        "time": time_chart(final, table),
    }
    drawn = {name: chart for name, chart in charts.items() if chart}
    parts = sections(
        study,
        selection,
        table,
        figures,
        drawn,
        downloads or {},
        notes=notes,
        command=command,
    )
    blocks = [_data("chart", f"chart-{name}", chart) for name, chart in drawn.items()]
    blocks.append(_data("runs", "run", page_data(study)))
    plotly = get_plotlyjs()
    script = "\n".join(map(asset, _SCRIPTS))
    return Template(asset("page.html")).substitute(
        title=escape(title),
        script_hashes=f"{script_hash(plotly)} {script_hash(script)}",
        css=asset("page.css"),
        facts=escape(_facts(study)),
        navigation="\n".join(
            f'<li><a href="#{s.anchor}">{s.heading}</a></li>' for s in parts
        ),
        sections="\n".join(
            f'<section id="{s.anchor}" aria-labelledby="{s.anchor}-heading">\n'
            f'<h2 id="{s.anchor}-heading">{s.heading}</h2>\n{s.body}\n</section>'
            for s in parts
        ),
        page_data="\n".join(blocks),
        plotly=plotly,
        script=script,
    )


def _data(kind: str, target: str, value: Any) -> str:
    """Data for the script: what it is of, and the element that it is shown in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    # Inside a script element only "<" can do harm; in JSON it may be written so.
    text = text.replace("<", "\\u003c")
    return f'<script type="application/json" data-{kind}="{target}">{text}</script>'


def _facts(study: Study) -> str:
    devices = sorted({trial.device for trial in study.trials if trial.device})
    seeds = len({trial.seed for trial in study.trials})
    return ", ".join(
        [
            f"study {study.name}",
            counted(len(study.arms), "method"),
            counted(seeds, "seed"),
            counted(len(study.trials), "run"),
            *devices,
        ]
    )
