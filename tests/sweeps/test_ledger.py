# SPDX-License-Identifier: Apache-2.0
"""The ledger: whole lines or none, and results that outlive new fields."""

import json

import pytest

import pretended
from dropout_jax.config import UserError, canonical, defaults
from dropout_jax.config.identity import stored_id
from dropout_jax.config.loading import override
from dropout_jax.stored import FORMAT, Damaged, OtherVersion
from dropout_jax.sweeps import Ledger, plan


def lines(count):
    trials = plan("s", defaults(), ({"arm": "a", "seed": i} for i in range(count)))
    found = {"arm": "a", "history": {}, "result": pretended.result()}
    return [
        {"trial": t.id, "seed": t.seed, "config": canonical(t.config), **found}
        for t in trials
    ]


def test_no_file_is_an_empty_ledger(tmp_path):
    ledger = Ledger(tmp_path / "none.jsonl")
    assert ledger.lines() == [] and ledger.by_trial() == {}
    assert not ledger.path.exists()


def test_what_is_appended_is_found_by_trial(tmp_path):
    ledger = Ledger(tmp_path / "deep" / "ledger.jsonl")
    for line in lines(3):
        ledger.append(line)
    assert ledger.lines() == lines(3)
    assert ledger.by_trial() == {line["trial"]: line for line in lines(3)}


@pytest.mark.parametrize("whole", [0, 2])
def test_a_torn_last_line_is_passed_over_and_then_cut_off(tmp_path, whole):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    wanted = lines(3)
    for line in wanted[:whole]:
        ledger.append(line)
    with ledger.path.open("a") as file:
        file.write('{"trial": "0123", "conf')
    assert ledger.lines() == wanted[:whole]
    ledger.append(wanted[2])
    assert ledger.lines() == [*wanted[:whole], wanted[2]]
    assert ledger.path.read_text().endswith("}\n")


def test_a_broken_line_before_the_last_is_named(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(lines(1)[0])
    with ledger.path.open("a") as file:
        file.write("not json\n")
    ledger.append(lines(2)[1])
    with pytest.raises(UserError, match=r"ledger.jsonl line 2 is not JSON"):
        ledger.lines()


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"seed": float("nan")}},
        {"config": [1]},
        {"arm": None},
        {"history": "none"},
        {"result": None},
        {"result": pretended.result(3)},
        {"result": pretended.result("unheard of")},
        {"result": pretended.result("diverged", reason=None)},
        {"result": pretended.result(seconds=True)},
        {"result": pretended.result(epochs="3")},
        {"result": pretended.result(validation={"accuracy": 0.5})},
        {"result": pretended.result(test=3)},
        {"result": pretended.result(reliability={"count": 3})},
        {"result": pretended.result(test={"accuracy": 0.5, "nll": 1.0, "ece": "low"})},
        {"sets": []},
        {"sets": {"last": 3}},
        {"sets": {"last": {"epoch": 1, "validation": {"accuracy": 0.5}}}},
        {"format": 0},
        {"format": "2"},
        {"withdrawn": ""},
        {"withdrawn": True},
        {"withdrawn": None},
        {"withdrawn": "two\nlines"},
    ],
)
def test_a_line_that_is_no_trial_is_named_and_never_written(tmp_path, change):
    path, line = tmp_path / "ledger.jsonl", lines(1)[0] | change
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(Damaged, match=r"remove the line and its trial runs again"):
        Ledger(path).lines()
    other = Ledger(tmp_path / "other.jsonl")
    with pytest.raises(ValueError):
        other.append(line)
    assert not other.path.exists()


def test_an_old_line_without_a_new_field_is_still_found(tmp_path):
    """The field's default is what the old run did; its id then differs, not it."""
    ledger, (line,) = Ledger(tmp_path / "ledger.jsonl"), lines(1)
    del line["config"]["data"]["flip"]
    line["trial"] = "an id that was computed without the field"
    ledger.append(line)
    assert list(ledger.by_trial()) == [plan("s", defaults(), [{"arm": "a"}])[0].id]
    flipped = override(defaults(), {"data.flip": True})
    (other,) = plan("s", flipped, [{"arm": "a"}])
    assert other.id not in ledger.by_trial()


def test_a_line_of_a_newer_version_is_said_to_be_that(tmp_path):
    """Nobody is told to remove it."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    newer = lines(1)[0] | {"format": FORMAT + 1, "config": {"no_such_field": 1}}
    ledger.path.write_text(json.dumps(newer) + "\n")
    with pytest.raises(OtherVersion, match=r"line 1 was .* newer .*; update") as error:
        ledger.lines()
    assert "remove" not in str(error.value)


@pytest.mark.parametrize("number", [None, 1, FORMAT])
def test_lines_of_this_and_older_formats_are_read(tmp_path, number):
    ledger, (line,) = Ledger(tmp_path / "ledger.jsonl"), lines(1)
    ledger.append(line if number is None else line | {"format": number})
    assert list(ledger.by_trial()) == [line["trial"]]


def test_a_metric_that_a_line_lacks_is_no_damage(tmp_path):
    """A newer one, in lines that are older than it."""
    ledger, (line,) = Ledger(tmp_path / "ledger.jsonl"), lines(1)
    few = {"accuracy": 0.5, "nll": 1.0}
    line["result"] = pretended.result(validation=few, test=few)
    ledger.append(line)
    more = {**few, "ece": 0.1, "brier": 0.5, "a metric of the future": 0.5}
    ledger.append(lines(2)[1] | {"result": pretended.result(test=more)})
    assert len(ledger.lines()) == 2


def test_a_withdrawn_line_stays_and_its_trial_is_open(tmp_path):
    ledger, (old, other) = Ledger(tmp_path / "ledger.jsonl"), lines(2)
    gone = old | {"withdrawn": "counted once per channel"}
    ledger.append(gone)
    ledger.append(other)
    assert ledger.lines() == [gone, other]
    assert ledger.by_trial() == {other["trial"]: other}
    assert ledger.withdrawn() == {old["trial"]: gone}
    new = old | {"seed": 0, "device": "another"}
    ledger.append(new)
    for reader in (ledger, Ledger(ledger.path)):
        assert reader.lines() == [gone, other, new]
        assert reader.by_trial() == {old["trial"]: new, other["trial"]: other}
        assert reader.withdrawn() == {}


def test_a_number_that_is_none_is_refused(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    with pytest.raises(ValueError):
        ledger.append(lines(1)[0] | {"noise": float("nan")})
    assert not ledger.path.exists() or ledger.lines() == []


def test_a_field_of_a_newer_version_is_said_to_be_that(tmp_path):
    """Nobody is told to remove the line, or the directory."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    (line,) = lines(1)
    line["config"] = {**line["config"], "model": {"heads": 4}}
    ledger.path.write_text(json.dumps(line) + "\n")
    with pytest.raises(OtherVersion) as caught:
        ledger.lines()
    said = str(caught.value)
    assert "line 1: config.model.heads=4 is no field of this version" in said
    assert "update dropout_jax" in said and "remove" not in said


def test_of_two_results_of_a_trial_the_first_counts_as_in_a_report(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    one, other = lines(2)
    failed = {**one, "result": pretended.result("diverged", reason="NaN")}
    again = {**one, "result": {**one["result"], "seconds": 9.0}}
    for line in (failed, one, again, other):
        ledger.append(line)
    first, second = ledger.by_trial().values()
    assert first == one and second == other
    assert ledger.results()[stored_id(one["config"])] == [one, again, failed]
