# SPDX-License-Identifier: Apache-2.0
"""Interactive charts of the page, as plain Plotly specifications.

A specification is data (`{"data": [...], "layout": {...}}`); the page's script adds
the colours of the light or dark theme and draws it. Plotly reads a little HTML in
names, so that names of methods are escaped here.
"""

import functools
import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from dropout_jax.evaluation.comparison import ACCURACY, NLL, Measure
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.curves import Curve, curve, pooled_bins
from dropout_jax.reports.numbers import bracketed, difference, ends
from dropout_jax.reports.palette import Style, short, styles
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Table

Chart = dict[str, Any]


def accuracy_chart(table: Table) -> Chart | None:
    """Test accuracy per method: mean, interval and a point per seed."""
    rows = [row for row in table.rows if row.accuracy]
    looks = styles([row.arm for row in table.rows])
    data = []
    for height, row in enumerate(rows):
        assert row.accuracy is not None
        label = f"mean {bracketed(row.accuracy)} %"
        data += _line(
            height, row.arm, row.seeds, row.accuracies, row.accuracy, label, looks
        )
    return _methods([row.arm for row in rows], data, "test accuracy (%)")


def differences_charts(table: Table) -> dict[str, Chart | None]:
    """Paired differences to the baseline by each measure, by name of the chart.

    Thick bars are 95 % intervals, thin ones those at the corrected level.
    """
    return {
        "differences": _differences(table, ACCURACY),
        "nll_differences": _differences(table, NLL),
    }


def _differences(table: Table, measure: Measure) -> Chart | None:
    found = table.comparisons(measure)
    looks = styles([row.arm for row in table.rows])
    write = functools.partial(difference, measure=measure)
    data = []
    for height, one in enumerate(found):
        label = (
            f"mean {bracketed(one.interval, write)} {measure.unit}, corrected "
            f"{ends(one.corrected, write)}"
        )
        data += _line(
            height,
            one.method,
            one.seeds,
            one.values,
            one.interval,
            label,
            looks,
            one.corrected,
        )
    chart = _methods(
        [one.method for one in found], data, f"difference ({measure.unit})"
    )
    if chart:
        chart["layout"]["xaxis"] |= {"zeroline": True, "zerolinewidth": 2}
    return chart


def curves_chart(study: Study, table: Table, kind: str) -> Chart | None:
    """Validation (line) and noise-free training (dashes) over epochs.

    Args:
      study: the runs.
      table: their table, for order and looks.
      kind: "accuracy" or "loss".

    Returns:
      A chart whose bands span the seeds; None without any history.
    """
    looks = styles([row.arm for row in table.rows])
    scale, unit = (100.0, " (%)") if kind == "accuracy" else (1.0, " (nats)")
    data = []
    for row in table.rows:
        trials = list(study.done(row.arm).values())
        training = curve(trials, f"clean_train_{kind}")
        validation = curve(trials, f"validation_{kind}")
        if training is None or validation is None:
            continue
        data.append(_band(row.arm, validation, scale, looks[row.arm]))
        data.append(_mean(row.arm, validation, scale, looks[row.arm], "validation"))
        data.append(_mean(row.arm, training, scale, looks[row.arm], "training"))
    if not data:
        return None
    axes = {
        "xaxis": {"title": title("epoch"), "rangemode": "tozero"},
        "yaxis": {"title": {"text": kind + unit}},
    }
    return {"data": data, "layout": layout(height=420, **axes)}


def reliability_chart(study: Study, table: Table) -> Chart | None:
    """Accuracy against confidence, all seeds of a method together."""
    looks = styles([row.arm for row in table.rows])
    data: list[dict[str, Any]] = []
    for row in table.rows:
        bins = pooled_bins(study.done(row.arm).values(), table.reliability_set)
        if bins is None:
            continue
        look = looks[row.arm]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": html.escape(row.arm),
                "x": shortened(bins.confidence),
                "y": shortened(bins.accuracy),
                "customdata": shortened(100 * bins.share),
                "line": {"color": look.colour, "width": 1.5},
                "marker": {"color": look.colour, "symbol": look.plotly_mark, "size": 7},
                "hovertemplate": "confidence %{x:.3f}<br>accuracy %{y:.3f}"
                "<br>%{customdata:.1f} % of the examples",
            }
        )
    if not data:
        return None
    diagonal = {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1}
    axes = {
        "xaxis": {"title": title("confidence"), "range": [0, 1.02]},
        "yaxis": {"title": {"text": "accuracy"}, "range": [0, 1.02]},
        "shapes": [diagonal | {"line": {"width": 1, "dash": "dot", "color": "#888"}}],
    }
    return {"data": data, "layout": layout(height=420, **axes)}


def _methods(
    arms: list[str], data: list[dict[str, Any]], quantity: str
) -> Chart | None:
    """Horizontal lines of methods, the first on top."""
    if not arms:
        return None
    axes = {
        "xaxis": {"title": title(quantity), "zeroline": False},
        "yaxis": {
            "tickvals": list(range(len(arms))),
            "ticktext": [html.escape(short(arm)) for arm in arms],
            "range": [len(arms) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
            "fixedrange": True,
        },
    }
    height = 108 + 48 * len(arms)
    return {"data": data, "layout": layout(height=height, **axes, showlegend=False)}


def _line(
    height: int,
    arm: str,
    seeds: Sequence[int],
    values: Sequence[float],
    interval: Interval,
    label: str,
    looks: dict[str, Style],
    corrected: Interval | None = None,
) -> list[dict[str, Any]]:
    """Mean and interval above the line of a method, its seeds below."""
    look, name = looks[arm], html.escape(arm)
    mean = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [round(interval.mean, 4)],
        "y": [height - 0.12],
        "marker": {"color": look.colour, "symbol": look.plotly_mark, "size": 11},
        "hovertemplate": label,
    }
    if np.isfinite(interval.low):
        mean["error_x"] = bars([interval], look, thickness=3, width=0)
    wide = []
    if corrected is not None and np.isfinite(corrected.low):
        thin = bars([corrected], look, thickness=1, width=0)
        wide = [mean | {"error_x": thin, "hoverinfo": "skip"}]
        del wide[0]["hovertemplate"]
    spread = np.linspace(0.1, 0.3, len(values)) if len(values) > 1 else np.full(1, 0.2)
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": shortened(np.array(values)),
        "y": shortened(height + spread),
        "customdata": list(seeds),
        "marker": {"color": look.colour, "symbol": "circle-open", "size": 7},
        "hovertemplate": "seed %{customdata}: %{x:.4~f}",
    }
    return [points, *wide, mean]


def _mean(
    arm: str, series: Curve, scale: float, look: Style, part: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": html.escape(arm),
        "legendgroup": html.escape(arm),
        "showlegend": part == "validation",
        "x": series.epoch.tolist(),
        "y": shortened(scale * series.mean),
        "line": {
            "color": look.colour,
            "width": 2,
            "dash": "solid" if part == "validation" else "dash",
        },
        "hovertemplate": f"epoch %{{x}}, {part}: %{{y:.4~f}}",
    }


def _band(arm: str, series: Curve, scale: float, look: Style) -> dict[str, Any]:
    red, green, blue = (int(look.colour[i : i + 2], 16) for i in (1, 3, 5))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": html.escape(arm),
        "legendgroup": html.escape(arm),
        "showlegend": False,
        "hoverinfo": "skip",
        "x": [*series.epoch.tolist(), *series.epoch[::-1].tolist()],
        "y": shortened(scale * np.concatenate([series.high, series.low[::-1]])),
        "fill": "toself",
        "fillcolor": f"rgba({red},{green},{blue},0.2)",
        "line": {"width": 0},
    }


def bars(intervals: Sequence[Interval], look: Style, **drawn: float) -> dict[str, Any]:
    """Error bars of points at the intervals' means; none where an interval has no end.

    Example:
      >>> bars([Interval(2.0, 1.5, 3.0)], Style("#0072B2", "o", "circle"))["array"]
      [1.0]
    """
    above = [found.high - found.mean for found in intervals]
    below = [found.mean - found.low for found in intervals]
    return {
        "type": "data",
        "symmetric": False,
        "array": shortened(np.nan_to_num(above)),
        "arrayminus": shortened(np.nan_to_num(below)),
        "color": look.colour,
        **drawn,
    }


def title(text: str) -> dict[str, Any]:
    """An axis title close to its axis, clear of the legend on a phone.

    Example:
      >>> title("epoch")
      {'text': 'epoch', 'standoff': 4}
    """
    return {"text": text, "standoff": 4}


def layout(**options: Any) -> dict[str, Any]:
    """What all charts share; the legend lies below, where a phone has room.

    Example:
      >>> layout(height=420)["hovermode"]
      'closest'
    """
    return {
        "margin": {"l": 60, "r": 16, "t": 30, "b": 56},
        "hovermode": "closest",
        "legend": {"orientation": "h", "yanchor": "top", "y": -0.22, "x": 0},
        **options,
    }


def shortened(values: np.ndarray, digits: int = 4) -> list[float]:
    """Four decimals: more than any screen shows, a fifth of the bytes.

    Example:
      >>> shortened(np.array([1 / 3]))
      [0.3333]
    """
    return np.round(values.astype(float), digits).tolist()
