# SPDX-License-Identifier: Apache-2.0
"""Reading a ledger: what is accepted, and what is refused in one line."""

import json
import math

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.reports import load_study
from dropout_jax.reports.fields import differing_fields


def test_a_study_keeps_the_order_of_methods_and_sorts_seeds(ledger, trial):
    study = load_study(ledger([trial("b", 2), trial("a", 1), trial("b", 0)]))
    assert study.name == "synthetic" and study.arms == ("b", "a")
    assert [(t.arm, t.seed) for t in study.trials] == [("b", 0), ("b", 2), ("a", 1)]
    first = study.done("b")[2]
    assert first.test == trial("b", 2)["result"]["test"]
    assert first.history["epoch"] == list(range(1, 21)) and first.seconds == 28.0


def test_several_files_make_one_study_and_a_repeated_trial_counts_once(ledger, trial):
    again = trial("a", 0)
    again["result"]["test"]["accuracy"] = 0.1  # another machine, another rounding
    study = load_study([ledger([trial("a", 0)]), ledger([again, trial("a", 1)])])
    assert [t.seed for t in study.trials] == [0, 1]
    assert study.done("a")[0].test["accuracy"] > 0.8
    assert study.notes == (
        "a, seed 0: found twice with different results, test accuracy 89.96 % and "
        "10.00 %; the first line counts.",
    )
    same = load_study([ledger([trial("a", 0)]), ledger([trial("a", 0), trial("a", 1)])])
    assert same.notes == ("Found twice and counted once, by its first line: 1 trial.",)


def test_a_result_stands_before_a_failure_of_the_same_trial(ledger, trial):
    for lines in ([trial("a", 0, "diverged"), trial("a", 0)], [trial("a", 0)] * 2):
        assert [t.status for t in load_study(ledger(lines)).trials] == ["done"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_copy_of_a_withdrawn_result_is_withdrawn_in_any_order(ledger, trial, order):
    line = trial("a", 0)
    line["result"]["metrics_sha256"] = "f" * 64
    gone = line | {"withdrawn": "wrong"}
    (found,) = load_study(ledger([line, gone][::order])).trials
    assert found.withdrawn == "wrong" and not found.test and not found.done
    again = trial("a", 0)
    again["result"]["metrics_sha256"] = "e" * 64
    (found,) = load_study(ledger([line, gone, again][::order])).trials
    assert found.done and found.digest == "e" * 64


def test_one_of_several_studies_is_chosen_by_name(ledger, trial):
    other = trial("a", 0) | {"study": "cnn"}
    path = ledger([trial("a", 0), other])
    with pytest.raises(UserError, match=r"\['synthetic', 'cnn'\]: choose one"):
        load_study(path)
    assert load_study(path, name="cnn").trials[0].arm == "a"
    with pytest.raises(UserError, match="no trial of study 'rnn'"):
        load_study(path, name="rnn")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("metric", ["accuracy", "nll"])
def test_a_metric_that_is_not_finite_is_a_diverged_run(ledger, trial, metric, value):
    line = trial("a", 0)
    line["result"]["test"] = line["result"]["test"] | {metric: value}
    found = load_study(ledger([line])).trials[0]
    assert found.status == "diverged" and not found.done and found.test == {}


def broken(line, path, value):
    """A deep copy of a line with one value replaced."""
    line = json.loads(json.dumps(line))
    *parents, last = path.split(".")
    target = line
    for parent in parents:
        target = target[parent]
    target[last] = value
    return line


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("arm", None, "arm is None: expected str"),
        ("arm", " ", "is not a name"),
        ("arm", "red\x1b[31m", "is not a name"),
        ("arm", "two\nlines", "is not a name"),
        ("arm", "x" * 101, "is not a name"),
        ("seed", "0", "seed is '0': expected int"),
        ("seed", True, "seed is True: expected int"),
        ("config", [], "config is .*: expected dict"),
        ("result", None, "result is None"),
        ("result.status", "<b>", "status is '<b>': expected one of done"),
        ("result.status", "failed", "status is .failed.: expected one of done"),
        ("result.test", 3, "test is 3: expected dict"),
        ("result.test.nll", "low", "nll is 'low': expected a number"),
        ("result.test.accuracy", 90.5, "accuracy is 90.5: expected a fraction"),
        ("history.epoch", [1], "columns of history differ in length"),
        ("reliability.count", 3, "reliability.count is not a list"),
        ("versions", "jax", "versions is 'jax'"),
    ],
)
def test_a_line_that_is_not_a_trial_is_named(ledger, trial, path, value, message):
    with pytest.raises(UserError, match=message) as error:
        load_study(ledger([trial("b", 0), broken(trial("a", 0), path, value)]))
    assert "synthetic.jsonl:2" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ['{"arm": "a", "se', "[1]", "\x00", "[" * 99999])
def test_a_broken_line_is_named_with_its_remedy(ledger, trial, text):
    path = ledger([trial("a", 0)])
    path.write_text(f"{path.read_text()}{text}\n")
    with pytest.raises(UserError, match=r"jsonl:2 is not .*JSON.*: remove the line"):
        load_study(path)


def test_a_last_line_cut_off_by_a_crash_is_passed_over(ledger, trial):
    path = ledger([trial("a", 0), trial("a", 1)])
    whole = path.read_text()
    path.write_text(whole[:-100])
    assert [t.seed for t in load_study(path).trials] == [0]
    path.write_text(whole[:-1])  # whole, but for the newline: it counts
    assert [t.seed for t in load_study(path).trials] == [0, 1]


def test_files_that_hold_no_study(tmp_path):
    with pytest.raises(UserError, match="cannot read the ledger"):
        load_study(tmp_path / "absent.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot read the ledger"):
        load_study(tmp_path / "binary")
    (tmp_path / "empty").write_text("\n\n")
    with pytest.raises(UserError, match="has no trial: run the study first"):
        load_study(tmp_path / "empty")


def test_a_field_newer_than_a_line_has_its_default(ledger, trial):
    newer = trial("a", 1)
    newer["config"]["noise"]["schedule"] = "constant"
    study = load_study(ledger([trial("a", 0), newer]))
    assert {t.config["noise.schedule"] for t in study.trials} == {"constant"}
    newer["config"]["noise"]["schedule"] = "late"
    with pytest.raises(UserError, match=r"differs from its earlier.*noise\.schedule"):
        load_study(ledger([trial("a", 0), newer]))


def test_one_name_with_two_configurations_is_refused(ledger, trial):
    other = broken(trial("a", 1), "config.optimizer.learning_rate", 0.1)
    with pytest.raises(
        UserError, match=r"differs .* in optimizer\.learning_rate: if these are"
    ):
        load_study(ledger([trial("a", 0), other]))
    with pytest.raises(UserError, match="second result for seed 0"):
        load_study(
            ledger([trial("a", 0), broken(other | {"seed": 0}, "config.seed", 0)])
        )


def test_fields_differ_by_value_and_by_absence():
    configs = [{"a": 1, "b.c": None}, {"a": 2}]
    assert differing_fields(configs) == ["a", "b.c"]
    assert differing_fields([configs[0], configs[0]]) == []
