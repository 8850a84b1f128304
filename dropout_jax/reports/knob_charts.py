# SPDX-License-Identifier: Apache-2.0
"""Interactive charts of knobs and of wall time, as plain Plotly specifications."""

import html
from typing import Any

import numpy as np

from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.axes import label
from dropout_jax.reports.charts import Chart, bars, layout, shortened, title
from dropout_jax.reports.knobs import (
    Curve,
    Grid,
    axis,
    curves,
    grids,
    kind_of,
    validation,
)
from dropout_jax.reports.numbers import bracketed, setting_text, value_text
from dropout_jax.reports.palette import BASELINE_COLOUR, Style, styles
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table
from dropout_jax.reports.time_figure import costs


def knob_charts(selection: Selection, table: Table) -> dict[str, Chart]:
    """A chart per knob and a heat map per method that has two, by name.

    Example:
      >>> empty = Selection(Study("s", ()), (), {})
      >>> knob_charts(empty, Table("s", "none", (), ()))
      {}
    """
    looks = styles([row.arm for row in table.rows])
    charts: dict[str, Chart] = {}
    for place, (name, lines) in enumerate(curves(selection).items()):
        knob = lines[0].knob
        places = axis([c.setting[knob] for line in lines for c in line.points])
        data = []
        for line in lines:
            data += _along(line, places.places, looks[line.arm])
        level = validation(selection, table.baseline)
        if level and table.baseline not in {line.arm for line in lines}:
            data.append(_reference(level, table.baseline, list(places.places.values())))
        across: dict[str, Any] = {"title": title(name), "zeroline": False}
        if places.labels:
            across |= {
                "tickvals": list(places.labels),
                "ticktext": list(map(html.escape, places.labels.values())),
            }
        axes = {
            "xaxis": across,
            "yaxis": {"title": {"text": "validation accuracy (%)"}},
        }
        charts[f"knob_{place}"] = {"data": data, "layout": layout(height=420, **axes)}
    for place, grid in enumerate(grids(selection)):
        charts[f"grid_{place}"] = _heat(grid, kind_of(selection, grid.arm))
    return charts


def _along(line: Curve, places: dict[Any, float], look: Style) -> list[dict[str, Any]]:
    means = [point.mean for point in line.points if point.mean is not None]
    x = shortened(np.array([places[p.setting[line.knob]] for p in line.points]), 8)
    y = shortened(np.array([mean.mean for mean in means]))
    name = html.escape(line.arm)
    texts = [
        f"{html.escape(setting_text({line.knob: point.setting[line.knob]}))}: "
        f"{bracketed(mean)} %, n = {len(point.accuracies)}"
        for point, mean in zip(line.points, means, strict=True)
    ]
    at = [point.setting[line.knob] for point in line.points].index(line.chosen)
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "legendgroup": name,
            "x": x,
            "y": y,
            "text": texts,
            "hovertemplate": "%{text}",
            "line": {"color": look.colour, "width": 2},
            "marker": {"color": look.colour, "symbol": look.plotly_mark, "size": 8},
            "error_y": bars(means, look, thickness=1.5, width=4),
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "legendgroup": name,
            "showlegend": False,
            "hoverinfo": "skip",
            "x": [x[at]],
            "y": [y[at]],
            "marker": {
                "symbol": "circle-open",
                "size": 18,
                "color": look.colour,
                "line": {"width": 2},
            },
        },
    ]


def _reference(level: Interval, baseline: str, places: list[float]) -> dict[str, Any]:
    """The baseline, which has no such knob, from end to end."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": html.escape(f"{baseline}, no such knob"),
        "x": [min(places), max(places)],
        "y": [round(level.mean, 4)] * 2,
        "line": {"color": BASELINE_COLOUR, "width": 2, "dash": "dot"},
        "hovertemplate": f"mean {bracketed(level)} %",
    }


def _heat(grid: Grid, kind: str) -> Chart:
    columns = [html.escape(value_text(value)) for value in grid.columns]
    lines = [html.escape(value_text(value)) for value in grid.lines]
    means = [
        [None if np.isnan(mean) else round(float(mean), 4) for mean in line]
        for line in grid.means
    ]
    row, column = grid.chosen
    data = [
        {
            "type": "heatmap",
            "x": list(range(len(columns))),
            "y": list(range(len(lines))),
            "z": means,
            "customdata": grid.seeds.tolist(),
            "colorscale": "Cividis",
            "texttemplate": "%{z:.2f}",
            "hovertemplate": "%{z:.2f} %, n = %{customdata}<extra></extra>",
            "colorbar": {"title": {"text": "%"}},
        }
    ]
    frame = {
        "type": "rect",
        "x0": column - 0.5,
        "x1": column + 0.5,
        "y0": row - 0.5,
        "y1": row + 0.5,
        "line": {"width": 4, "color": "#D55E00"},
    }
    axes = {
        "xaxis": {
            "title": title(label(grid.across, kind)),
            "tickvals": list(range(len(columns))),
            "ticktext": columns,
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": {
            "title": {"text": label(grid.down, kind)},
            "tickvals": list(range(len(lines))),
            "ticktext": lines,
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
        },
        "shapes": [frame],
    }
    return {"data": data, "layout": layout(height=420, **axes)}


def time_chart(study: Study, table: Table) -> Chart | None:
    """Test accuracy against the median wall time of a run; None under two methods."""
    found = costs(study, table)
    if len(found) < 2:
        return None
    looks = styles([row.arm for row in table.rows])
    data = []
    for cost in found:
        look, mean = looks[cost.arm], cost.accuracy
        trace = {
            "type": "scatter",
            "mode": "markers",
            "name": html.escape(cost.arm),
            "x": [round(cost.median, 4)],
            "y": [round(mean.mean, 4)],
            "marker": {"color": look.colour, "symbol": look.plotly_mark, "size": 11},
            "error_x": bars([Interval(cost.median, cost.low, cost.high)], look),
            "hovertemplate": f"{bracketed(mean)} %, {cost.median:.1f} min",
        }
        if np.isfinite(mean.low):
            trace["error_y"] = bars([mean], look)
        data.append(trace)
    axes = {
        "xaxis": {
            "title": title("wall time of a run (minutes)"),
            "rangemode": "tozero",
        },
        "yaxis": {"title": {"text": "test accuracy (%)"}},
    }
    return {"data": data, "layout": layout(height=420, **axes)}
