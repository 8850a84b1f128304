# SPDX-License-Identifier: Apache-2.0
"""How a machine is divided between workers: alike, and again as the study began."""

import json
import os

import pytest

from dropout_jax.stored import Damaged
from dropout_jax.sweeps import StudyDirectory, gpus, local, run_local, shares
from dropout_jax.sweeps import __main__ as sweeps_main
from dropout_jax.sweeps.shares import Shares


@pytest.fixture
def machine(monkeypatch):
    """Returns a function that gives this machine so many cores."""
    monkeypatch.setattr(gpus, "visible", tuple)

    def of(cores):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))

    return of


def test_at_first_all_that_pays_then_as_the_study_began(machine, study):
    machine(8)
    assert local.divide(study, left=3) == (Shares(3, 2), "")
    shares.remember(study, Shares(3, 2))
    # However many trials are left, and on a larger machine.
    assert local.divide(study, left=1) == (Shares(3, 2), "")
    machine(64)
    assert local.divide(study, left=100) == (Shares(3, 2), "")
    machine(4)  # the threads count for the bits, the workers do not
    assert local.divide(study, left=3) == (Shares(2, 2), "")


def test_what_changes_the_rounding_is_said(machine, study, monkeypatch):
    machine(8)
    shares.remember(study, Shares(2, 4))
    divided, said = local.divide(study, left=3, workers=8)
    assert divided == Shares(8, 1)
    assert said.startswith("the study began with 4 threads a worker, now 1: the last")
    machine(2)
    divided, said = local.divide(study, left=3)
    assert divided == Shares(1, 2) and "4 threads a worker, now 2" in said
    machine(8)
    monkeypatch.setattr(shares.processor, "model", lambda: "another one")
    divided, said = local.divide(study, left=3)
    assert divided == Shares(2, 4) and ", now another one: the last bits" in said


def test_on_gpus_threads_say_nothing(machine, study, monkeypatch):
    machine(8)
    monkeypatch.setattr(gpus, "visible", lambda: ("0", "1"))
    assert local.divide(study, left=5) == (Shares(2, 0), "")
    shares.remember(study, Shares(2, 0))
    assert local.divide(study, left=1) == (Shares(2, 0), "")
    monkeypatch.setattr(gpus, "visible", tuple)
    assert local.divide(study, left=5) == (Shares(5, 1), "")


def test_a_division_that_cannot_be_is_damage(study):
    path = study.path / "study.json"
    for wrong in ({"workers": 0, "threads": 1}, {"workers": "2"}):
        path.write_text(json.dumps({**study.about(), "execution": wrong}))
        with pytest.raises(Damaged):
            shares.remembered(study)
        path.write_text(json.dumps({**study.about(), "execution": {}}))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_resume_computes_with_the_threads_of_run(
    tmp_path, trials, monkeypatch, quick_environment
):
    """The reproduction: `run --workers=1`, interrupted, and `resume`."""
    for name, value in quick_environment.items():
        monkeypatch.setenv(name, value)
    study = StudyDirectory(tmp_path / "study")
    study.extend(trials(0, 1))
    run_local(study, trials(0), workers=1)
    undisturbed = StudyDirectory(tmp_path / "undisturbed")
    undisturbed.extend(trials(1))
    run_local(undisturbed, trials(1), workers=1)
    argv = ["sweeps", "resume", f"--study={study.path}"]
    assert sweeps_main.main(argv) == 0
    cores = len(os.sched_getaffinity(0))
    lines = study.ledger.lines()
    assert [line["parts"][0]["threads"] for line in lines] == [cores, cores]
    assert [line["parts"][0]["workers"] for line in lines] == [1, 1]
    assert study.about()["execution"]["threads"] == cores
    (line,) = undisturbed.ledger.lines()
    for digest in ("metrics_sha256", "parameters_sha256"):
        assert lines[1]["result"][digest] == line["result"][digest]
