# SPDX-License-Identifier: Apache-2.0
"""Experiments: their rules decide, what they find is kept as it was found."""

import datetime
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

from dropout_jax.config import UserError
from dropout_jax.config.guard import guarded
from experiments import evidence, run
from experiments.checks import Identity, Measurement
from experiments.comparisons import Difference, judged
from experiments.experiment import Experiment, Findings
from experiments.over_seeds import LOWER, OverSeeds


def made(value=0.5):
    """An experiment that takes no time."""

    def find(quick):
        checks = {
            "half": Identity("it is about a half", value, low=0.4, high=0.6),
            "any": Identity("it is something | anything", value),
        }
        rows = [["quick" if quick else "whole", value]]
        return Findings(checks, ["how", "value"], rows, Figure(), "One number.")

    return Experiment("E99", "Is it a half?", "Looking.", "None.", "A half.", find)


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    return tmp_path


def test_what_was_found_is_kept(places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "load", lambda name: made())
        assert run.main(["E99"]) == 0
    record = evidence.found("E99")
    assert record == json.loads((places / "results/evidence/E99.json").read_text())
    assert [check["holds"] for check in record["checks"]] == [True, True]
    assert record["checks"][1]["low"] is None and record["rows"] == [["whole", 0.5]]
    page = (places / "docs/evidence/E99.md").read_text()
    assert page.startswith("# E99: Is it a half?\n")
    row = "| half: it is about a half | identity | 0.5 | from 0.4 to 0.6 | holds |"
    assert row in page
    assert f"None. Took {record['seconds']:g} s." in page
    record["trainings"] = {"count": 1_200, "seconds": 5_400}
    spent = "None. 1,200 trainings took 5,400 s in all"
    assert spent in evidence.page(record)
    assert "python -m experiments.run E99" in page
    assert (places / "docs/evidence/E99.png").read_bytes()[:4] == b"\x89PNG"


def test_what_does_not_hold_is_said_and_kept(places, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "load", lambda name: made(math.inf))
        assert run.main(["E99"]) == 1
    said = capsys.readouterr().out
    assert "does not hold: half\n" in said
    assert "identity: not finite (from 0.4 to 0.6)" in said
    record = evidence.found("E99")
    assert record["checks"][0]["holds"] is False
    assert record["checks"][0]["value"] is None


def test_in_quick_form_some_checks_are_not_decided(places, capsys):
    one = made(math.inf)
    only_full = Measurement("it is about a half", 7.0, high=0.6, full=True)
    findings = one.run(True)
    findings = replace(findings, checks={"half": only_full})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            evidence, "load", lambda name: replace(one, run=lambda _: findings)
        )
        assert run.main(["E99", "--quick"]) == 0
        assert run.main(["E99"]) == 1
    said = capsys.readouterr().out
    assert "not decided: half\n" in said and "does not hold: half\n" in said


@pytest.mark.parametrize(
    ("pairs", "word", "code"),
    [(9, "not seen in 9 seeds", 0), (10, "the opposite is shown", 1)],
)
def test_a_description_decides_nothing(places, capsys, pairs, word, code):
    """Nine seeds that are all higher, where lower was expected; then ten."""
    gain = judged({"a": Difference([1.0 + n for n in range(pairs)])})["a"]
    findings = replace(
        made().run(False), checks={"lower": OverSeeds("it is", (gain,), LOWER)}
    )
    with pytest.MonkeyPatch.context() as patch:
        one = replace(made(), run=lambda _: findings)
        patch.setattr(evidence, "load", lambda name: one)
        assert run.main(["E99"]) == code
    assert f"  {word}: lower\n" in capsys.readouterr().out
    [record] = evidence.found("E99")["checks"]
    assert record["verdict"] == word and record["decided"] == bool(code)
    [comparison] = record["comparisons"]
    assert len(comparison["values"]) == pairs and comparison["family"] == 1
    page = (places / "docs/evidence/E99.md").read_text()
    assert ("under 10 paired seeds" in page) == (not code)
    assert "one split, one test set" in page and "comparisons made: 1." in page


def test_within_a_week_every_experiment_has_its_day(monkeypatch):
    days = [datetime.date(2026, 1, 1 + n) for n in range(run.DAYS)]
    found = []
    for day in days:
        monkeypatch.setattr(
            run.datetime, "date", SimpleNamespace(today=lambda day=day: day)
        )
        found += run.chosen(["today"])
    assert sorted(found) == list(evidence.experiments())


def test_a_quick_run_publishes_nothing(places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "load", lambda name: made())
        assert run.main(["E99", "--quick"]) == 0
    assert evidence.found("E99") is None
    assert evidence.found("E99", quick=True)["rows"] == [["quick", 0.5]]
    assert [path.name for path in places.iterdir()] == ["build"]


def test_every_experiment_says_what_it_asks():
    known = evidence.experiments()
    assert known
    for name in known:
        one = evidence.load(name)
        assert one.id == name and one.question.endswith("?")
        assert all([one.protocol, one.budget, one.expected])


def test_an_unknown_one_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"no experiment 'E98'; there are .*E05.*all"):
        evidence.load("E98")


@pytest.mark.parametrize("arguments", [["E05", "--quik"], [], ["E98"]])
def test_bad_flags_are_one_line(arguments, capsys):
    assert guarded(lambda: run.main(arguments)) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and said.err.count("\n") == 1
