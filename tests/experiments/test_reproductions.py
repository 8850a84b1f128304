# SPDX-License-Identifier: Apache-2.0
"""Published results beside ours: read from what was run, judged by rule."""

import json

import pytest

from experiments import evidence, reproductions

RECORD = {
    "headings": ["what", "rate", "accuracy, %", "loss"],
    "rows": [["none", 0.1, "90.50 [90.10, 90.90]", 0.25], ["none", 0.3, "80.00", 0.5]],
    "checks": [{"name": "it: is", "holds": True}, {"name": "falls", "holds": False}],
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
    ("number", "within", "difference", "verdict"),
    [
        (90.2, 0.5, "+0.30 (allowed: 0.5)", "reproduced"),
        (90.2, 0.2, "+0.30 (allowed: 0.2)", "**not reproduced**"),
        (92.0, 2.0, "−1.50 (allowed: 2; outside our interval)", "reproduced"),
        (92.0, 1.0, "−1.50 (allowed: 1; outside our interval)", "**not reproduced**"),
    ],
)
def test_a_number_is_judged_by_its_distance(one, number, within, difference, verdict):
    row = {**ROW, "number": number, "within": within, "ours": [ACCURACY]}
    ours = "[E05](evidence/E05.md): (accuracy, %) none, 0.1: 90.50 [90.10, 90.90]"
    assert reproductions.line(row) == ["A", "B", ours, difference, verdict, "C"]


@pytest.mark.parametrize(
    ("check", "verdict"), [("it: is", "reproduced"), ("falls", "**not reproduced**")]
)
def test_a_statement_is_judged_by_its_check(one, check, verdict):
    others = [["E05", f"none | {rate}", "loss"] for rate in (0.1, 0.3)]
    row = {**ROW, "checks": ["E05: it: is", f"E05: {check}"]}
    row["ours"] = [ACCURACY, *others]
    found = reproductions.line(row)
    assert found[2].endswith(
        ": (accuracy, %) none, 0.1: 90.50 [90.10, 90.90]; "
        "(loss) none, 0.1: 0.25; none, 0.3: 0.5"
    )
    assert found[3:5] == ["–", verdict]


def test_what_is_not_run_is_not_judged(one):
    row = {**ROW, "checks": ["E06: falls"], "ours": [["E06", "a", "b"]]}
    found = reproductions.line(row)
    assert found[2:5] == ["E06", "–", "not run yet"]


def test_what_is_not_in_the_table_is_refused(one):
    assert reproductions.cell(["E05", "none | 0.3", "loss"]) == "0.5"
    with pytest.raises(
        ValueError, match=r"E05 has no row that begins with 'none \| 3'"
    ):
        reproductions.cell(["E05", "none | 3", "loss"])
    with pytest.raises(ValueError, match="not in list"):
        reproductions.cell(["E05", "none", "gain"])


def test_a_method_of_a_comparison():
    found = reproductions.cell(["results/compare_mlp.jsonl", "none"])
    path = evidence.ROOT / "results/compare_mlp.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    tests = [one["result"]["test"] for one in lines if one["arm"] == "none"]
    mean = 100 * sum(test["accuracy"] for test in tests) / len(tests)
    assert found.startswith(f"{mean:.2f} [")
    with pytest.raises(ValueError, match="has no method 'nothing'"):
        reproductions.cell(["results/compare_mlp.jsonl", "nothing"])


@pytest.mark.parametrize(
    ("better", "verdict"),
    [
        ([91.0, 92.1, 93.0], "reproduced"),
        ([90.0, 91.1, 91.9], "not told apart"),
        ([89.0, 90.1, 91.0], "**contradicted**"),
    ],
)
def test_an_order_is_judged_by_paired_differences(monkeypatch, better, verdict):
    known = {"a": dict(enumerate(better)), "b": {2: 92.0, 1: 91.0, 0: 90.0, 3: 0.0}}
    monkeypatch.setattr(reproductions, "accuracies", lambda _, method: known[method])
    row = {**ROW, "ranks": [["a.jsonl", "a", "b"]], "ours": [["a.jsonl", "a"]]}
    found = reproductions.line(row)
    assert found[4] == verdict
    mean = sum(better) / 3 - 91.0
    assert found[3].startswith(f"{mean:.2f} [".replace("-", "−"))
    row["ranks"] = [["a.jsonl", "a", "b"], ["a.jsonl", "b", "a"]]
    wanted = "not told apart" if verdict == "not told apart" else "**contradicted**"
    assert reproductions.line(row)[4] == wanted


def test_each_is_judged_by_one_rule_whose_parts_are_there():
    for row in reproductions.rows():
        rules = [name for name in ("number", "ranks", "checks") if name in row]
        assert len(rules) == 1 and ("within" in row) == ("number" in row), row
        for check in row.get("checks", ()):
            name, _, check_name = check.partition(": ")
            module = evidence.experiments()[name].replace(".", "/")
            source = (evidence.ROOT / f"{module}.py").read_text()
            assert f'"{check_name}": Check(' in source, check


def test_the_page_is_that_of_the_results(tmp_path):
    reproductions.main(tmp_path / "page.md")
    assert reproductions.PATH.read_text() == (tmp_path / "page.md").read_text()
