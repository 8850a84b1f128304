# SPDX-License-Identifier: Apache-2.0
"""Published results beside ours: read from what was run, judged by rule."""

import numpy as np
import pytest

from experiments import evidence, reproductions

RECORD = {
    "headings": ["what", "rate", "accuracy, %", "loss"],
    "rows": [["none", 0.1, "90.50 [90.10, 90.90]", 0.25], ["none", 0.3, "80.00", 0.5]],
    "checks": [
        {"name": "it: is", "verdict": "holds"},
        {"name": "falls", "verdict": "seen in 3 of 5 seeds"},
    ],
}
ROW = {"source": "A", "says": "B", "differs": "C"}
ACCURACY = ["E05", "none | 0.1", "accuracy, %"]


@pytest.fixture
def one(monkeypatch):
    """One experiment has run."""
    monkeypatch.setattr(
        evidence, "found", lambda name, **_: RECORD if name == "E05" else None
    )


@pytest.mark.parametrize(
    ("number", "difference"),
    [(90.2, "+0.30 [−0.10, +0.70]"), (92.0, "−1.50 [−1.90, −1.10]")],
)
def test_a_number_has_no_verdict(one, number, difference):
    """However near: the data differ, and no margin was set beforehand."""
    row = {**ROW, "number": number, "ours": [ACCURACY], "earlier": "reproduced"}
    ours = "[E05](evidence/E05.md): (accuracy, %) none, 0.1: 90.50 [90.10, 90.90]"
    found = reproductions.line(row, {})
    assert found[:4] == ["A", "B", ours, difference]
    assert found[4].startswith("no verdict") and found[5:] == ["reproduced", "C"]


def test_a_number_without_an_interval():
    assert reproductions.shifted("80.00", 80.5) == "−0.50"


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        (["E05: falls"], "seen in 3 of 5 seeds"),
        (["E05: it: is", "E05: falls"], "it: is: holds; falls: seen in 3 of 5 seeds"),
    ],
)
def test_a_statement_has_the_verdicts_of_its_checks(one, checks, verdict):
    others = [["E05", f"none | {rate}", "loss"] for rate in (0.1, 0.3)]
    row = {**ROW, "checks": checks, "ours": [ACCURACY, *others]}
    found = reproductions.line(row, {})
    assert found[2].endswith(
        ": (accuracy, %) none, 0.1: 90.50 [90.10, 90.90]; "
        "(loss) none, 0.1: 0.25; none, 0.3: 0.5"
    )
    assert found[3:6] == ["–", verdict, "–"]


def test_what_is_not_run_is_not_judged(one):
    row = {**ROW, "checks": ["E06: falls"], "ours": [["E06", "a", "b"]]}
    found = reproductions.line(row, {})
    assert found[2:5] == ["E06", "–", "not run yet"]


def test_what_is_not_in_the_table_is_refused(one):
    assert reproductions.cell(["E05", "none | 0.3", "loss"]) == "0.5"
    with pytest.raises(
        ValueError, match=r"E05 has no row that begins with 'none \| 3'"
    ):
        reproductions.cell(["E05", "none | 3", "loss"])
    with pytest.raises(ValueError, match="not in list"):
        reproductions.cell(["E05", "none", "gain"])


def order(monkeypatch, better, seeds):
    """A row of one order, and the comparisons of its page, of so many seeds."""
    values = np.linspace(-0.2, 0.2, seeds)
    known = {
        "a": {seed: 90.0 + better + values[seed] for seed in range(seeds)},
        "b": {**dict.fromkeys(range(seeds), 90.0), seeds: 0.0},
    }
    monkeypatch.setattr(reproductions, "accuracies", lambda _, method: known[method])
    row = {**ROW, "ranks": [["a.jsonl", "a", "b"]], "ours": [["a.jsonl", "a"]]}
    return row, reproductions.compared([row])


@pytest.mark.parametrize(
    ("seeds", "better", "verdict"),
    [
        (5, 1.0, "seen in 5 of 5 seeds"),
        (5, 0.0, "seen in 2 of 5 seeds"),
        (5, -1.0, "not seen in 5 seeds"),
        (10, 1.0, "shown"),
        (10, 0.0, "not shown"),
        (10, -1.0, "the opposite is shown"),
    ],
)
def test_an_order_is_judged_by_the_rule_of_all(monkeypatch, seeds, better, verdict):
    row, orders = order(monkeypatch, better, seeds)
    found = reproductions.line(row, orders)
    assert found[4] == verdict
    assert found[3].startswith(
        f"{better:+.2f} [".replace("-", "−").replace("+0.", "0.")
    )
