# SPDX-License-Identifier: Apache-2.0
"""What a report knows of a run, from lines of every format and of every end."""

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.reports import load_study, tabulate, write_report
from dropout_jax.stored import FORMAT, OtherVersion


def with_sets(line, **changed):
    """The line as a run of format 2 leaves it."""
    test, bins = line["result"]["test"], line["reliability"]
    sets = {}
    for epoch, name in enumerate(("least_nll", "best_accuracy", "last"), 16):
        accuracy = {"accuracy": test["accuracy"] - 0.001 * epoch}
        sets[name] = {
            "epoch": epoch,
            "validation": test | accuracy,
            "test": test | accuracy,
            "reliability": bins,
            "noise": {"noise_dense_0/log_alpha": -0.1 * epoch},
            "sparsity": {"dense_0": epoch / 100},
        }
    noise = {"noise_dense_0/log_alpha": -2.0}
    sites = ["input", "dense_0"]
    new = {"format": FORMAT, "sets": sets, "sites": sites, "noise": noise}
    return line | new | changed


def test_each_set_is_read(ledger, trial):
    line = with_sets(trial("a", 0))
    (found,) = load_study(ledger([line])).trials
    assert list(found.sets) == ["least_nll", "best_accuracy", "last"]
    for name, told in line["sets"].items():
        one = found.sets[name]
        for entry in ("epoch", "validation", "test", "noise", "sparsity"):
            assert getattr(one, entry) == told[entry], (name, entry)
        assert one.reliability == told["reliability"]
    assert found.sites == ("input", "dense_0")
    assert found.noise == {"noise_dense_0/log_alpha": -2.0}
    assert found.test == line["result"]["test"]


@pytest.mark.parametrize(
    ("keep", "name"), [("best", "best_accuracy"), ("last", "last")]
)
def test_an_older_line_has_the_set_that_was_kept(ledger, trial, keep, name):
    line = trial("a", 0)
    line["config"]["train"] = {"keep": keep}
    line["noise"] = {"noise_dense_0/log_alpha": -2.0}
    line["result"]["sparsity"] = {"dense_0": 0.25}
    (found,) = load_study(ledger([line])).trials
    (one,) = found.sets.values()
    assert list(found.sets) == [name] and one.epoch == 17
    assert one.test == found.test == line["result"]["test"]
    assert one.validation == found.validation
    assert one.reliability == found.reliability
    assert one.sparsity == {"dense_0": 0.25} and found.sites == ()
    # The line has the noise of the last epoch, which was not kept here ...
    assert found.noise == line["noise"] and one.noise == {}
    line["result"]["best_epoch"] = line["result"]["epochs"]  # ... and here was.
    (found,) = load_study(ledger([line])).trials
    assert found.sets[name].noise == line["noise"]


@pytest.mark.parametrize("status", ["diverged", "pruned"])
def test_a_run_that_did_not_get_to_its_end_has_no_results(ledger, trial, status):
    line = with_sets(trial("a", 0))
    line["result"]["status"] = status
    found = load_study(ledger([trial("a", 1), line])).trials[0]
    assert found.status == status and not found.done
    assert found.test == found.validation == found.sets == {}


def test_a_choice_sees_nothing_of_the_test_set(ledger, trial):
    (found,) = load_study(ledger([with_sets(trial("a", 0))])).trials
    blind = found.without_test()
    assert blind.test == blind.reliability == {} and blind.validation
    for one in blind.sets.values():
        assert one.test == one.reliability == {} and one.validation
    assert all(one.test and one.reliability for one in found.sets.values())


def test_a_line_of_a_newer_version_is_said_to_be_that(ledger, trial):
    lines = [trial("a", 0), {"format": FORMAT + 1, "arms": ["a"]}]
    with pytest.raises(OtherVersion, match=r"jsonl:2 was .* newer .*; update") as error:
        load_study(ledger(lines))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("metric", ["ece", "brier"])
def test_a_metric_that_some_lines_lack_is_absent(ledger, trial, metric):
    lines = [with_sets(trial(arm, seed)) for arm in ("none", "a") for seed in (0, 1)]
    for place in (lines[0]["result"], *lines[0]["sets"].values()):
        for split in ("test", "validation"):
            place[split] = {k: v for k, v in place[split].items() if k != metric}
    study = load_study(ledger(lines))
    first = study.done("none")[0]
    assert metric not in first.test and metric not in first.sets["last"].validation
    assert metric in study.done("none")[1].test
    none, a = tabulate(study).rows
    assert getattr(none, metric) is None and getattr(a, metric) is not None
    assert none.nll is not None and none.accuracies


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sets": [1]}, "sets is .*expected dict"),
        ({"sets": {"best": {}}}, "sets has 'best': expected best_accuracy, least_nll"),
        ({"sets": {"last": {"epoch": "1"}}}, "epoch is '1'"),
        ({"sets": {"last": {"epoch": 1, "test": {"nll": 1.0}}}}, "accuracy is None"),
        ({"sets": {"last": {"epoch": 1, "noise": {"a": "x"}}}}, "a is 'x'"),
        ({"sites": "input"}, "sites is 'input'"),
        ({"sites": ["two\nlines"]}, "no name of a noise site"),
        ({"noise": {"a": []}}, "a is"),
        ({"format": 0}, "format is 0"),
    ],
)
def test_what_is_of_another_shape_is_named(ledger, trial, change, message):
    with pytest.raises(UserError, match=message) as error:
        load_study(ledger([trial("a", 1), trial("a", 0) | change]))
    assert "jsonl:2" in str(error.value) and "\n" not in str(error.value)


def test_settings_are_found_only_where_nothing_was_tested(ledger, trial, tmp_path):
    """With test results, two configurations under one name are an error."""
    lines = [trial("a", 0), trial("a", 0), trial("none", 0)]
    lines[1]["config"]["optimizer"]["learning_rate"] = 0.1
    with pytest.raises(UserError, match="second result for seed 0"):
        load_study(ledger(lines))
    for line in lines:
        del line["result"]["test"]
    study = load_study(ledger(lines))
    assert study.knobs == ("optimizer.learning_rate",)
    assert [row.seeds for row in tabulate(study).rows] == [(), ()]
    assert write_report(study, tmp_path / "report", title="t")["report.html"].exists()
