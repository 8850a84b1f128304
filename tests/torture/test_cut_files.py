# SPDX-License-Identifier: Apache-2.0
"""Files cut at every byte: what is whole is read, what is not is mended."""

import json
import shutil

import pytest

import studies
from dropout_jax import training
from dropout_jax.config import UserError
from dropout_jax.sweeps import Ledger, StudyDirectory, kept, open_study, work
from dropout_jax.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished study of three trials."""
    trials = studies.trials(3, **{"train.epochs": 3})
    study = studies.study_of(tmp_path_factory.mktemp("whole") / "study", trials)
    kept.keep(study)  # what becomes of damaged checkpoints is asked too
    assert work(study, trials, console=studies.console())
    return study


def cuts(path, amount):
    """Where to cut a file: every byte, or every so many."""
    size = path.stat().st_size
    return range(0, size, amount(max(1, size // 25), 1))


def copy(whole, tmp_path):
    shutil.rmtree(tmp_path / "study", ignore_errors=True)
    shutil.copytree(whole.path, tmp_path / "study")
    return StudyDirectory(tmp_path / "study")


class Quiet(training.TerminalProgress):
    """Says nothing."""

    def note(self, message):
        pass


@pytest.mark.parametrize("name", ["metrics.jsonl", "result.json"])
def test_files_of_a_run(name, whole, tmp_path, amount, figure):
    (trial, *_) = whole.trials()
    source = whole.run_directory(trial)
    wanted, known = RunDirectory(source), RunDirectory(source).metrics()
    content, count, right = (source / name).read_bytes(), 0, 0
    workdir = tmp_path / "run"
    shutil.copytree(source, workdir)
    for size in cuts(source / name, amount):
        (workdir / name).write_bytes(content[:size])
        count += 1
        seen = RunDirectory(workdir).metrics()
        if name == "metrics.jsonl" and seen != known[: content[:size].count(b"\n")]:
            continue
        training.run(trial.config, workdir, progress=Quiet())
        again = RunDirectory(workdir)
        same = again.metrics() == known and all(
            again.result()[entry] == wanted.result()[entry]
            for entry in ("parameters_sha256", "metrics_sha256", "test", "best_epoch")
        )
        right += same
    number = {"metrics.jsonl": "7a", "result.json": "7b"}[name]
    figure(
        number,
        f"`{name}` of a finished run cut at {'every' if amount(0, 1) else 'some'} byte",
        "whole records read; mended by the same command, no epoch twice",
        f"{right}/{count}",
    )
    assert right == count


def test_a_plan(whole, tmp_path, amount, figure):
    trials, study = whole.trials(), copy(whole, tmp_path)
    path = study.path / "plan.jsonl"
    content, count, right = path.read_bytes(), 0, 0
    for size in cuts(path, amount):
        path.write_bytes(content[:size])
        count += 1
        try:
            open_study(study.path).trials()
            continue  # a part of a plan passed for the whole
        except UserError as error:
            told = "plan.jsonl is damaged" in str(error)
        study.extend(trials, reporting={})
        mended = {trial.id for trial in open_study(study.path).trials()}
        right += told and mended == {trial.id for trial in trials}
    figure(
        "7c",
        "`plan.jsonl` cut",
        "refused in one line by whoever reads it; mended by the command that wrote it",
        f"{right}/{count}",
    )
    assert right == count


def test_a_ledger(whole, tmp_path, amount, figure):
    path = tmp_path / "ledger.jsonl"
    content = whole.ledger.path.read_bytes()
    lines = [json.loads(line) for line in content.splitlines()]
    path.write_bytes(content)
    count, right = 0, 0
    for size in cuts(path, amount):
        path.write_bytes(content[:size])
        count += 1
        left = content[:size].count(b"\n")
        seen = Ledger(path).lines() == lines[:left]
        for line in lines[left:]:
            Ledger(path).append(line)
        right += seen and path.read_bytes() == content
    figure(
        "7d",
        "`ledger.jsonl` cut",
        "whole lines read; mended by the next line",
        f"{right}/{count}",
    )
    assert right == count
