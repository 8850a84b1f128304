# SPDX-License-Identifier: Apache-2.0
"""The numbers of a table, the notes that go with them, and their renderings."""

import io
import itertools
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
from dropout_jax.reports.numbers import plain, signed
from wide import WIDTHS, check_at_every_width

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
    assert none.comparisons == {} and none.search_budget == 7
    found = dropout.comparisons["accuracy"]
    assert found.values == (0.5, 0.4, 0.5, 0.5) and found.p_value is None
    assert found.interval.mean == pytest.approx(0.475)
    assert none.seconds == 27.5  # of 26, 27, 28 and the paused 900


def test_corrected_intervals_are_wider_with_more_comparisons(study):
    two = tabulate(study(none=NONE, a=BETTER))
    four = tabulate(study(none=NONE, a=BETTER, b=NONE, c=NONE))
    alone, among = (row(t, "a").comparisons["accuracy"] for t in (two, four))
    assert alone.corrected == alone.interval == among.interval
    assert among.corrected.low < alone.corrected.low
    assert alone.corrected.high < among.corrected.high
    assert (two.family, four.family) == (1, 3)


def test_a_diverged_run_is_counted_and_never_averaged(study):
    table = tabulate(study(none=NONE, dropout=[90.5, None, 90.4, 90.6]))
    found = row(table, "dropout")
    assert found.unfinished == {"diverged": 1} and found.seeds == (0, 2, 3)
    assert found.accuracy.mean == pytest.approx(90.5)
    # Paired with the same seeds of the baseline, not with all of them.
    assert found.comparisons["accuracy"].values == (0.5, 0.5, 0.5)
    notes = "\n".join(table.notes)
    assert "dropout: 1 run diverged, counted and not averaged" in notes
    assert "uses the 3 seeds that both have (dropout lacks 1)" in notes
    assert "3 (1 diverged)" in markdown(table)


def test_unequal_seeds_are_paired_where_both_have_one_and_it_is_said(study):
    table = tabulate(study(none=[90, 91, ..., ...], dropout=[..., 92, 93, 80]))
    found = row(table, "dropout")
    compared = found.comparisons["accuracy"]
    assert compared.seeds == (1,) and compared.values == (1.0,)
    assert math.isnan(compared.interval.low)
    notes = "\n".join(table.notes)
    assert "uses the 1 seed that both have" in notes
    assert "dropout lacks 0; none lacks 2, 3" in notes


def test_no_shared_seed_gives_no_difference(study):
    table = tabulate(study(none=[90, 91, ...], dropout=[..., ..., 92]))
    assert row(table, "dropout").comparisons == {}
    assert "dropout: shares no seed with none; not compared." in table.notes


def test_missing_methods_are_shown(study):
    table = tabulate(
        study(dropout=BETTER, extra=NONE), arms=["none", "dropout", "gaussian"]
    )
    arms = [row.arm for row in table.rows]
    assert arms == ["none", "dropout", "gaussian", "extra"]
    assert "gaussian: no run in the ledger." in table.notes
    assert "none has no results, so nothing can be paired." in table.notes
    assert all(row.comparisons == {} for row in table.rows)
    assert "| gaussian | – |\n" in markdown(table)


def test_an_unknown_baseline_is_refused(study):
    with pytest.raises(UserError, match=r"'non' is no method .* choose one of none, a"):
        tabulate(study(none=NONE, a=NONE), baseline="non")


@pytest.mark.parametrize("n", [9, 10, 20])
def test_p_values_come_from_ten_pairs_corrected_by_holm(ledger, n):
    table = tabulate(load_study(ledger(seeds=n)))
    found = [row.comparisons["accuracy"] for row in table.rows[1:]]
    notes = "\n".join(table.notes)
    if n < 10:
        assert [one.p_value for one in found] == [None] * 4
        assert "Such a comparison is not tested" in notes and "Holm" not in notes
        return
    assert "corrected by Holm for 4 comparisons" in notes
    # Three clear effects at the smallest p-value, times the 4 comparisons made.
    assert sorted(one.p_value for one in found)[0] == pytest.approx(4 * 2 / 2**n)
    assert "BCa" not in notes and "t intervals" in notes
    for one in found:
        assert one.interval.low + one.interval.high == pytest.approx(
            2 * one.interval.mean
        )


def scored(trial, arm, seed, *, accuracy, least):
    """A line of today's form: NLL `accuracy` and `least` with the two sets."""
    line = trial(arm, seed) | {"format": 2}
    line["result"]["test"]["nll"] = accuracy
    kept = {"epoch": 17, "validation": {}, "test": line["result"]["test"]}
    other = {**kept, "epoch": 9, "test": {**kept["test"], "nll": least, "ece": 0.5}}
    line["sets"] = {"best_accuracy": kept, "least_nll": other, "last": kept}
    return line


def test_nll_is_judged_at_the_least_validation_nll(ledger, trial):
    lines = [scored(trial, "none", s, accuracy=0.75, least=0.44) for s in range(10)]
    lines += [scored(trial, "b", s, accuracy=0.44, least=0.42) for s in range(10)]
    table = tabulate(load_study(ledger(lines)))
    found = row(table, "b").comparisons["nll"]
    assert found.interval.mean == pytest.approx(-0.02) and found.better
    assert row(table, "none").nll.mean == pytest.approx(0.44)
    assert row(table, "none").ece.mean == 0.5  # of the same parameters
    assert table.family == 2
    text = markdown(table)
    assert "NLL, parameters of the epoch of the least validation NLL" in text
    assert "accuracy, parameters of the epoch of the best validation accuracy" in text
    assert "significantly lower, which is better, with ‘b’ (−0.0200 nats" in text


def test_a_ledger_of_one_set_makes_no_statement_on_nll(ledger, trial):
    lines = [scored(trial, "none", s, accuracy=0.75, least=0.44) for s in range(10)]
    lines += [scored(trial, "b", s, accuracy=0.44, least=0.42) for s in range(10)]
    del lines[-1]["sets"], lines[-1]["format"]  # one older run is enough
    table = tabulate(load_study(ledger(lines)))
    assert "nll" not in row(table, "b").comparisons and table.family == 1
    assert "No statement is made on NLL." in markdown(table)
    assert any("no statement is made on NLL" in note for note in table.notes)


def test_the_noise_that_runs_ended_with_is_shown(ledger, trial):
    lines = [trial("none", 0)]
    for seed, log_alpha in ((0, -9.0), (1, -8.0)):
        line = trial("variational", seed)
        line["config"]["noise"] = {"kind": "variational_dropout"}
        line["noise"] = {"noise_hidden_0/noise_log_alpha": log_alpha}
        lines.append(line)
    # One site without noise among two is no method without noise.
    half = trial("half", 0)
    half["config"]["noise"] = {"kind": "concrete_dropout"}
    half["noise"] = {"noise_a/noise_logit_rate": -9.0, "noise_b/noise_logit_rate": 0.0}
    lines.append(half)
    sparse = trial("sparse", 0)
    sparse["config"]["noise"] = {"kind": "variational_dense"}
    sparse["result"]["sparsity"] = {"dense_0": 0.25}
    fixed = trial("fixed", 0)
    fixed["config"]["noise"] = {"kind": "dropout", "rates": [0.3], "input_rate": 0.1}
    table = tabulate(load_study(ledger([*lines, sparse, fixed])))
    text = markdown(table)
    expected = (math.exp(-9) + math.exp(-8)) / 2
    assert row(table, "variational").noise[0].value == pytest.approx(expected)
    assert "| alpha: hidden_0 0.00023 |" in text
    assert (
        "| removed at the kept epoch: dense_0 0.25 |" in text
        and "| rate: input 0.1, 0.3 |" in text
    )
    silent = [note for note in table.notes if "without noise in effect" in note]
    assert silent == [
        "variational: without noise in effect, alpha ended below 0.01 at every site of "
        "every run (geometric mean over the units of a site)."
    ]


def test_withdrawn_runs_are_counted_with_their_reason_and_not_averaged(ledger, trial):
    lines = [trial(arm, seed) for arm in ("none", "a") for seed in range(3)]
    lines[-1]["withdrawn"] = "its KL was counted once per channel"
    table = tabulate(load_study(ledger(lines)))
    assert row(table, "a").unfinished == {"withdrawn": 1}
    assert row(table, "a").seeds == (0, 1)
    assert "Withdrawn: its KL was counted once per channel." in table.notes
    # Run again, the new line counts.
    again = trial("a", 2)
    table = tabulate(load_study(ledger([*lines, again])))
    assert row(table, "a").unfinished == {} and row(table, "a").seeds == (0, 1, 2)
    assert not any("counted once, by its first line" in note for note in table.notes)


def test_markdown_shows_names_as_they_are(ledger, trial):
    hostile = "a|b <script>*x* `y` [z](w) __v__ \\"
    text = markdown(tabulate(load_study(ledger([trial("none", 0), trial(hostile, 0)]))))
    grids = [line for line in text.splitlines() if line.startswith("|")]
    assert len(grids) == 2 * 4
    cells = [line.replace("\\\\", "").replace("\\|", "").count("|") for line in grids]
    assert cells == [6] * 4 + [8] * 4
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
    heading, _, none, dropout = [x for x in text.splitlines() if x.startswith("|")][4:]
    assert heading.endswith("| seeds | search trials | published, % | median time |")
    assert none.split(" | ")[5:8] == ["4", "7", "–"]
    assert dropout.split(" | ")[5:8] == ["4", "–", r"89.7; \*90\*"]


def test_json_is_valid_without_nan_and_unrounded(study):
    found = json.loads(as_json(tabulate(study(none=[90.0], a=[90.5]))))
    compared = found["rows"][1]["comparisons"]["accuracy"]
    assert compared["interval"] == {"mean": 0.5, "low": None, "high": None}
    assert compared["outcome"] == "descriptive"
    assert found["rows"][1]["seeds"] == [0] and "‘a’" in found["verdict"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_terminal_table_breaks_no_number(ledger, width):
    table = tabulate(load_study(ledger(seeds=10)), search_budget={"none": 12})
    text = printed(table, width)
    assert max(len(line) for line in text.splitlines()) <= width
    interval = row(table, "dropout").accuracy
    for needed in (
        "variational_dropout",
        f"{interval.mean:.2f}",
        f"[{interval.low:.2f}, {interval.high:.2f}]",
        "p = 0.0078",
    ):
        assert needed in text
    check_at_every_width(TerminalTable(table))


def test_the_terminal_reads_no_markup_in_names(ledger, trial):
    text = printed(
        tabulate(load_study(ledger([trial("[red]x[/]", 0)])), baseline="[red]x[/]"), 120
    )
    assert "[red]x[/]" in text


@pytest.mark.parametrize("value", [-0.004, 0.0, 0.004])
def test_what_rounds_to_zero_has_no_sign(value):
    assert plain(value) == signed(value) == "0.00"
    assert plain(-0.006) == signed(-0.006) == "−0.01" and signed(0.006) == "+0.01"


@pytest.mark.parametrize("epoch", [19, 20])
def test_runs_that_ended_while_rising_are_told(ledger, trial, epoch):
    lines = [trial(arm, seed) for arm in ("none", "a") for seed in range(2)]
    for line in lines:
        line["result"]["best_epoch"] = epoch
        line["config"]["train"] = {"epochs": 20}
    notes = tabulate(load_study(ledger(lines))).notes
    told = [note for note in notes if "longer training" in note]
    assert told == [
        "In 4 of 4 runs the epoch of the best validation accuracy is the last one: "
        "longer training may change every number here."
    ] * (epoch == 20)


def test_ties_are_counted_whatever_float32_made_of_them(ledger, trial):
    """Accuracies of a ledger are float32: equal differences are not equal there."""
    none = [8911, 8906, 8906, 8897, 8912, 8889, 8902, 8907, 8911, 8901]
    drop = [8912, 8906, 8907, 8899, 8918, 8897, 8899, 8916, 8914, 8902]
    lines = []
    for arm, counts in (("none", none), ("drop", drop)):
        for seed, right in enumerate(counts):
            line = trial(arm, seed)
            line["result"]["test_count"] = 10_000
            accuracy = float(np.float32(right / 10_000))
            line["result"]["test"] = line["result"]["test"] | {"accuracy": accuracy}
            lines.append(line)
    found = row(tabulate(load_study(ledger(lines))), "drop").comparisons["accuracy"]
    exact = [d - n for d, n in zip(drop, none, strict=True)]
    signs = itertools.product((1, -1), repeat=10)
    sums = [abs(sum(s * d for s, d in zip(of, exact, strict=True))) for of in signs]
    expected = sum(total >= abs(sum(exact)) for total in sums) / 2**10
    assert found.p_value == expected > 0.05


@pytest.mark.parametrize(
    ("noise", "text"),
    [
        (
            {"kind": "dropout", "rates": [0.5], "schedule": "early"},
            "before its schedule",
        ),
        ({"kind": "drop_path", "rates": [0.5]}, "rate, rising to: 0.5"),
        ({"kind": "zoneout", "rates": [0.5]}, "rate of keeping the state: 0.5"),
    ],
)
def test_a_rate_that_is_not_that_of_the_end_is_named(ledger, trial, noise, text):
    line = trial("a", 0)
    line["config"]["noise"] = noise
    assert text in markdown(tabulate(load_study(ledger([line])), baseline="a"))


def test_one_run_with_noise_is_no_method_without(ledger, trial):
    lines = []
    for seed, log_alpha in enumerate([-8.0, -8.0, -8.0, -8.0, -3.2]):
        line = trial("v", seed)
        line["config"]["noise"] = {"kind": "variational_dropout"}
        line["noise"] = {"noise_hidden_0/noise_log_alpha": log_alpha}
        lines.append(line)
    table = tabulate(load_study(ledger(lines)), baseline="v")
    assert row(table, "v").noise[0].value < 0.01
    assert not any("without noise" in note for note in table.notes)
