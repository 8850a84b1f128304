# SPDX-License-Identifier: Apache-2.0
"""`python -m dropout_jax.sweeps`: from a config file to an answer, and wrong input."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from dropout_jax.sweeps import __main__ as sweeps_main
from dropout_jax.sweeps import described, local, work
from dropout_jax.sweeps.trials import across_seeds
from dropout_jax.training.plugin import _LOADED

ROOT = Path(__file__).parents[2]
CONFIG = """
from dropout_jax.config import defaults
from dropout_jax.config.loading import override

TITLE = "Tiny"
BASELINE = "none"

def get_config(size="64"):
    return override(defaults(), {
        "data.name": "synthetic", "data.train_size": int(size), "model.widths": (4,),
        "train.epochs": 1, "train.batch_size": 32,
    })

def sweep(size="64"):
    yield {"arm": "none"}
    for rate in (0.2, 0.5):
        yield {"arm": "dropout", "noise.kind": "dropout", "noise.rates": (rate,)}
    yield {"arm": "once", "noise.kind": "dropout", "noise.rates": (0.9,), "seed": 7}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.py"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture
def call(monkeypatch, quick_environment):
    """Returns a function that runs a command, in this process but for its workers."""
    for name, value in quick_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        argv = ["sweeps", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", argv)
        return sweeps_main.main(argv)

    return run


@pytest.mark.long
def test_a_study_from_plan_to_report(call, config, tmp_path, capsys):
    study = tmp_path / "study"
    flags = [f"--config={config}:96", "--seeds=2"]
    assert call("plan", *flags) == 0
    shown = capsys.readouterr().out
    assert "7 trials, 2 training programs" in shown and not study.exists()

    assert call("run", *flags, f"--study={study}", "--workers=2") == 0
    shown = capsys.readouterr().out
    assert "[7/7] " in shown and "report.html" in shown
    lines = [json.loads(x) for x in (study / "ledger.jsonl").read_text().splitlines()]
    assert len({line["trial"] for line in lines}) == len(lines) == 7
    assert {line["config"]["data"]["train_size"] for line in lines} == {96}
    assert "Tiny" in (study / "report" / "report.html").read_text()

    # Again, extended, and from the directory alone: nothing runs twice.
    assert call("run", *flags, f"--study={study}", "--arms=none") == 0
    assert "[1/" not in capsys.readouterr().out
    assert call("resume", f"--study={study}") == call("retry", f"--study={study}") == 0
    assert call("status", f"--study={study}") == 0
    rows = capsys.readouterr().out.splitlines()
    (total,) = [row for row in rows if row.startswith("│ all")]
    assert total.split("│")[2].strip() == "7"
    assert call("report", f"--study={study}") == 0
    assert len((study / "ledger.jsonl").read_text().splitlines()) == 7


def test_a_plugin_runs_when_a_user_says_so(call, config, tmp_path, capsys, monkeypatch):
    """`run` has it from the user's own command, `resume` from a file."""
    monkeypatch.setattr(
        local, "run_local", lambda study, trials, **_: work(study, trials)
    )
    plugin, study = tmp_path / "own.py", tmp_path / "study"
    plugin.write_text("import pathlib\npathlib.Path(__file__ + '.ran').touch()\n")
    ran = tmp_path / "own.py.ran"
    flags = [f"--config={config}", f"--config.plugin={plugin}", f"--study={study}"]
    assert call("run", *flags, "--arms=none", "--seeds=1", "--workers=1") == 0
    assert ran.exists()
    ran.unlink()
    _LOADED.clear()  # as in another process
    (study / "ledger.jsonl").unlink()
    shutil.rmtree(study / "trials")
    assert call("resume", f"--study={study}", "--workers=1") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"{plugin}', Python code that would" in said
    assert not ran.exists()
    assert call("resume", f"--study={study}", "--workers=1", "--trust_plugin") == 0
    assert ran.exists()


def test_a_published_study_reports_from_its_ledger(call, tmp_path, capsys, monkeypatch):
    """What a fresh clone does with results/: nothing is trained."""
    monkeypatch.setattr(local, "run_local", lambda *_, **__: pytest.fail("ran again"))
    ledger, study = ROOT / "results" / "course.jsonl", tmp_path / "study"
    flags = [f"--config={ROOT}/configs/sweeps/course.py:5", "--seeds=10"]
    assert call("run", *flags, f"--ledger={ledger}", f"--study={study}") == 0
    assert ".5/.2, 5 epochs" in capsys.readouterr().out
    page = (study / "report" / "report.html").read_text()
    assert "85.9; 83.1; 81.3" in page  # as published, beside ours
    assert "unlike what" not in page


def test_a_command_for_some_methods_leaves_the_others_in_the_report(
    call, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(local, "run_local", lambda *_, **__: pytest.fail("ran again"))
    ledger, study = ROOT / "results" / "small_data.jsonl", tmp_path / "study"
    flags = [f"--config={ROOT}/configs/sweeps/small_data.py", "--seeds=10"]
    flags += [f"--ledger={ledger}", f"--study={study}"]
    commands = [["run", *flags], ["run", *flags, "--arms=dropout .5"]]
    for command in commands:
        monkeypatch.setattr("sys.argv", ["sweeps", *command])
        assert call(*command) == 0
    table = (study / "report" / "table.csv").read_text()
    assert "variational dropout" in table and "weight decay 1" in table
    told = json.loads((study / "study.json").read_text())["reporting"]
    assert len(told["command"].splitlines()) == 2
    page = (study / "report" / "report.html").read_text()
    assert page.count("python -m dropout_jax.sweeps run ") == 2


def test_the_report_says_what_flags_changed(call, config, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "run_local", lambda *_, **__: None)
    flags = ["--seeds=1", "--config.train.epochs=2", "--config.seed=5"]
    flags += ["--config.train.checkpoint_seconds=1"]
    study = tmp_path / "study"
    assert call("run", f"--config={config}", f"--study={study}", *flags) == 0
    told = json.loads((study / "study.json").read_text())["reporting"]
    (note,) = told["notes"]
    assert note == "Run with train.epochs=2, unlike what the config file says."
    assert call("run", f"--config={config}", f"--study={tmp_path / 'b'}") == 0
    told = json.loads((tmp_path / "b" / "study.json").read_text())["reporting"]
    assert "notes" not in told


def test_a_trial_that_fails_is_told_with_its_reason(
    call, config, tmp_path, capsys, monkeypatch
):
    study = tmp_path / "study"

    def fail(directory, trials, **_):
        for _ in range(3):
            directory.record_failure(trials[0].id, "it broke")

    monkeypatch.setattr(local, "run_local", fail)
    assert call("run", f"--config={config}", f"--study={study}", "--seeds=1") == 1
    error = capsys.readouterr().err
    assert error.startswith("failed: once seed 7: it broke; see ")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["rnu"], "'rnu' is no command: the nearest is run"),
        (["run"], "--study is missing"),
        (["run", "--study=x", "--seeds=0"], "--seeds"),
        (["run", "--study=x", "--workers=-1"], "--workers"),
        (
            ["run", "--study=x", "--arms=none,dropuot"],
            "; did you mean dropout?",
        ),
        (["run", "--study=x", "--config.noise.rate=1"], "noise.rate"),
        (["run", "--study=x", "--config=train.py"], "get_config"),
        (["run", "--study=x", "--config=configs/mlp.py"], "has no function sweep()"),
        (["status", "--study=x"], "x holds no study"),
        (["status"], "--study"),
        (["resume", "--study=x", "--workers=many"], "'many' is no number of processes"),
        (["report", "--studi=x"], "--stud"),
    ],
    ids=str,
)
def test_wrong_input_is_one_line_and_exit_code_2(call, capsys, arguments, message):
    assert call(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize("command", ["", "--help", "run --help", "status --help"])
def test_help(call, capsys, command):
    try:
        code = call(*command.split())
    except SystemExit as end:  # argparse
        code = end.code
    assert code == 0
    assert "study" in capsys.readouterr().out


def test_settings_are_crossed_with_seeds_but_for_those_that_name_one():
    settings = [{"arm": "a"}, {"arm": "b", "seed": 9}, {"arm": "c"}]
    found = [(f["arm"], f["seed"]) for f in across_seeds(settings, 2)]
    assert found == [("b", 9), ("a", 0), ("c", 0), ("a", 1), ("c", 1)]


def test_what_a_config_file_says_of_its_report(config):
    assert described.reporting(f"{config}:96") == {"title": "Tiny", "baseline": "none"}
    assert described.name_of(f"{config}:96") == "tiny_96"
    path = Path(config)
    functions = """
from textwrap import indent as notes
def search_budget(size="64"): return {"none": int(size)}
def published(size="64"): return {"none": "90." + size}
"""
    path.write_text(path.read_text() + functions)
    found = described.reporting(f"{config}:96")
    assert found["search_budget"] == {"none": 96} and "TITLE" not in found
    assert found["published"] == {"none": "90.96"}
    assert "notes" not in found  # a function of somebody else's
    assert described.name_of("a/b.py") == "b"


def test_a_sweep_that_does_not_run_is_one_line(call, config, tmp_path, capsys):
    path = tmp_path / "broken.py"
    path.write_text(CONFIG.replace("(0.2, 0.5):", "(0.2, 1 / 0):"))
    study = tmp_path / "study"
    assert call("run", f"--config={path}", f"--study={study}") == 2
    error = capsys.readouterr().err
    assert "broken.py, line" in error and "ZeroDivisionError" in error
    assert error.count("\n") == 1 and not study.exists()
