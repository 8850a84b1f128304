# SPDX-License-Identifier: Apache-2.0
"""A process at work on a study: what it takes, what it leaves, what it survives."""

import contextlib
import json
import shutil
import time
import types

import pytest

from dropout_jax.config import Interrupted, UserError
from dropout_jax.sweeps import StudyDirectory, ledger_line, work, worker
from dropout_jax.sweeps.study import ATTEMPTS
from dropout_jax.training.run_directory import RunDirectory


@pytest.fixture
def clock(monkeypatch):
    """Returns a function that gives the worker, and nobody else, another clock."""

    def replace(sleep=time.sleep, monotonic=time.monotonic):
        found = types.SimpleNamespace(sleep=sleep, monotonic=monotonic)
        monkeypatch.setattr(worker, "time", found)

    return replace


def seeds_of(study):
    lines = study.ledger.path.read_text().splitlines()
    return [json.loads(line)["seed"] for line in lines]


def test_a_study_goes_on_where_it_stopped(study, trials, counted, console):
    assert work(study, trials(0, 1), console=console)
    assert work(study, trials(0, 1, 2), console=console)
    assert counted == seeds_of(study) == [0, 1, 2]
    lines = study.ledger.lines()
    assert [line["trial"] for line in lines] == [t.id for t in trials(0, 1, 2)]
    for line in lines:
        assert line["study"] == "study" and line["arm"] == "drop 0.2/x"
        assert line["result"]["status"] == "done" and 0 <= line["result"]["test"]["ece"]
        assert sum(line["reliability"]["count"]) == 128
        assert len(line["history"]["validation_accuracy"]) == 1
        assert "jax" in line["versions"] and line["device"].startswith("cpu")
        assert line["format"] == 2 and line["sites"] == ["input", "hidden_0"]
        _has_the_sets_of(line, study, trials)
    # The terminal and the logs show validation, by which settings may be chosen.
    assert console.file.getvalue().count("validation accuracy") == 3
    assert "test accuracy" not in console.file.getvalue()
    # Seeds differ, the compiled program and everything else in the config do not.
    assert len({line["result"]["parameters_sha256"] for line in lines}) == 3


def _has_the_sets_of(line, study, trials):
    """All that result.json says of them, the bins rounded; and nothing twice."""
    (trial,) = trials(line["seed"])
    values = RunDirectory(study.run_directory(trial)).result()
    assert not {"format", "sets", "sites", "reliability"} & set(line["result"])
    assert set(line["sets"]) == {"best_accuracy", "least_nll", "last"}
    for name, found in line["sets"].items():
        told = values["sets"][name]
        exact = {k: v for k, v in found.items() if k != "reliability"}
        assert exact == {k: v for k, v in told.items() if k != "reliability"}
        assert {"epoch", "validation", "test", "noise", "parameters_sha256"} <= set(
            told
        )
        for column, bins in told["reliability"].items():
            assert found["reliability"][column] == [
                round(value, 5) if isinstance(value, float) else value for value in bins
            ]


def test_a_trial_that_ended_unrecorded_is_recorded_not_run(study, trials, console):
    """Killed between the result and the ledger's line."""
    work(study, trials(0), console=console)
    text = study.ledger.path.read_text()
    study.ledger.path.unlink()
    work(study, trials(0), console=console)
    assert study.ledger.path.read_text() == text
    assert "finished before" in console.file.getvalue()


def test_a_withdrawn_trial_is_trained_anew(study, trials, counted, console):
    """Its old run, which is still there, is not taken for the new one."""
    work(study, trials(0), console=console)
    (line,) = study.ledger.lines()
    withdrawn = line | {"withdrawn": "its KL was too small"}
    study.ledger.path.write_text(json.dumps(withdrawn) + "\n")
    study = StudyDirectory(study.path)  # as a later command opens it
    directory = study.run_directory(*trials(0))
    with pytest.raises(UserError, match=r"\(its KL was too small\); remove the direc"):
        work(study, trials(0), console=console)
    assert study.ledger.lines() == [withdrawn] and counted == [0]
    assert not study.failures()
    shutil.rmtree(directory)
    assert work(study, trials(0), console=console)
    assert counted == [0, 0] and len(study.ledger.lines()) == 2
    assert list(study.ledger.by_trial()) == [line["trial"]]


def test_a_search_brings_no_test_results(tmp_path, trials, console):
    study = StudyDirectory(tmp_path / "search")
    study.extend(trials(0), test=False)
    work(study, trials(0), console=console)
    (line,) = study.ledger.lines()
    assert not {"test", "test_count"} & set(line["result"])
    assert line["reliability"] == {}
    for found in line["sets"].values():
        assert "test" not in found and found["reliability"] == {}
    assert 0 < line["result"]["validation"]["accuracy"] <= 1


def test_no_trial_begins_after_the_time_limit(
    study, trials, counted, console, monkeypatch, clock
):
    moments = iter(range(0, 10_000, 40))  # each look at the clock: 40 seconds later
    clock(monotonic=lambda: next(moments))

    def run(study, batch, workers, progress):
        counted.extend(trial.seed for trial in batch)
        return True

    monkeypatch.setattr(worker, "_run", run)
    assert not work(study, trials(0, 1, 2), minutes=1.0, console=console)
    assert counted == [0]
    assert "1 minutes are over; 3 trials remain" in console.file.getvalue()


def test_what_another_process_has_is_left_to_it_then_waited_for(
    tmp_path, study, trials, counted, console, monkeypatch, clock
):
    """Another process has run seed 0 meanwhile, and is at work on seed 1."""
    asked, other = trials(2, 0, 1), StudyDirectory(tmp_path / "b")
    other.extend(asked)
    study, other = other, StudyDirectory(other.path)
    held = other.claim(asked[2])
    run = worker.run_group

    def meanwhile(configs, directories, group, **kwargs):
        if configs[0].seed == 2:
            held.__enter__()
            elsewhere = tmp_path / "0"
            run([asked[1].config], [elsewhere], elsewhere, **kwargs)
            other.ledger.append(ledger_line(asked[1], RunDirectory(elsewhere)))
        return run(configs, directories, group, **kwargs)

    # It dies, and what it had is taken over.
    clock(lambda _: held.__exit__(None, None, None))
    monkeypatch.setattr(worker, "run_group", meanwhile)
    signs = []
    assert work(study, asked, console=console, waiting=lambda: signs.append(counted[:]))
    assert signs == [[0, 2]]  # so that nobody takes it for stuck
    assert counted == [0, 2, 1] and seeds_of(study) == [0, 2, 1]
    assert "waiting for 1 trials that other processes have" in console.file.getvalue()


def test_what_another_process_finished_before_the_claim_was_ours_is_not_run_again(
    tmp_path, study, trials, counted, console, monkeypatch
):
    (trial,) = trials(0)
    claim = StudyDirectory.claim

    @contextlib.contextmanager
    def late(study, trial):
        elsewhere = tmp_path / "elsewhere"
        worker.run_group([trial.config], [elsewhere], elsewhere)
        study.ledger.append(ledger_line(trial, RunDirectory(elsewhere)))
        with claim(study, trial) as held:
            yield held

    monkeypatch.setattr(StudyDirectory, "claim", late)
    assert work(study, [trial], console=console)
    assert len(counted) == 1 and seeds_of(study) == [0]


def test_batches_are_those_of_the_plan_whatever_is_done(
    tmp_path, trials, console, monkeypatch
):
    """Others would not find the checkpoints of those that were interrupted."""
    study, run, seen = StudyDirectory(tmp_path / "lanes"), worker.run_group, []
    study.extend(trials(0, 1, 2, 3), lanes=2)

    def spy(configs, *args, **kwargs):
        seen.append([config.seed for config in configs])
        return run(configs, *args, **kwargs)

    monkeypatch.setattr(worker, "run_group", spy)
    assert work(study, trials(0), console=console)
    assert work(study, trials(0, 1, 2, 3), console=console)
    assert seen == [[0], [1], [2, 3]]


def test_a_run_directory_that_is_in_use_is_waited_for(study, trials, console, clock):
    (trial,) = trials(0)
    holder = RunDirectory(study.run_directory(trial))
    holder.open(trial.config)
    clock(lambda _: holder.close())
    assert work(study, [trial], console=console)
    assert seeds_of(study) == [0]


def test_a_failing_trial_is_given_up_and_the_others_go_on(
    study, trials, console, monkeypatch
):
    tried, run = [], worker.run_group

    def fail(configs, *args, **kwargs):
        tried.append(configs[0].seed)
        if configs[0].seed == 1:
            raise RuntimeError("no such\nluck")
        return run(configs, *args, **kwargs)

    monkeypatch.setattr(worker, "run_group", fail)
    assert not work(study, trials(0, 1, 2), console=console)
    assert seeds_of(study) == [0, 2] and tried.count(1) == ATTEMPTS
    (one,) = trials(1)
    assert study.given_up() == {one.id: "RuntimeError: no such luck"}
    assert "in fail" in (study.path / "failures" / one.id).read_text()
    tried.clear()
    assert not work(study, trials(0, 1, 2), console=console) and not tried
    assert study.forget_failures() == 1
    monkeypatch.setattr(worker, "run_group", run)
    assert work(study, trials(0, 1, 2), console=console)
    assert seeds_of(study) == [0, 2, 1]


@pytest.mark.parametrize("end", [Interrupted("x"), UserError("no data")])
def test_ctrl_c_and_what_holds_for_all_trials_end_the_study(
    study, trials, console, monkeypatch, end
):
    started = []

    def stop(configs, *_, **__):
        started.append(configs[0].seed)
        raise end

    monkeypatch.setattr(worker, "run_group", stop)
    with pytest.raises(type(end)):
        work(study, trials(0, 1), console=console)
    assert started == [0] and study.ledger.lines() == [] and not study.failures()


def test_trials_of_a_program_train_in_step(tmp_path, trials, console, monkeypatch):
    """Interrupted between two batches, and what each trial is alone."""
    asked, alone = trials(0, 1, 2, 3, 4), StudyDirectory(tmp_path / "alone")
    alone.extend(asked)
    study = StudyDirectory(tmp_path / "lanes")
    study.extend(asked, lanes=2)
    study.extend(asked, lanes=3)  # too late
    groups, run = [], worker.run_group

    def interrupted(configs, *args, **kwargs):
        groups.append([config.seed for config in configs])
        if len(groups) == 2:
            raise Interrupted("x")
        return run(configs, *args, **kwargs)

    monkeypatch.setattr(worker, "run_group", interrupted)
    with pytest.raises(Interrupted):
        work(study, asked, console=console)
    assert seeds_of(study) == [0, 1]
    assert work(study, asked, console=console)
    assert groups == [[0, 1], [2, 3], [2, 3], [4]]
    assert "drop 0.2/x seed 2 and 1 more: " in console.file.getvalue()
    assert work(alone, asked, console=console)
    sums = [
        [line["result"]["parameters_sha256"] for line in s.ledger.lines()]
        for s in (study, alone)
    ]
    assert sums[0] == sums[1] and len(set(sums[0])) == 5
    assert len(list((study.path / "groups").iterdir())) == 2
