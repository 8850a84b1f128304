# SPDX-License-Identifier: Apache-2.0
"""A small study: resumed, cut short, and silent about the test set when searching."""

import io

import pytest
from rich.console import Console

from dropout_jax.config import Interrupted, defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps import Ledger, local, plan, run_trials
from dropout_jax.training.run_directory import RunDirectory

BASE = override(
    defaults(),
    {
        "data.name": "synthetic",
        "data.train_size": 64,
        "model.widths": (4,),
        "noise.kind": "dropout",
        "noise.rates": (0.2,),
        "train.epochs": 1,
        "train.batch_size": 32,
    },
)


def trials(*seeds):
    sweep = ({"arm": "drop 0.2/x", "seed": seed} for seed in seeds)
    return plan("study", BASE, sweep)


@pytest.fixture
def counted(monkeypatch):
    """Seeds of the runs that were started."""
    seeds, run = [], local.run

    def count(config, *args, **kwargs):
        seeds.append(config.seed)
        return run(config, *args, **kwargs)

    monkeypatch.setattr(local, "run", count)
    return seeds


def quiet():
    return Console(file=io.StringIO(), width=200)


def test_a_study_goes_on_where_it_stopped(tmp_path, counted):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    assert run_trials(trials(0, 1), tmp_path, ledger, console=quiet())
    assert run_trials(trials(0, 1, 2), tmp_path, ledger, console=(console := quiet()))
    assert counted == [0, 1, 2]
    assert "2 of 3 trials are in" in console.file.getvalue()
    lines = ledger.lines()
    assert [line["trial"] for line in lines] == [t.id for t in trials(0, 1, 2)]
    for line in lines:
        assert line["study"] == "study" and line["arm"] == "drop 0.2/x"
        assert line["result"]["status"] == "done" and 0 <= line["result"]["test"]["ece"]
        assert sum(line["reliability"]["count"]) == 128
        assert len(line["history"]["validation_accuracy"]) == 1
        assert "jax" in line["versions"] and line["device"].startswith("cpu")
    # Seeds differ, the compiled program and everything else in the config do not.
    assert len({line["result"]["parameters_sha256"] for line in lines}) == 3
    assert (tmp_path / "study" / "drop_0.2_x").is_dir()


def test_a_trial_that_ended_unrecorded_is_recorded_not_run(tmp_path):
    """Killed between the result and the ledger's line."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    run_trials(trials(0), tmp_path, ledger, console=quiet())
    text = ledger.path.read_text()
    ledger.path.unlink()
    run_trials(trials(0), tmp_path, ledger, console=(console := quiet()))
    assert ledger.path.read_text() == text
    assert "finished before" in console.file.getvalue()


def test_a_search_brings_no_test_results(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    run_trials(trials(0), tmp_path, ledger, test=False, console=quiet())
    (line,) = ledger.lines()
    assert not {"test", "test_count"} & set(line["result"])
    assert line["reliability"] == {}
    assert 0 < line["result"]["validation"]["accuracy"] <= 1


def test_no_trial_begins_after_the_time_limit(tmp_path, counted, monkeypatch):
    clock = iter(range(0, 10_000, 40))  # each look at the clock: 40 seconds later
    monkeypatch.setattr(local.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(local, "run", lambda config, *_, **__: counted.append(config))
    monkeypatch.setattr(local, "ledger_line", lambda trial, _: {"trial": trial.id})
    ledger, console = Ledger(tmp_path / "ledger.jsonl"), quiet()
    assert not run_trials(
        trials(0, 1, 2), tmp_path, ledger, minutes=1.0, console=console
    )
    assert len(counted) == len(ledger.lines()) == 1
    assert "1 minutes are over; 2 trials remain" in console.file.getvalue()


def test_processes_share_the_work(tmp_path, counted, monkeypatch):
    """Another process has run seed 0 meanwhile, and is at work on seed 1."""
    ledger, other = Ledger(tmp_path / "ledger.jsonl"), tmp_path / "other"
    asked = trials(0, 1, 2)
    run_trials(trials(0), other, Ledger(other / "ledger.jsonl"), console=quiet())
    (line,) = Ledger(other / "ledger.jsonl").lines()
    run = local.run

    def meanwhile(config, directory, **kwargs):
        if config.seed == 2:
            ledger.append(line)
        return run(config, directory, **kwargs)

    monkeypatch.setattr(local, "run", meanwhile)
    held = tmp_path / "study" / "drop_0.2_x" / f"seed_1_{asked[1].id[:8]}"
    holder = RunDirectory(held)
    holder.open(asked[1].config)
    console = quiet()
    order = [asked[2], asked[0], asked[1]]
    assert not run_trials(order, tmp_path, ledger, console=console)
    assert counted == [0, 2, 1]  # seed 1 was tried and found held; seed 0 not again
    assert {line["seed"] for line in ledger.lines()} == {0, 2}
    assert "left to another process: 1 of 3 trials" in console.file.getvalue()
    holder.close()
    assert run_trials(order, tmp_path, ledger, console=quiet())
    assert sorted(line["seed"] for line in ledger.lines()) == [0, 1, 2]


def test_ctrl_c_ends_the_study(tmp_path, monkeypatch):
    started = []

    def stop(config, directory, **_):
        started.append(config.seed)
        raise Interrupted(directory)

    monkeypatch.setattr(local, "run", stop)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    with pytest.raises(Interrupted):
        run_trials(trials(0, 1), tmp_path, ledger, console=quiet())
    assert started == [0] and ledger.lines() == []
