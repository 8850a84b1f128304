# SPDX-License-Identifier: Apache-2.0
"""The scripts in experiments/: run what the ledger lacks, report, name the winner."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from dropout_jax import sweeps
from dropout_jax.config import canonical
from dropout_jax.config.loading import load_module, override
from dropout_jax.sweeps import worker

ROOT = Path(__file__).parents[1]
COMPARE = load_module(ROOT / "configs" / "compare.py")
SMALL = {
    "data.name": "synthetic",
    "data.train_size": 64,
    "model.widths": (4,),
    "train.epochs": 1,
    "train.batch_size": 32,
}
FLAGS = [f"--config.{path}={value}" for path, value in SMALL.items()]


@pytest.fixture
def execute(monkeypatch):
    """Returns a function that runs a script as `python script arguments` would."""
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    monkeypatch.chdir(ROOT)

    def run(script, *arguments):
        monkeypatch.setattr(sys, "argv", [f"experiments/{script}", *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / "experiments" / script), run_name="__main__")
        return end.value.code

    return run


def line(trial, accuracy):
    """What a finished trial would have left in the ledger."""
    metrics = {"accuracy": accuracy, "nll": 0.4, "ece": 0.02, "brier": 0.15}
    return {
        "trial": trial.id,
        "study": trial.study,
        "arm": trial.arm,
        "seed": trial.seed,
        "config": canonical(trial.config),
        "result": {
            "status": "done",
            "best_epoch": 1,
            "epochs": 1,
            "parameters": 100,
            "images_per_second": 1000.0,
            "seconds": 3.0,
            "validation": metrics,
            "test": metrics,
        },
        "history": {
            "epoch": [1],
            "train_loss": [0.5],
            "clean_train_loss": [0.4],
            "clean_train_accuracy": [0.9],
            "validation_loss": [0.5],
            "validation_accuracy": [accuracy],
        },
        "reliability": {"confidence": [0.5] * 15, "accuracy": [0.5] * 15}
        | {"count": [1] * 15},
        "noise": {},
        "versions": {"jax": "0"},
        "device": "cpu, 2 threads",
    }


def test_compare_runs_what_is_missing_and_reports(
    execute, tmp_path, monkeypatch, capsys
):
    base = override(COMPARE.get_config("mlp"), SMALL)
    trials = sweeps.plan("compare_mlp", base, COMPARE.sweep("mlp", 2))
    ledger = sweeps.Ledger(tmp_path / "ledger.jsonl")
    for number, trial in enumerate(trials[1:]):
        ledger.append(line(trial, 0.5 + number / 100))
    flags = [*FLAGS, "--seeds=2", f"--ledger={ledger.path}"]
    assert execute("compare.py", *flags, f"--workdir={tmp_path / 'a'}") == 0
    assert [t.id in ledger.by_trial() for t in trials] == [True] * 10
    assert len(ledger.lines()) == 10  # one was missing, one was run
    assert ledger.lines()[-1]["trial"] == trials[0].id
    for name in ("report.html", "accuracy.png"):
        assert (tmp_path / "a" / "report" / name).stat().st_size > 0
    shown = capsys.readouterr().out
    for arm in COMPARE.METHODS["mlp"]:
        assert arm in shown

    # A fresh clone has the whole ledger and no working directory.
    monkeypatch.setattr(worker, "run_group", lambda *_, **__: pytest.fail("ran again"))
    assert execute("compare.py", *flags, f"--workdir={tmp_path / 'b'}") == 0
    report = Path("report") / "report.html"
    assert (tmp_path / "b" / report).exists()


def test_compare_of_two_methods_runs_and_shows_only_these(
    execute, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(worker, "run_group", lambda *_, **__: pytest.fail("ran again"))
    base = override(COMPARE.get_config("mlp"), SMALL)
    ledger = sweeps.Ledger(tmp_path / "ledger.jsonl")
    trials = sweeps.plan("compare_mlp", base, COMPARE.sweep("mlp", 1))
    for trial in trials:
        if trial.arm in ("none", "dropout"):
            ledger.append(line(trial, 0.5))
    flags = [*FLAGS, "--seeds=1", f"--ledger={ledger.path}"]
    chosen = ["--methods=dropout,none", f"--workdir={tmp_path / 'a'}"]
    assert execute("compare.py", *flags, *chosen) == 0
    shown = capsys.readouterr().out
    assert "dropout" in shown and "weight decay" not in shown


def test_search_marks_the_best_candidate_of_each_method(
    execute, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(worker, "run_group", lambda *_, **__: pytest.fail("ran again"))
    base = override(COMPARE.get_config("search_mlp"), SMALL)
    trials = sweeps.plan("search_mlp", base, COMPARE.search("mlp"))
    ledger = sweeps.Ledger(tmp_path / "ledger.jsonl")
    for trial in trials:
        ledger.append(line(trial, 0.9 if trial.arm.endswith("#3") else 0.8))
    flags = [f"--ledger={ledger.path}", f"--workdir={tmp_path}"]
    assert execute("search.py", *FLAGS, *flags) == 0
    rows = capsys.readouterr().out.splitlines()
    chosen = [row for row in rows if "chosen" in row]
    assert len(chosen) == len(COMPARE.CANDIDATES["mlp"])
    assert all("90.00 %" in row for row in chosen)


@pytest.mark.parametrize("form", [["--model=cnn"], ["--model", "cnn"]])
def test_the_model_decides_on_the_defaults(execute, monkeypatch, form):
    conduct = load_module(ROOT / "experiments" / "conduct.py")
    monkeypatch.setattr(sys, "argv", ["compare.py", "--seeds=2", *form, "--minutes=1"])
    found = conduct.config_of_model("configs/compare.py", ["mlp", "cnn"])
    assert found == "configs/compare.py:cnn"
    found = conduct.config_of_model("configs/compare.py", ["mlp", "cnn"], "search_")
    assert found == "configs/compare.py:search_cnn"
    assert COMPARE.get_config("search_mlp").train.epochs == COMPARE.SEARCH_EPOCHS["mlp"]
    monkeypatch.setattr(sys, "argv", ["compare.py", "--model=none"])  # refused later
    assert conduct.config_of_model("x.py", ["mlp"]) == "x.py:mlp"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model=mpl"],
        ["--seeds=0"],
        ["--minutes=-1"],
        ["--config.x=1"],
        ["--methods=none,dropuot"],
    ],
)
def test_a_wrong_flag_is_one_line_and_exit_code_2(execute, tmp_path, capsys, arguments):
    assert execute("compare.py", *arguments, f"--workdir={tmp_path / 'a'}") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", ["course", "small_data"])
def test_studies_report_from_a_full_ledger(execute, tmp_path, monkeypatch, name):
    monkeypatch.setattr(worker, "run_group", lambda *_, **__: pytest.fail("ran again"))
    study = load_module(ROOT / "configs" / f"{name}.py")
    ledger = sweeps.Ledger(tmp_path / "ledger.jsonl")
    for trial in sweeps.plan(name, study.get_config(), study.sweep(2)):
        ledger.append(line(trial, 0.85 + trial.seed / 100))
    flags = ["--seeds=2", f"--ledger={ledger.path}", f"--workdir={tmp_path}"]
    assert execute(f"{name}.py", *flags) == 0
    page = (tmp_path / "report" / "report.html").read_text()
    for text in getattr(study, "PUBLISHED", {}).values():
        assert text in page  # the published number stands beside ours
    written = (tmp_path / "results.jsonl").read_text().splitlines()
    assert len(written) == 2 * len(study.ARMS)
    assert json.loads(written[0])["arm"] == study.BASELINE
