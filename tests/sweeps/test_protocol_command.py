# SPDX-License-Identifier: Apache-2.0
"""`python -m dropout_jax.sweeps protocol`: what a user types, sees and finds."""

import json
from pathlib import Path

import numpy as np
import pytest

from dropout_jax.data import load
from dropout_jax.sweeps import local, open_study, work
from dropout_jax.sweeps.__main__ import main
from dropout_jax.sweeps.protocol import load_protocol
from dropout_jax.training.prepare import prepare
from protocols import Pretender

ROOT = Path(__file__).parents[2]
PRETENDED = """
from protocols import BASE, LARGE, SMALL, make
def get_config(): return BASE
def protocol(): return make({"small": SMALL, "large": LARGE})
"""
REAL = """
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps.protocol import Cell, Gate, Method, Protocol

def get_config():
    return override(defaults(), {
        "data.name": "synthetic", "data.split": "drawn", "data.train_size": 64,
        "data.validation_size": 50, "train.batch_size": 32, "train.epochs": 1,
    })

def protocol():
    methods = {
        "none": Method(),
        "dropout": Method(
            {"noise.kind": "dropout"}, (0.1, 0.5), lambda r: {"noise.rates": (r,)}
        ),
    }
    cell = Cell(
        {"model.widths": (4,)},
        learning_rates=(0.01,),
        baseline_learning_rates=(0.001, 0.01),
        searches=((4,), (5,)),
        finals=((0,), (1,)),
        curves=(2,),
    )
    gate = Gate((3,), points=100.0, nll=10.0)
    return Protocol({"tiny": cell}, methods, "none", gate)
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs the command in tmp_path; a formula trains unless `train` is set."""
    file = tmp_path / "a.py"
    file.write_text(PRETENDED)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*flags, train=None):
        pretender = Pretender()

        def pretend(study, trials, *, workers, threads, minutes, console):
            (train or pretender)(study, trials, minutes)

        monkeypatch.setattr(local, "run_local", pretend)
        study = f"--study={tmp_path / 'study'}"
        given = ["sweeps", "protocol", f"--config={file}", study, *flags]
        assert main(given) == 0
        return [name for name, _ in pretender.done]

    run.file = file
    return run


def test_all_of_it(command, tmp_path, capsys):
    ledgers = tmp_path / "results"
    done = command(f"--ledgers={ledgers}")
    shown = capsys.readouterr().out
    assert "choices of small" in shown and "gate of large: 2 times" in shown
    assert "nothing is left" in shown
    names = {path.name for path in ledgers.iterdir()}
    stages = ("search.jsonl", "gate.jsonl", "final.jsonl", "curve.jsonl")
    assert names == {
        f"{cell}_{kind}"
        for cell in ("small", "large")
        for kind in (*stages, "choices.json")
    }
    assert done and command(f"--ledgers={ledgers}") == []
    about = open_study(tmp_path / "study" / "large_final").about()
    assert about["reporting"]["baseline"] == "none"
    assert about["name"] == "a_large_final"


def test_some_cells_and_stages(command, tmp_path, capsys):
    assert set(command("--cells=large", "--stages=search")) == {"large_search"}
    assert set(command("--cells=large", "--stages=gate")) == {"large_gate"}
    assert (tmp_path / "study" / "ledgers" / "large_gate.jsonl").exists()
    capsys.readouterr()
    assert command("--status") == []
    shown = capsys.readouterr().out
    assert (
        "0 of 96" in shown
        and "96 of 96" in shown
        and "no estimate yet of small" in shown
    )


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--cells=tiny", "--cells: 'tiny' is none of small, large"),
        ("--stages=test", "--stages: 'test' is none of search, gate, final, curve"),
        ("--address=head:1", "needs --executor=ray"),
    ],
)
def test_a_wrong_flag_is_one_line(command, tmp_path, capsys, flag, says):
    study = f"--study={tmp_path / 'study'}"
    assert main(["sweeps", "protocol", f"--config={command.file}", study, flag]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and says in error
    assert not (tmp_path / "study").exists()


def test_a_real_protocol_from_search_to_curve(command, tmp_path, console):
    """Real runs in this process: drawn data, tested in the final stage alone."""
    command.file.write_text(REAL)

    def train(study, trials, minutes):
        assert work(study, trials, console=console)

    command("--accept_ends", train=train)
    ledgers = tmp_path / "study" / "ledgers"
    lines = {
        path.stem: [json.loads(text) for text in path.read_text().splitlines()]
        for path in ledgers.glob("*.jsonl")
    }
    assert len(lines["tiny_search"]) == 8 and len(lines["tiny_curve"]) == 3
    for name, found in lines.items():
        for line in found:
            assert ("test" in line["result"]) == (name == "tiny_final")
            assert line["result"]["status"] == "done"
    by_arm = {line["arm"]: line for line in lines["tiny_final"] if line["seed"] == 1}
    study = open_study(tmp_path / "study" / "tiny_final")
    wanted = load("synthetic", split="drawn", seed=1, train_size=64, validation_size=50)
    for trial in study.trials():
        if trial.seed == 1 and trial.arm in by_arm:
            found = prepare(trial.config).dataset
            np.testing.assert_array_equal(found.train_images, wanted.train_images)
    assert by_arm.keys() == {"none", "dropout"}
    chosen = json.loads((ledgers / "tiny_choices.json").read_text())
    assert chosen["gate"]["dropout"]["passed"]
    rate = chosen["searches"][1]["methods"]["dropout"]["accuracy"]["strength"]
    assert [rate] in [
        line["config"]["noise"]["rates"]
        for line in lines["tiny_final"]
        if line["arm"] == "dropout"
    ]
    # Nothing is left to do: no process may start.
    command("--accept_ends", train=lambda *_: pytest.fail("a trial was run twice"))


def test_the_pilot_shares_no_seed_with_the_answer():
    def seeds(which):
        found = load_protocol(f"{ROOT / 'configs' / 'answer.py'}:{which}")
        each = [found.gate.seeds]
        for cell in found.cells.values():
            each += [*cell.searches, *cell.finals, cell.curves]
        return {seed for of_stage in each for seed in of_stage}

    assert seeds("pilot") and not seeds("pilot") & seeds("answer")


def test_the_ready_made_protocol_is_whole(capsys, tmp_path):
    config, study = f"--config={ROOT / 'configs' / 'answer.py'}", tmp_path / "study"
    given = ["sweeps", "protocol", config, f"--study={study}", "--status"]
    assert main(given) == 0
    assert "mlp_1000" in capsys.readouterr().out and not study.exists()
