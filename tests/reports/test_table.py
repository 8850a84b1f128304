# SPDX-License-Identifier: Apache-2.0
"""The numbers of a table, the notes that go with them, and their renderings."""

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from dropout_jax.config.errors import UserError
from dropout_jax.reports import (
    TerminalTable,
    as_json,
    load_study,
    markdown,
    tabulate,
)

NONE = [90.0, 90.2, 89.9, 90.1]
BETTER = [90.5, 90.6, 90.4, 90.6]


def row(table, arm):
    return next(row for row in table.rows if row.arm == arm)


def printed(table, width):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(TerminalTable(table))
    return console.file.getvalue()


def test_rows_hold_percentages_with_t_intervals_and_paired_differences(study):
    table = tabulate(study(dropout=BETTER, none=NONE), search_budget={"none": 7})
    assert [row.arm for row in table.rows] == ["none", "dropout"]  # baseline first
    none, dropout = table.rows
    assert none.accuracies == tuple(NONE) and none.seeds == (0, 1, 2, 3)
    half = stats.t.ppf(0.975, 3) * stats.sem(NONE)
    expected = (np.mean(NONE), np.mean(NONE) - half, np.mean(NONE) + half)
    assert none.accuracy == pytest.approx(expected)
    assert none.difference is None and none.search_budget == 7
    difference = dropout.difference
    assert difference.values == (0.5, 0.4, 0.5, 0.5) and difference.p_value is None
    assert difference.interval.mean == pytest.approx(0.475)
    assert none.seconds == 27.5  # of 26, 27, 28 and the paused 900


def test_joint_intervals_are_wider_with_more_comparisons(study):
    two = tabulate(study(none=NONE, a=BETTER))
    four = tabulate(study(none=NONE, a=BETTER, b=NONE, c=NONE))
    assert row(two, "a").difference.joint == row(two, "a").difference.interval
    alone, among = row(two, "a").difference, row(four, "a").difference
    assert among.interval == alone.interval
    assert among.joint.low < alone.joint.low < alone.joint.high < among.joint.high


def test_a_diverged_run_is_counted_and_never_averaged(study):
    table = tabulate(study(none=NONE, dropout=[90.5, None, 90.4, 90.6]))
    found = row(table, "dropout")
    assert found.lost == {"diverged": 1} and found.seeds == (0, 2, 3)
    assert found.accuracy.mean == pytest.approx(90.5)
    # Paired with the same seeds of the baseline, not with all of them.
    assert found.difference.values == (0.5, 0.5, 0.5)
    notes = "\n".join(table.notes)
    assert "dropout: 1 run diverged, counted and not averaged" in notes
    assert "uses the 3 seeds that both have (dropout lacks 1)" in notes
    assert "3 (1 diverged)" in markdown(table)


def test_unequal_seeds_are_paired_where_both_have_one_and_it_is_said(study):
    table = tabulate(study(none=[90, 91, ..., ...], dropout=[..., 92, 93, 80]))
    found = row(table, "dropout")
    assert found.difference.seeds == (1,) and found.difference.values == (1.0,)
    assert math.isnan(found.difference.interval.low)
    notes = "\n".join(table.notes)
    assert "uses the 1 seed that both have" in notes
    assert "dropout lacks 0; none lacks 2, 3" in notes
    assert "A single seed has no interval" in notes


def test_no_shared_seed_gives_no_difference(study):
    table = tabulate(study(none=[90, 91, ...], dropout=[..., ..., 92]))
    assert row(table, "dropout").difference is None
    assert "dropout: shares no seed with none; no difference." in table.notes


def test_missing_methods_are_shown(study):
    table = tabulate(
        study(dropout=BETTER, extra=NONE), arms=["none", "dropout", "gaussian"]
    )
    arms = [row.arm for row in table.rows]
    assert arms == ["none", "dropout", "gaussian", "extra"]
    assert "gaussian: no run in the ledger." in table.notes
    assert "none has no results, so nothing can be paired." in table.notes
    assert all(row.difference is None for row in table.rows)
    assert "| gaussian | – | – | – | – | 0 | – |" in markdown(table)


def test_an_unknown_baseline_is_refused(study):
    with pytest.raises(UserError, match=r"'non' is no method .* choose one of none, a"):
        tabulate(study(none=NONE, a=NONE), baseline="non")


@pytest.mark.parametrize("n", [9, 10, 20])
def test_p_values_come_from_ten_pairs_adjusted_by_holm(ledger, n):
    table = tabulate(load_study(ledger(seeds=n)))
    found = [row.difference for row in table.rows[1:]]
    notes = "\n".join(table.notes)
    if n < 10:
        assert [d.p_value for d in found] == [None] * 4
        assert "No p-value is given under 10" in notes and "Holm" not in notes
        return
    assert "Holm-adjusted" in notes
    # Three clear effects at the smallest p-value, times the 4 comparisons made.
    assert sorted(d.p_value for d in found)[0] == pytest.approx(4 * 2 / 2**n)
    assert ("BCa" in notes) == (n == 20)
    low, high = found[1].interval.low, found[1].interval.high
    assert (abs(low + high - 2 * found[1].interval.mean) < 1e-9) == (n == 10)


def test_different_devices_are_mentioned(ledger, trial):
    lines = [trial("none", 0), trial("none", 1) | {"device": "gpu"}]
    assert (
        "different devices (gpu; synthetic cpu)"
        in tabulate(load_study(ledger(lines))).notes[-1]
    )


def test_markdown_is_one_grid_and_shows_names_as_they_are(ledger, trial):
    hostile = "a|b <script>*x* `y` [z](w) __v__ \\"
    text = markdown(tabulate(load_study(ledger([trial("none", 0), trial(hostile, 0)]))))
    grid = [line for line in text.splitlines() if line.startswith("|")]
    assert len(grid) == 4
    cells = [line.replace("\\\\", "").replace("\\|", "").count("|") for line in grid]
    assert cells == [8] * 4
    assert "<script>" not in text and "[z](w)" not in text and " *x*" not in text
    assert r"\_\_v\_\_" in text
    assert "weight_decay" in markdown(
        tabulate(
            load_study(ledger([trial("weight_decay", 0)])), baseline="weight_decay"
        )
    )


def test_columns_without_an_entry_are_left_out(study):
    runs = study(none=NONE, dropout=BETTER)
    bare = markdown(tabulate(runs))
    assert "search trials" not in bare and "published" not in bare
    printed_by_others = {"dropout": "89.7; *90*"}
    text = markdown(
        tabulate(runs, search_budget={"none": 7}, published=printed_by_others)
    )
    heading, _, none, dropout = (x for x in text.splitlines() if x.startswith("|"))
    assert heading.endswith("| seeds | search trials | published, % | median time |")
    assert none.split(" | ")[5:8] == ["4", "7", "–"]
    assert dropout.split(" | ")[5:8] == ["4", "–", r"89.7; \*90\*"]


def test_json_is_valid_without_nan_and_unrounded(study):
    found = json.loads(as_json(tabulate(study(none=[90.0], a=[90.5]))))
    assert found["rows"][1]["difference"]["interval"] == {
        "mean": 0.5,
        "low": None,
        "high": None,
    }
    assert found["rows"][1]["seeds"] == [0] and "‘a’" in found["verdict"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_table_breaks_no_number(ledger, width):
    table = tabulate(load_study(ledger(seeds=10)), search_budget={"none": 12})
    text = printed(table, width)
    assert max(len(line) for line in text.splitlines()) <= width
    interval = row(table, "dropout").accuracy
    for needed in (
        "variational_dropout",
        f"{interval.mean:.2f}",
        f"[{interval.low:.2f}, {interval.high:.2f}]",
        "(p = 0.0078)",
    ):
        assert needed in text
    assert ("median time" in text) == (width == 120)


def test_the_terminal_reads_no_markup_in_names(ledger, trial):
    text = printed(
        tabulate(load_study(ledger([trial("[red]x[/]", 0)])), baseline="[red]x[/]"), 120
    )
    assert "[red]x[/]" in text
