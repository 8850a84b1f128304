# SPDX-License-Identifier: Apache-2.0
"""Trials of a ledger trained again: what is equal is said to be, and what is not."""

import json
import signal
import subprocess
import sys

import pytest

from dropout_jax.config import Interrupted
from dropout_jax.sweeps import StudyDirectory, local, verify, work
from dropout_jax.sweeps.__main__ import main
from dropout_jax.sweeps.ledger import Ledger


@pytest.fixture
def lines(study, trials):
    work(study, trials(0, 1, 2))
    return study.ledger.lines()


def test_the_same_bits_again(lines):
    assert [verify.repeat(line) for line in lines] == [{}, {}, {}]


def test_whatever_differs_is_named(lines):
    line = lines[1]
    line["result"]["metrics_sha256"] = "0" * 64
    line["result"]["test"]["nll"] += 1e-7
    line["sets"]["last"]["parameters_sha256"] = "0" * 64
    assert verify.repeat(line).keys() == {
        "metrics_sha256",
        "test.nll",
        "sets.last.parameters_sha256",
    }


def test_a_run_that_left_the_test_set_alone_is_repeated_so(
    tmp_path, trials, monkeypatch
):
    study, asked = StudyDirectory(tmp_path / "search"), []
    study.extend(trials(0), test=False)
    work(study, trials(0))

    def watched(*args, test, **kwargs):
        asked.append(test)
        return run(*args, test=test, **kwargs)

    run = verify.run
    monkeypatch.setattr(verify, "run", watched)
    (line,) = study.ledger.lines()
    assert verify.repeat(line) == {} and asked == [False]


def test_interrupted_it_says_how_far_it_came(lines, tmp_path, monkeypatch, capsys):
    answers = iter([{}, Interrupted(tmp_path, signal.SIGTERM)])

    def repeat(line):
        found = next(answers)
        if isinstance(found, Interrupted):
            raise found
        return found

    monkeypatch.setattr(verify, "repeat", repeat)
    monkeypatch.setattr(local, "take_share", lambda *_: None)
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["sweeps", "verify", f"--ledger={ledger}"]) == 143
    out, error = capsys.readouterr()
    assert "interrupted: 1 of 3 trials are compared" in out and not error


def sweeps(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "dropout_jax.sweeps", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


CONFIG = """
from dropout_jax.config import defaults
from dropout_jax.config.loading import override


def get_config():
    return override(
        defaults(),
        {"data.name": "synthetic", "model.widths": (4,), "train.epochs": 1},
    )


def sweep():
    yield {"arm": "none"}
"""


def test_the_command_repeats_what_a_study_found(tmp_path):
    """Workers of a study have a thread each; what verifies has as many."""
    (tmp_path / "config.py").write_text(CONFIG)
    ledger = tmp_path / "ledger.jsonl"
    done = sweeps(
        "run",
        f"--config={tmp_path / 'config.py'}",
        f"--study={tmp_path / 'study'}",
        f"--ledger={ledger}",
        "--seeds=3",
        "--workers=2",
    )
    assert done.returncode == 0, done.stderr
    lines = Ledger(ledger).lines()
    lines[2]["result"]["parameters_sha256"] = "0" * 64
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = sweeps("verify", f"--ledger={ledger}", "--trials=2")  # first and last
    assert done.returncode == 1, done.stderr
    told = [
        line for line in done.stdout.splitlines() if "training it again" not in line
    ]
    first, last = told
    assert first.endswith(": equal") and first.startswith("none seed ")
    assert last.endswith("differs in parameters_sha256")


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--ledger=/nowhere/a.jsonl"], "there is no such file"),
        (["--ledger=LEDGER", "--trials=0"], "must be 1 or more"),
        (["--ledger=EMPTY"], "no line says with how many threads"),
        (["--ledger=MIXED"], "its runs have 1, 2 threads"),
    ],
)
def test_what_cannot_be_verified_is_said_in_one_line(
    arguments, says, lines, tmp_path, capsys
):
    (tmp_path / "EMPTY").touch()
    for number, threads in enumerate((2, 1)):
        lines[number]["parts"][-1]["threads"] = threads
    for name in ("LEDGER", "MIXED"):
        ledger = Ledger(tmp_path / name)
        for line in lines[:2]:
            ledger.append(line)
    found = [argument.replace("=", f"={tmp_path}/") for argument in arguments[:1]]
    found = arguments[:1] if "nowhere" in arguments[0] else found
    assert main(["sweeps", "verify", *found, *arguments[1:]]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
