# SPDX-License-Identifier: Apache-2.0
"""`python -m dropout_jax.sweeps search`: what a user types, sees and finds."""

import contextlib
import json
import sys

import pytest

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.config.missing import install
from dropout_jax.sweeps import (
    StudyDirectory,
    local,
    open_study,
    ray_cluster,
    ray_executor,
    work,
)
from dropout_jax.sweeps.__main__ import main
from dropout_jax.sweeps.distributions import log_uniform
from dropout_jax.sweeps.search import Search, begin
from dropout_jax.sweeps.searching import go_on
from dropout_jax.sweeps.space import arms_of
from dropout_jax.sweeps.winners import winners
from pretended import Killed, Pretender

CONFIG = """
from pretended import BASE, SPACE
def get_config(): return BASE
def space(): return SPACE
"""


@pytest.fixture
def sweeps(tmp_path, monkeypatch):
    """Runs a command on the study in tmp_path, whose trials a formula trains."""
    (tmp_path / "tiny.py").write_text(CONFIG)
    lives = []

    def pretend(study, trials, *, workers, threads, minutes, console):
        pretender = Pretender(study, *lives)
        pretender(trials, minutes)
        lives[:] = [pretender.life]

    monkeypatch.setattr(local, "run_local", pretend)

    def run(name, *flags, life=()):
        lives[:] = life
        return main(["sweeps", name, f"--study={tmp_path / 'study'}", *flags])

    run.config = f"--config={tmp_path / 'tiny.py'}"
    return run


def test_the_table_and_the_file_of_winners(sweeps, tmp_path, capsys):
    assert sweeps("search", sweeps.config, "--trials=4", "--at_once=2") == 0
    shown = capsys.readouterr().out
    assert "4 of 4 trials asked for in each of 2 arms" in shown
    assert "learning_rate=" in shown and "rates=(" in shown
    path = tmp_path / "study" / "winners.json"
    text = path.read_text()
    found = json.loads(text)
    assert (found["budget"], found["seed"], found["study"]) == (4, 1000, "tiny")
    assert found["done"] is True
    assert "test" not in text.replace("tests", "")
    study = open_study(tmp_path / "study")
    known = {trial.id: trial for trial in study.trials()}
    for arm, entry in found["arms"].items():
        assert sum(entry["trials"].values()) == 4
        config = override(defaults(), entry["fields"])
        chosen = known[entry["trial"]]
        assert chosen.arm == arm
        assert chosen.config.noise.rates == config.noise.rates
        assert chosen.config.optimizer.learning_rate == config.optimizer.learning_rate
    path.unlink()
    for command in ("report", "resume", "retry"):
        assert sweeps(command) == 0
        assert path.read_text() == text
        path.unlink()


def test_resume_needs_nothing_but_the_directory(sweeps, tmp_path, capsys):
    with pytest.raises(Killed):
        sweeps("search", sweeps.config, "--trials=5", "--sampler=random", life=[3])
    (tmp_path / "tiny.py").unlink()
    assert sweeps("status") == 0
    assert "2 of 5 trials asked for in each of 2 arms, 1 of them" in (
        " ".join(capsys.readouterr().out.split())
    )
    assert sweeps("report") == 0
    winners_so_far = json.loads((tmp_path / "study" / "winners.json").read_text())
    assert winners_so_far["done"] is False
    assert sweeps("resume") == 0
    study = open_study(tmp_path / "study")
    assert len(study.trials()) == len(study.ledger.lines()) == 10


def test_a_search_runs_on_ray_too_and_in_lanes(sweeps, tmp_path, monkeypatch):
    asked = []

    def pretend(study, trials, *, workers, threads, minutes, address, console):
        asked.append((workers, address))
        local.run_local(
            study,
            trials,
            workers=workers,
            threads=threads,
            minutes=minutes,
            console=console,
        )

    monkeypatch.setattr(ray_executor, "run_ray", pretend)
    monkeypatch.setattr(ray_cluster, "connected", contextlib.nullcontext)
    flags = ["--executor=ray", "--address=head:1", "--workers=3", "--lanes=2"]
    assert sweeps("search", sweeps.config, "--trials=2", *flags) == 0
    assert asked == [(3, "head:1")] * 2  # once for each batch
    assert open_study(tmp_path / "study").lanes() == 2
    # More trials: what the directory has stays as it is, lanes included.
    assert sweeps("search", sweeps.config, "--trials=3", "--lanes=5") == 0
    study = open_study(tmp_path / "study")
    assert study.lanes() == 2 and len(study.ledger.lines()) == 6 and len(asked) == 2


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--address=head:1"], "--address=head:1 needs --executor=ray"),
        (["--reduction=1"], "--reduction='1'"),
        (["--sampler=cma"], "--sampler='cma'"),
        (["--trials=0"], "--trials='0'"),
    ],
)
def test_a_wrong_flag_is_one_line(sweeps, tmp_path, capsys, flags, complaint):
    assert sweeps("search", sweeps.config, *flags) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and complaint in error
    assert not (tmp_path / "study").exists()


def test_a_config_file_without_space_is_one_line(sweeps, capsys):
    assert sweeps("search", "--config=configs/mlp.py") == 2
    assert "has no function space()" in capsys.readouterr().err


def test_a_space_smaller_than_the_budget_is_one_line(sweeps, tmp_path, capsys):
    words = "from dropout_jax.sweeps.distributions import choice\n"
    space = "SPACE = {'none': {'optimizer.learning_rate': choice(.1, .2, .3)}}\n"
    (tmp_path / "tiny.py").write_text(
        f"{words}{CONFIG.replace('BASE, SPACE', 'BASE')}{space}"
    )
    assert sweeps("search", sweeps.config, "--trials=4") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "'none': has 3 different settings, fewer than --trials=4" in error
    assert not (tmp_path / "study").exists()


def test_without_optuna_it_says_what_to_install(sweeps, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert sweeps("search", sweeps.config) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and install("optuna>=5.0", "search") in error
    assert not (tmp_path / "study").exists()


def test_a_real_search_prunes_and_leaves_the_test_set_alone(tmp_path, console):
    """Real runs: the loss at which a trial may go on is set where none can."""
    tiny = {
        "data.name": "synthetic",
        "data.train_size": 64,
        "model.widths": (4,),
        "seed": 1000,
        "train.epochs": 3,
        "train.batch_size": 32,
    }
    base = override(defaults(), tiny)
    arms = arms_of({"a": {"optimizer.learning_rate": log_uniform(1e-4, 1.0)}}, base)
    wanted = Search("real", base.to_dict(), arms, trials=3, rungs=(1,), reduction=3)
    study = StudyDirectory(tmp_path)
    begin(study, wanted)
    assert go_on(
        study, wanted, lambda t, m: work(study, t, console=console), console=console
    )
    lines = study.ledger.lines()
    losses = [line["history"]["validation_loss"] for line in lines]
    worst = losses[2][0] > min(losses[0][0], losses[1][0])
    expected = ["done", "done", "pruned" if worst else "done"]
    assert [line["result"]["status"] for line in lines] == expected
    assert [len(history) for history in losses] == [3, 3, 1 if worst else 3]
    assert all("test" not in line["result"] for line in lines)
    winner = winners(study, wanted)["a"]
    best = max(line["result"]["validation"]["accuracy"] for line in lines[:2])
    assert winner is not None and winner.accuracy >= best
    assert worst  # with this seed: else nothing was shown
