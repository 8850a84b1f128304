# SPDX-License-Identifier: Apache-2.0
"""Figures and files of an answer: what is drawn where, and nothing crashes early on."""

import csv
import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

import answers
from answers import made
from dropout_jax.config.errors import UserError
from dropout_jax.evaluation.comparison import ACCURACY, NLL
from dropout_jax.reports.answer.budget_figure import budget_figure, trial_values
from dropout_jax.reports.answer.cell import Cell, Tried, validation_of
from dropout_jax.reports.answer.differences_figure import differences_figure
from dropout_jax.reports.answer.judging import judge
from dropout_jax.reports.answer.strength_figure import strength_figure
from dropout_jax.reports.answer.write import write_answer
from dropout_jax.reports.figures import style
from dropout_jax.reports.palette import styles

WAITING = Cell("rnn_1000", 1000, 0.5, answers.METHODS, (1, 2), 10)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def lines_of(axes, color):
    return [line for line in axes.lines if line.get_color() == color]


def without(lost):
    return lambda final: final._replace(trial=None) if lost(final) else final


@pytest.fixture(scope="module")
def cell():
    effects = {
        ("dropout", "accuracy"): 0.9,
        ("gaussian dropout", "accuracy", 1): 0.9,
        ("gaussian dropout", "accuracy", 2): -0.3,
    }
    return made(effects=effects)


def test_differences_show_the_mean_both_intervals_and_each_search(cell):
    answer = judge([cell])
    with style():
        figure = differences_figure(answer)
    left, right = figure.axes
    blue = styles(answers.METHODS)["dropout"].colour
    found = next(r for r in answer.rows if r.method == "dropout").comparison
    thin, thick, mark = lines_of(left, blue)
    assert list(thin.get_xdata()) == [found.corrected.low, found.corrected.high]
    assert list(thick.get_xdata()) == [found.interval.low, found.interval.high]
    assert list(mark.get_xdata()) == [found.interval.mean]
    assert thin.get_linewidth() < thick.get_linewidth()
    digits = {
        t.get_text(): t.get_position()[0] for t in left.texts if t.get_color() == blue
    }
    assert digits == {str(s): of.mean for s, of in found.by_search.items()}
    assert "mlp_1000" in texts(left) and "mlp_1000" not in texts(right)


def test_only_a_gain_or_a_loss_has_a_filled_mark(cell):
    with style():
        left = differences_figure(judge([cell])).axes[0]
    looks = styles(answers.METHODS)
    filled = {
        method: lines_of(left, looks[method].colour)[-1].get_markerfacecolor()
        == looks[method].colour
        for method in answers.METHODS[1:]
    }
    assert filled == {
        "weight decay": False,
        "dropout": True,
        "gaussian dropout": False,  # the searches disagree
    }


def test_cells_are_marked_as_what_they_are(cell):
    part = made(
        "rnn_5000", change=lambda f: f._replace(trial=None) if f.seed == 1000 else f
    )
    declared = made("cnn_55000", descriptive=True)
    with style():
        figure = differences_figure(judge([cell, part, declared, WAITING]))
    shown = texts(figure.axes[0])
    assert {"mlp_1000", "rnn_5000 (unfinished)", "cnn_55000 (descriptive)"} <= set(
        shown
    )
    assert not any(text.startswith("rnn_1000") for text in shown)


def test_strength_curves_show_replicates_means_and_what_was_chosen(cell):
    with style():
        figure = strength_figure(cell)
    axes = figure.axes[1]  # accuracy of dropout
    assert axes.get_xscale() == "log"
    _, circles, line = axes.lines
    assert list(line.get_xdata()) == list(answers.GRID)
    assert len(circles.get_xdata()) == 3 * len(answers.GRID)
    at = answers.GRID.index(0.3)
    values = [
        validation_of(one.trial, ACCURACY)
        for one in cell.curve["accuracy"]
        if (one.method, one.strength) == ("dropout", 0.3)
    ]
    assert line.get_ydata()[at] == pytest.approx(np.mean(values))
    chosen = {text.get_text(): text.xy[0] for text in axes.texts}
    assert chosen == {"1": 0.3, "2": 0.125}


def test_each_panel_draws_the_runs_of_its_own_measure(cell):
    few = {"accuracy": cell.curve["accuracy"], "nll": cell.curve["nll"][::3]}
    with style():
        figure = strength_figure(dataclasses.replace(cell, curve=few))
    dropout = figure.axes[1], figure.axes[4]
    counts = [len(axes.lines[1].get_xdata()) for axes in dropout]
    assert counts == [3 * len(answers.GRID), len(answers.GRID)]


def test_the_expected_best_is_of_the_trials_of_each_search(cell):
    values = trial_values(cell, ACCURACY)
    assert values.keys() == set(itertools.product(answers.METHODS, (1, 2)))
    assert values["dropout", 1].size == 24 and values["none", 2].size == 4
    with style():
        left, _ = budget_figure(cell).axes
    gray = lines_of(left, styles(answers.METHODS)["none"].colour)[0]
    best = np.sort(values["none", 1])
    assert gray.get_ydata()[-1] == best[-1]
    assert gray.get_ydata()[0] == pytest.approx(best.mean())


def test_the_dash_of_each_search_is_in_the_legend(cell):
    with style():
        figure = budget_figure(cell)
        once = budget_figure(
            dataclasses.replace(
                cell, tried=tuple(t for t in cell.tried if t.search == 1)
            )
        )
    (legend,) = figure.legends
    dashes = {
        text.get_text(): line.get_linestyle()
        for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
    }
    drawn = [line.get_linestyle() for line in figure.axes[0].lines]
    assert dashes["search 1"] == drawn[0] == "-"
    assert dashes["search 2"] == drawn[-1] == "--"
    (legend,) = once.legends
    assert not any(t.get_text().startswith("search") for t in legend.get_texts())


def test_a_trial_is_a_mean_over_the_seeds_of_its_search():
    def tried(seed, accuracy, rate=0.001):
        run = answers.run("none", seed, accuracy, 0.4, tested=False)
        return Tried("none", 1, None, rate, seed, run)

    cell = dataclasses.replace(
        WAITING, tried=(tried(1, 80.0), tried(2, 82.0), tried(1, 85.0, 0.002))
    )
    assert trial_values(cell, ACCURACY)["none", 1] == pytest.approx([81.0, 85.0])


def test_a_trial_that_diverged_is_as_bad_as_the_worst_of_its_search():
    lost = answers.run("dropout", 1, 0, 0, status="diverged")
    runs = [answers.run("none", 1, 80.0 + n, 0.5 - n / 10) for n in range(2)]
    cell = dataclasses.replace(
        WAITING,
        tried=(
            Tried("none", 1, None, 0.001, 1, runs[0]),
            Tried("none", 1, None, 0.002, 1, runs[1]),
            Tried("dropout", 1, 0.1, 0.001, 1, lost),
        ),
    )
    assert trial_values(cell, ACCURACY)["dropout", 1] == pytest.approx([80.0])
    assert trial_values(cell, NLL)["dropout", 1] == pytest.approx([0.5])


def test_a_search_that_has_not_ended_is_left_out(cell):
    first = next(one for one in cell.tried if one.search == 1)
    tried = tuple(
        one._replace(trial=None) if one is first else one for one in cell.tried
    )
    values = trial_values(dataclasses.replace(cell, tried=tried), ACCURACY)
    assert {search for _, search in values} == {2}


def early():
    """Cells at every point of their course."""
    whole = made()
    lost = answers.run("x", 0, 0, 0, status="diverged")
    begun = {"finals": (), "choices": {}, "curve": {}, "tried": whole.tried[:1]}
    yield "nothing", WAITING
    yield "searches begun", dataclasses.replace(whole, **begun)
    yield "searched", dataclasses.replace(whole, finals=(), curve={})
    for count in (1, 2, 41, 60):
        known = {final[:4] for final in whole.finals[:count]}
        some = made(change=without(lambda final, known=known: final[:4] not in known))
        yield f"{count} final runs", some
    yield "all diverged", made(change=lambda f: f._replace(trial=lost))
    for measure in ("accuracy", "nll"):
        point = {measure: whole.curve[measure][3:4]}
        yield f"one curve point of {measure}", dataclasses.replace(whole, curve=point)
    yield "no baseline", made(change=without(lambda final: final.method == "none"))


@pytest.mark.parametrize("cell", [pytest.param(c, id=n) for n, c in early()])
def test_a_cell_at_any_point_is_written(cell, tmp_path):
    paths = write_answer([cell, made("mlp_5000", searched=False)], tmp_path)
    text = paths["answer.md"].read_text()
    assert f"## {cell.name}" in text and "## mlp_5000" in text
    assert not {"nan", "None"} & set(text.split())
    record = json.loads(paths["answer.json"].read_text())
    verdicts = {row["outcome"] for row in record["cells"][0]["rows"]}
    assert not {"gain", "loss"} & verdicts
    assert cell.finished or verdicts == {"baseline", "unfinished"}


def test_files_hold_every_number_unrounded(cell, tmp_path):
    paths = write_answer([cell], tmp_path)
    answer = judge([cell])
    with paths["answer.csv"].open(newline="") as file:
        lines = list(csv.DictReader(file))
    record = json.loads(paths["answer.json"].read_text())
    rows = record["cells"][0]["rows"]
    assert len(lines) == len(rows) == len(answer.rows) == 8
    for row, line, found in zip(answer.rows, lines, rows, strict=True):
        assert line["method"] == found["method"] == row.method
        assert [r["value"] for r in found["replicates"]] == list(row.values.values())
        if row.comparison:
            assert float(line["difference_mean"]) == row.comparison.interval.mean
            assert found["p_corrected"] == row.comparison.p_value
            assert float(line["difference_by_search_2_mean"]) == pytest.approx(
                np.mean(row.comparison.values[10:])
            )
            assert [r["difference"] for r in found["replicates"]] == list(
                row.comparison.values
            )


def test_the_same_cells_give_the_same_bytes_and_old_figures_go(cell, tmp_path):
    first = write_answer([cell], tmp_path)
    before = {name: path.read_bytes() for name, path in first.items()}
    (tmp_path / "strength_old.png").write_bytes(b"old")
    again = write_answer([cell], tmp_path)
    assert {name: path.read_bytes() for name, path in again.items()} == before
    assert not (tmp_path / "strength_old.png").exists()
    kinds = ("differences", "strength_mlp_1000", "trials_mlp_1000")
    assert {f"{k}.{e}" for k in kinds for e in ("png", "svg")} <= before.keys()


def test_of_a_page_only_the_part_between_the_markers_is_replaced(cell, tmp_path):
    page = tmp_path / "docs" / "answer.md"
    page.parent.mkdir()
    page.write_text("# Mine\n\n<!-- answer -->\nbefore\n<!-- /answer -->\n\nAfter.\n")
    write_answer([cell], tmp_path / "docs" / "results", document=page, command="c")
    text = page.read_text()
    assert text.startswith("# Mine\n\n<!-- answer -->\nWritten by `c`.")
    assert text.endswith("<!-- /answer -->\n\nAfter.\n") and "before\n" not in text
    assert "](results/differences.png)" in text


@pytest.mark.parametrize("text", ["", "<!-- answer -->", "<!-- /answer -->"])
def test_a_page_without_its_markers_is_refused_and_left_alone(text, cell, tmp_path):
    page = tmp_path / "answer.md"
    page.write_text(text)
    with pytest.raises(UserError, match=r"lacks <!-- /?answer -->"):
        write_answer([cell], tmp_path / "out", document=page)
    assert page.read_text() == text and not (tmp_path / "out").exists()


def test_a_value_that_is_not_finite_is_no_validation_result():
    run = answers.run("none", 1, math.nan, math.inf, tested=False)
    assert math.isnan(validation_of(run, ACCURACY))
    assert math.isnan(validation_of(run, NLL))
