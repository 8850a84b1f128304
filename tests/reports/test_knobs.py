# SPDX-License-Identifier: Apache-2.0
"""Curves along knobs and grids over two: validation alone, the others as chosen."""

import numpy as np
import pytest

from dropout_jax.evaluation.sensitivity import sensitivity
from dropout_jax.reports import choose, load_study, tabulate
from dropout_jax.reports.captions import figure_captions
from dropout_jax.reports.figures import figures
from dropout_jax.reports.knob_charts import knob_charts
from dropout_jax.reports.knob_figures import grid_figure, knobs_figure
from dropout_jax.reports.knobs import axis, curves, grids
from dropout_jax.reports.settings import sensitivity_notes
from dropout_jax.reports.time_figure import costs, time_figure

RATES, DECAY = "noise.rates", "regularizer.weight_decay"
MEANS = {(0.1, 0.0): 89, (0.2, 0.0): 90, (0.5, 0.0): 88}
MEANS |= {(0.1, 0.1): 89.5, (0.2, 0.1): 91, (0.5, 0.1): 87}


@pytest.fixture(scope="module")
def selection(ledger, trial):
    lines = [trial("none", seed) for seed in range(3)]
    for (rate, decay), mean in MEANS.items():
        for seed in range(3):
            if (rate, decay) == (0.5, 0.1):
                continue
            line = trial("dropout", seed)
            line["config"]["noise"] = {"kind": "dropout", "rates": [rate]}
            line["config"]["regularizer"] = {"weight_decay": decay}
            line["result"]["validation"] = {"accuracy": (mean + seed / 10) / 100}
            line["result"]["test"] = line["result"]["test"] | {"accuracy": 0.5}
            lines.append(line)
    return choose(load_study(ledger(lines), knobs=(RATES, DECAY)))


@pytest.fixture(scope="module")
def table(selection):
    return tabulate(selection.study)


def test_a_curve_runs_through_the_chosen_setting(selection):
    assert selection.chosen["dropout"].setting == {RATES: (0.2,), DECAY: 0.1}
    (rates,), (decays,) = curves(selection).values()
    assert [point.setting[RATES] for point in rates.points] == [(0.1,), (0.2,)]
    assert {point.setting[DECAY] for point in rates.points} == {0.1}
    assert [point.mean.mean for point in decays.points] == pytest.approx([90.1, 91.1])
    assert rates.chosen == (0.2,) and decays.chosen == 0.1
    values = [[89.5, 89.6, 89.7], [91.0, 91.1, 91.2]]
    assert rates.moves == pytest.approx(sensitivity(values))


def test_a_grid_holds_every_cell_and_leaves_out_what_was_not_run(selection):
    (grid,) = grids(selection)
    assert grid.columns == ((0.1,), (0.2,), (0.5,)) and grid.lines == (0.0, 0.1)
    expected = [[89.1, 90.1, 88.1], [89.6, 91.1, np.nan]]
    np.testing.assert_allclose(grid.means, expected)
    assert grid.seeds.tolist() == [[3, 3, 3], [3, 3, 0]]
    assert grid.chosen == (1, 1)


def test_the_figures_show_validation_with_bands_and_the_choice(selection, table):
    figure = knobs_figure(selection, table)
    rates, decays = figure.axes
    assert rates.get_xlabel() == "rate (probability of dropping)"
    assert decays.get_xlabel().startswith("weight decay (per step")
    assert rates.get_ylabel() == "validation accuracy (%)"
    line = rates.lines[0]
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.2])
    np.testing.assert_allclose(line.get_ydata(), [89.6, 91.1])
    ring = rates.lines[1]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == pytest.approx((0.2, 91.1))
    band = rates.collections[0].get_paths()[0].vertices[:, 1]
    mean = selection.chosen["dropout"].mean
    assert band.max() == pytest.approx(mean.high)
    # 50 %, the test accuracy of every run, is nowhere.
    assert all(np.min(li.get_ydata()) > 80 for axes in figure.axes for li in axes.lines)


def test_the_heat_map_writes_every_number_and_frames_the_choice(selection, table):
    axes = grid_figure(selection, table).axes[0]
    assert {text.get_text() for text in axes.texts} == {
        "89.10",
        "90.10",
        "88.10",
        "89.60",
        "91.10",
    }
    hatched = [patch for patch in axes.patches if patch.get_hatch()]
    assert [patch.get_xy() for patch in hatched] == [(1.5, 0.5)]
    assert (0.5, 0.5) in [patch.get_xy() for patch in axes.patches]


def test_captions_state_seeds_and_intervals(selection, table):
    captions = {d.name: d.caption for d in figure_captions(selection, table)}
    assert captions["knobs"].startswith("3 seeds per setting; band: 95 % t interval")
    assert "95 % Tukey interval" in captions["knobs"]
    assert "Mean over 0 to 3 seeds per cell" in captions["grid"]
    for name in ("accuracy", "differences", "time"):
        assert "3 " in captions[name] and "95 % t interval" in captions[name]


def test_sensitivity_is_told_in_words(selection):
    rates, decays = sensitivity_notes(selection)
    assert rates == (
        "dropout: over 2 values of rate (probability of dropping) mean validation "
        "accuracy moves by 1.50 [1.50, 1.50] points (95 % Tukey interval)."
    )
    assert "1.00" in decays


def test_figures_and_charts_come_with_the_data_for_them(selection, table):
    assert set(knob_charts(selection, table)) == {"knob_0", "knob_1", "grid_0"}
    names = {name.split(".")[0] for name in figures(selection.study, table)}
    assert {"knobs", "grid"}.isdisjoint(names) and "time" in names
    bare = choose(selection.study)
    assert knobs_figure(bare, table) is None and grid_figure(bare, table) is None


def test_wall_time_is_the_median_with_quartiles(selection, table):
    none, _ = costs(selection.study, table)
    assert none.median == pytest.approx(27 / 60)  # of 26, 27 and 28 seconds
    assert (none.low, none.high) == pytest.approx((26.5 / 60, 27.5 / 60))
    axes = time_figure(selection.study, table).axes[0]
    assert axes.get_xlabel() == "wall time of a run (minutes)"


def test_places_of_values():
    assert axis([(0.5,), (0.1,), (0.1,)]).places == {(0.1,): 0.1, (0.5,): 0.5}
    spread = axis([1.0, 0.0, 1e-3])
    assert spread.places == {0.0: 0.0, 1e-3: 1.0, 1.0: 2.0}
    assert spread.labels == {0.0: "0", 1.0: "0.001", 2.0: "1"}
    mixed = axis([(0.2, 0.5), (0.1,), "exact"])
    assert list(mixed.labels.values()) == ["0.1", "0.2, 0.5", "exact"]


def test_an_axis_has_one_quantity(ledger, trial):
    """The standard deviation of added noise is no probability."""
    lines = []
    for kind in ("dropout", "gaussian_noise", "zoneout"):
        for rate in (0.1, 0.2):
            line = trial(kind, 0)
            line["config"]["noise"] = {"kind": kind, "rates": [rate]}
            lines.append(line)
    found = curves(choose(load_study(ledger(lines), knobs=(RATES,))))
    assert {name: [line.arm for line in of] for name, of in found.items()} == {
        "rate (probability of dropping)": ["dropout"],
        "standard deviation": ["gaussian_noise"],
        "rate (probability of keeping the state)": ["zoneout"],
    }
