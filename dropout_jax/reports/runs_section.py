# SPDX-License-Identifier: Apache-2.0
"""The page's table of runs: sorted, filtered, and each opened, in the browser."""

from html import escape

from dropout_jax.reports.markup import headings, number, table, word_filter
from dropout_jax.reports.numbers import NOTHING, duration, plain, value_text
from dropout_jax.reports.runs import revealed
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.study import Study

_TEST = "test accuracy, %"


def runs_section(study: Study, selection: Selection) -> str:
    """Every run with its seed, its knobs and what came out.

    Test accuracies are shown for the chosen settings alone, and the table does not
    sort by them: of many runs the highest is the luckiest.

    Args:
      study: every run.
      selection: which settings were chosen.

    Returns:
      HTML: a filter, the table, and the place where an opened run appears.
    """
    shown = revealed(selection)
    head = headings(
        [
            "run",
            "seed",
            *study.knobs,
            "status",
            "validation accuracy, %",
            _TEST,
            "time",
        ],
        fixed=[_TEST],
    )
    body = []
    for place, trial in enumerate(study.trials):
        name = escape(trial.arm)
        knobs = [number(value_text(trial.config[knob])) for knob in study.knobs]
        test = trial.test if id(trial) in shown else {}
        body.append(
            f'<tr><th scope="row"><a href="#run" data-run="{place}">{name}</a></th>'
            f"<td>{trial.seed}</td>{''.join(knobs)}<td>{trial.status}</td>"
            f"<td>{_percent(trial.validation)}</td><td>{_percent(test)}</td>"
            f"{number(duration(trial.seconds), trial.seconds)}</tr>"
        )
    caption = (
        "Open a run by its name. Test accuracy is shown for the chosen settings and is "
        "not sorted by: of many runs the highest is the luckiest."
    )
    grid = table("Runs", caption, head, body, "sortable runs")
    opened = '<div id="run" tabindex="-1" hidden></div>'
    return f"{word_filter('runs')}{grid}{opened}"


def _percent(metrics: dict[str, float]) -> str:
    return plain(100 * metrics["accuracy"]) if "accuracy" in metrics else NOTHING
