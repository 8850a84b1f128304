# SPDX-License-Identifier: Apache-2.0
"""Figures: the same bytes again, the right numbers in them, hostile names harmless."""

import struct
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest

from dropout_jax.reports import choose, load_study, tabulate
from dropout_jax.reports.captions import chart_captions, figure_captions
from dropout_jax.reports.curves import FEW, curve, pooled_bins
from dropout_jax.reports.figures import FIGURES, differences_figure, figures
from dropout_jax.reports.palette import COLOURS, FIXED, MARKS, styles, wrapped
from dropout_jax.reports.panels import MOST, curves_figure, with_panel


@pytest.fixture(scope="module")
def drawn(ledger, trial):
    """Figures of three methods, one with a name meant to break things."""
    arms = ("none", "dropout", "$x_{$ <b>&")
    study = load_study(ledger([trial(arm, seed) for arm in arms for seed in range(2)]))
    table = tabulate(study)
    return study, table, figures(study, table)


def test_every_figure_comes_as_png_and_svg(drawn):
    _, _, files = drawn
    no_knobs = {f"{n}.{kind}" for n in ("knobs", "grid") for kind in ("png", "svg")}
    assert files.keys() == FIGURES - no_knobs
    for name, content in files.items():
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG")
            width, _ = struct.unpack(">II", content[16:24])
            column = name in ("accuracy.png", "differences.png", "time.png")
            # 300 dots an inch: 3.4 inches, or the page's share of three panels.
            assert width == (1020 if column else int(300 * (0.6 + 6.4 * 3 / 5)))
        else:
            ElementTree.fromstring(content)


def test_equal_input_gives_equal_bytes_whatever_the_user_s_style(drawn):
    study, table, first = drawn
    with matplotlib.rc_context({"axes.facecolor": "yellow", "font.weight": 900}):
        before = dict(matplotlib.rcParams)
        assert figures(study, table) == first
        assert dict(matplotlib.rcParams) == before


def test_files_carry_no_time_and_no_address(drawn):
    for name, content in drawn[2].items():
        assert b"<dc:date>" not in content and b"tIME" not in content
        if name.endswith(".svg"):
            for element in ElementTree.fromstring(content).iter():
                for key, value in element.attrib.items():
                    assert not (key.endswith("href") and "//" in value)


def test_the_forest_shows_means_intervals_and_seeds(drawn):
    _, table, _ = drawn
    axes = differences_figure(table).axes[0]
    found = table.rows[1].comparisons["accuracy"]
    lines = [tuple(line.get_xdata()) for line in axes.lines]
    for interval in (found.interval, found.corrected):
        assert (interval.low, interval.high) in lines and (interval.mean,) in lines
    assert found.corrected.low < found.interval.low
    points = axes.collections[0].get_offsets()[:, 0]
    np.testing.assert_allclose(points, found.values)


def test_all_panels_of_a_kind_have_one_scale(drawn):
    study, table, _ = drawn
    axes = [a for a in curves_figure(study, table).axes if a.has_data()]
    limits = [a.get_ylim() for a in axes]
    per_kind = {limit for limit in limits}
    assert len(axes) > 2 and len(per_kind) == 2  # accuracy, and loss


def test_bins_of_a_handful_of_images_are_left_out(drawn):
    study, _, _ = drawn
    runs = list(study.done("none").values())
    counts = np.array([run.reliability["count"] for run in runs]).sum(0)
    assert 0 < np.sum((counts > 0) & (counts < FEW))
    assert len(pooled_bins(runs).share) == np.sum(counts >= FEW)


def test_a_method_looks_the_same_in_every_study():
    one = styles(["none", "dropout", "zoneout", "mine"])
    other = styles(["l2", "mine", "zoneout", "weight decay", "dropout"])
    for arm in ("dropout", "zoneout"):
        assert one[arm] == other[arm]
    many = styles(["none", *map(str, range(20)), *FIXED])
    assert len(set(many.values())) == len(many)


def test_a_name_over_a_panel_is_whole():
    assert wrapped("sparse variational dropout").replace("\n", " ") == (
        "sparse variational dropout"
    )


def test_studies_without_curves_or_intervals_are_still_drawn(ledger, trial):
    lines = [trial(arm, 0) | {"history": {}, "reliability": {}} for arm in "ab"]
    study = load_study(ledger(lines))
    files = figures(study, tabulate(study, baseline="a"))
    assert {name.split(".")[0] for name in files} == {"accuracy", "differences", "time"}
    nothing = load_study(ledger([trial("none", 0, "diverged")]))
    assert figures(nothing, tabulate(nothing)) == {}


def test_a_curve_is_the_mean_and_range_of_the_epochs_that_all_seeds_have(ledger, trial):
    lines = [trial("none", seed) for seed in range(3)]
    lines[2]["history"] = {k: v[:12] for k, v in lines[2]["history"].items()}
    lines[1]["history"]["validation_loss"][3] = float("nan")
    trials = load_study(ledger(lines)).trials
    found = curve(trials, "validation_loss")
    assert found.epoch.tolist() == [1, 2, 3, *range(5, 13)]
    third = [line["history"]["validation_loss"][2] for line in lines]
    assert (found.mean[2], found.low[2], found.high[2]) == pytest.approx(
        (np.mean(third), min(third), max(third))
    )
    assert curve(trials, "no_such_series") is None and curve([], "epoch") is None


def test_pooled_reliability_weighs_bins_by_their_examples(ledger, trial):
    lines = [trial("none", seed) for seed in range(2)]
    tables = ([0.2, 0.9], [0.1, 0.8], [0, 100]), ([0.3, 0.7], [0.3, 0.5], [0, 300])
    for line, columns in zip(lines, tables, strict=True):
        line["reliability"] = dict(
            zip(("confidence", "accuracy", "count"), columns, strict=True)
        )
    found = pooled_bins(load_study(ledger(lines)).trials)
    assert found.share.tolist() == [1.0]  # the empty bin is not drawn
    np.testing.assert_allclose(found.confidence, [(0.9 * 10 + 0.7 * 30) / 40])
    np.testing.assert_allclose(found.accuracy, [(0.8 * 10 + 0.5 * 30) / 40])
    lines[1]["reliability"] = {"confidence": [1], "accuracy": [1], "count": [1]}
    assert pooled_bins(load_study(ledger(lines)).trials) is None


def test_of_many_methods_the_best_on_validation_have_panels(ledger, trial):
    lines = []
    for number in range(MOST + 3):
        line = trial("none" if number == 1 else f"m{number}", 0)
        # The highest test accuracies are those of the lowest on validation.
        line["result"]["validation"] = {"accuracy": number / 100}
        line["result"]["test"] = {**line["result"]["test"], "accuracy": 1 - number / 99}
        lines.append(line)
    lines.append(trial("lost", 0, "diverged"))
    study = load_study(ledger(lines))
    table = tabulate(study)
    rows = [row.arm for row in with_panel(study, table)]
    assert rows == ["none", *(f"m{number}" for number in range(4, MOST + 3))]
    captions = {d.name: d.caption for d in figure_captions(choose(study), table)}
    for name in ("curves", "reliability"):
        told = f"Drawn are {MOST} of {MOST + 3} methods with results: the baseline, "
        assert f"{told}if it has any, and those of the highest" in captions[name]
    assert "Drawn" not in captions["accuracy"]
    charts = {d.name: d.caption for d in chart_captions(choose(study), table)}
    assert "Drawn" not in charts["reliability"]  # interactive, with all of them
    few = load_study(ledger(lines[:MOST]))
    assert len(with_panel(few, tabulate(few))) == MOST
    captions = {d.name: d.caption for d in figure_captions(choose(few), tabulate(few))}
    assert "Drawn" not in captions["curves"]


def contrast(one, other):
    """WCAG contrast ratio of two #rrggbb colours."""

    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(
            parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_looks_are_distinct_and_visible_on_both_backgrounds():
    looks = styles([f"m{number}" for number in range(1 + len(COLOURS))])
    assert len({look.colour for look in looks.values()}) == 1 + len(COLOURS)
    marks = [look.mark for look in styles([str(n) for n in range(len(MARKS))]).values()]
    assert len(set(marks)) == len(MARKS) > 10
    pairs = {look[:2] for look in styles([str(n) for n in range(67)]).values()}
    assert len(pairs) == 67  # the grey of the baseline is none of the colours
    for look in looks.values():
        assert contrast(look.colour, "#ffffff") > 2.2
        assert contrast(look.colour, "#14171b") > 3.0
