# SPDX-License-Identifier: Apache-2.0
"""Trials in step: each what it is alone, whatever becomes of its neighbours."""

import functools
import importlib
import json

import numpy as np
import pytest

from dropout_jax import training
from dropout_jax.config import Interrupted, UserError
from dropout_jax.training import engine, load_run, programs

SAME = (
    "parameters_sha256",
    "metrics_sha256",
    "best_epoch",
    "validation",
    "test",
    "sets",
)
# The rates, the seeds and the learning rates of three trials; the second diverges.
TRIALS = (
    {"seed": 0},
    {"seed": 1, "optimizer.learning_rate": 10.0, "regularizer.weight_decay": 1e30},
    {"seed": 2, "noise.rates": (0.5,)},
)
LONGER = {"train.epochs": 3}


@pytest.fixture
def run_group(tiny, tmp_path, recorder):
    """Returns a function that runs some of the trials as a group."""

    def run(name, chosen=(0, 1, 2), *, stop_after=(), **options):
        configs = [tiny({**LONGER, **TRIALS[i]}) for i in chosen]
        where = tmp_path / name
        return training.run_group(
            configs,
            [where / str(i) for i in chosen],
            where / "group",
            progress=recorder(stop_after),
            **options,
        )

    return run


@pytest.fixture(scope="module")
def alone(tiny, recorder, tmp_path_factory):
    """The results of each trial in a run of its own."""
    where = tmp_path_factory.mktemp("alone")
    return [
        training.run(
            tiny({**LONGER, **fields}), where / str(number), progress=recorder()
        ).values
        for number, fields in enumerate(TRIALS)
    ]


def same(found, wanted):
    assert found["status"] == wanted["status"]
    for name in SAME:
        assert found.get(name) == wanted.get(name), name


def test_each_trial_of_a_group_is_its_own_run(run_group, alone):
    results = run_group("a")
    assert [r.status for r in results] == ["done", "diverged", "done"]
    for result, wanted in zip(results, alone, strict=True):
        same(result.values, wanted)
        assert json.loads((result.workdir / "result.json").read_text()) == result.values
    # One checkpoint, by which the model of each trial is found again.
    assert not (results[0].workdir / "checkpoints").exists()
    for number in (0, 2):
        found = load_run(results[number].workdir)
        assert found.result == results[number].values
    again = run_group("a")
    assert not any(r.fresh for r in again)
    assert [r.values for r in again] == [r.values for r in results]


@pytest.mark.parametrize("step", [3, 6])
def test_an_interrupted_group_goes_on_bit_for_bit(run_group, alone, step):
    with pytest.raises(Interrupted):
        run_group("b", (0, 2), stop_after=(step,))
    for result, number in zip(run_group("b", (0, 2)), (0, 2), strict=True):
        same(result.values, alone[number])


def test_what_was_pruned_stays_so_and_changes_nobody(run_group, alone):
    """The first trial is pruned; then the group is interrupted, and goes on."""

    def prune(number, record):
        return (number, record["epoch"]) == (0, 1)

    with pytest.raises(Interrupted):
        run_group("d", prune=prune, stop_after=(6,))
    pruned, diverged, done = run_group("d")
    assert (pruned.status, diverged.status) == ("pruned", "diverged")
    assert len((pruned.workdir / "metrics.jsonl").read_text().splitlines()) == 1
    same(done.values, alone[2])


def test_together_a_trial_is_its_own_run_up_to_rounding(run_group, alone, monkeypatch):
    module = importlib.import_module("dropout_jax.training.runs")
    at_once = functools.partial(engine.Engine, together=True)
    monkeypatch.setattr(module, "Engine", at_once)
    results = run_group("e")
    assert [r.status for r in results] == ["done", "diverged", "done"]
    for number in (0, 2):
        found = results[number].values
        wanted = alone[number]["validation"]["nll"]
        np.testing.assert_allclose(found["validation"]["nll"], wanted, rtol=1e-5)


def test_trials_of_different_programs_are_refused(tiny, tmp_path, recorder):
    configs = [tiny(), tiny({"model.widths": (9,)})]
    with pytest.raises(UserError, match="traced values alone"):
        training.run_group(
            configs, [tmp_path / "a", tmp_path / "b"], tmp_path, progress=recorder()
        )
    assert not list(tmp_path.iterdir())


def test_a_group_compiles_one_training_program(run_group, monkeypatch):
    monkeypatch.setattr(programs, "_CACHE", {})
    built = []
    build = programs._build
    monkeypatch.setattr(programs, "_build", lambda *a: built.append(a) or build(*a))
    run_group("f", (0, 2))
    assert len(built) == 1


def test_a_pruned_trial_stays_pruned_when_its_neighbor_fails(run_group, tmp_path):
    def prune(number, record):
        if record["epoch"] == 2:
            raise RuntimeError("it broke")
        return number == 0

    with pytest.raises(RuntimeError):
        run_group("g", (0, 2), prune=prune)
    status = {n: (tmp_path / "g" / n / "status").read_text() for n in ("0", "2")}
    assert status == {"0": "pruned\n", "2": "failed\nRuntimeError: it broke\n"}
