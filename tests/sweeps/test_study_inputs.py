# SPDX-License-Identifier: Apache-2.0
"""A study whose data, plugin or settings change: refused before anything runs."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import load_config
from dropout_jax.data import content
from dropout_jax.sweeps import (
    StudyDirectory,
    Trial,
    inputs,
    local,
    open_study,
    plan,
    unfinished,
    work,
)
from dropout_jax.sweeps import __main__ as sweeps_main
from dropout_jax.sweeps.described import planned
from dropout_jax.sweeps.search import begin, described
from dropout_jax.sweeps.searching import next_batch
from dropout_jax.sweeps.winners import winners
from dropout_jax.training import settings

ROOT = Path(__file__).parents[2]
CONFIG = """
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps.distributions import uniform

def get_config():
    return override(defaults(), {{
        "data.name": {data!r}, "model.widths": (4,), "train.epochs": 1,
        "train.batch_size": 32, "plugin": {plugin!r},
    }})

def sweep():
    yield {{"arm": "none"}}
    yield {{"arm": "drop", "noise.kind": "dropout", "noise.rates": (0.2,)}}

def space():
    drop = {{"noise.kind": "dropout", "noise.rates": (uniform(0.1, 0.9),)}}
    return {{"drop": drop}}
"""


def write_data(path, seed=0):
    random, arrays = np.random.default_rng(seed), {}
    for split in ("train", "validation", "test"):
        arrays[f"{split}_images"] = random.integers(0, 255, (64, 4, 4)).astype(np.uint8)
        arrays[f"{split}_labels"] = (np.arange(64) % 3).astype(np.uint8)
    np.savez(path, **arrays)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with own.npz, plug.py and tiny.py, to work in."""
    monkeypatch.chdir(tmp_path)
    write_data("own.npz")
    Path("plug.py").write_text("x = 1\n")
    Path("tiny.py").write_text(CONFIG.format(data="own.npz", plugin=""))
    return tmp_path


@pytest.fixture
def call(monkeypatch, place):
    """Returns a function that runs a command, its trials in this process."""

    def run_local(study, trials, **_):
        calls.append(len(unfinished(study, trials)))
        inputs.begin(study)
        work(study, trials)

    calls = []
    monkeypatch.setattr(local, "run_local", run_local)

    def run(*arguments):
        argv = ["sweeps", *arguments]
        monkeypatch.setattr(sys, "argv", argv)
        return sweeps_main.main(argv)

    run.calls = calls
    return run


def files_of(directory):
    return {p: p.read_bytes() for p in Path(directory).rglob("*") if p.is_file()}


RUN = ("run", "--config=tiny.py", "--study=s")


def refused(call, capsys, *arguments):
    """The one line with which a command refuses, having written and run nothing."""
    before = files_of("s")
    calls = list(call.calls)
    capsys.readouterr()
    assert call(*arguments) == 2
    assert files_of("s") == before and call.calls == calls
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    return said


def test_data_that_change_under_a_study(call, capsys):
    """The reproduction: a file is replaced, and the study extended by a seed."""
    assert call(*RUN, "--seeds=2") == 0
    old = content.inputs("own.npz")["data"]
    write_data("own.npz", seed=1)
    new = content.inputs("own.npz")["data"]
    for again in ((*RUN, "--seeds=3"), (*RUN, "--seeds=2"), ("resume", "--study=s")):
        said = refused(call, capsys, *again)
        assert f"data own.npz {old:.12}..., and this process has" in said
        assert f"{new:.12}..." in said and "--accept_changes" in said
    assert call("plan", *RUN[1:], "--seeds=3") == 0
    assert "`run` will not run: s: its results were" in capsys.readouterr().out
    assert call(*RUN, "--seeds=3", "--accept_changes") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"drop [data {new:.8}]" in shown and f"none [data {new:.8}]" in shown
    lines = StudyDirectory("s").ledger.lines()
    found = {line["seed"]: line["data_sha256"] for line in lines}
    assert found == {0: old, 1: old, 2: new}
    # Accepted once, and for these two: the next command need not say it again.
    assert call("resume", "--study=s") == call("report", "--study=s") == 0
    write_data("own.npz", seed=2)
    refused(call, capsys, "resume", "--study=s")
    write_data("own.npz")
    assert call("resume", "--study=s") == 0


def test_a_plugin_that_is_mended_under_a_study(call, capsys):
    Path("tiny.py").write_text(CONFIG.format(data="synthetic", plugin="plug.py"))
    assert call(*RUN, "--seeds=1", "--arms=none") == 0
    Path("plug.py").write_text("x = 2\n")
    said = refused(call, capsys, *RUN, "--seeds=2", "--arms=none")
    assert "with plugin plug.py " in said and "restore the plugin plug.py" in said


def test_a_setting_that_changes_under_a_study(call, capsys, monkeypatch):
    assert call(*RUN, "--seeds=1") == 0
    real = settings.numbers()
    changed = {**real, "jax_threefry_partitionable": False}
    monkeypatch.setattr(settings, "numbers", lambda: changed)
    said = refused(call, capsys, *RUN, "--seeds=2")
    assert "jax_threefry_partitionable=True, and this process has " in said
    assert "set JAX_THREEFRY_PARTITIONABLE=True" in said


def test_what_was_never_computed_is_not_compared(call, capsys, monkeypatch):
    """As a study that failed by a plugin, which is mended then."""
    monkeypatch.setattr(local, "run_local", lambda study, *_, **__: inputs.begin(study))
    assert call(*RUN, "--seeds=1") == 0
    write_data("own.npz", seed=1)
    assert call("resume", "--study=s") == 0
    about = StudyDirectory("s").about()
    assert about["inputs"]["data own.npz"] == content.inputs("own.npz")["data"]


def test_a_checkpoint_of_other_data_is_seen_before_anything_runs(call, capsys):
    assert call(*RUN, "--seeds=1") == 0
    (Path("s") / "ledger.jsonl").unlink()  # as if all were interrupted
    write_data("own.npz", seed=1)
    said = refused(call, capsys, "resume", "--study=s")
    assert "its results were computed with data own.npz" in said


def test_data_that_change_while_a_study_runs(place, monkeypatch):
    trials = planned("tiny.py", load_config("tiny.py"), seeds=2)
    study = StudyDirectory("s")
    study.extend(trials)
    append = study.ledger.append

    def replace_data(line):
        append(line)
        write_data("own.npz", seed=1)

    monkeypatch.setattr(study.ledger, "append", replace_data)
    with pytest.raises(UserError, match=r"s is computed with data own.npz .*has data"):
        work(study, trials)
    assert len(study.ledger.lines()) == 1


def test_published_lines_know_their_data_and_are_extended(call, capsys):
    """They name neither plugin nor settings: nothing stands against them."""
    assert call(*RUN, "--seeds=1") == 0
    ledger = Path("s/ledger.jsonl")
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    for line in lines:
        del line["parts"], line["format"]
    shutil.rmtree("s")
    Path("old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert call(*RUN, "--ledger=old.jsonl", "--seeds=1") == 0
    assert call.calls == [2]  # done already
    assert call(*RUN, "--ledger=old.jsonl", "--seeds=2") == 0
    assert call.calls == [2, 2]
    write_data("own.npz", seed=1)
    refused(call, capsys, *RUN, "--ledger=old.jsonl", "--seeds=3")


def test_a_ledger_is_compared_before_its_study_is_there(call, capsys):
    """A new directory, also one behind a link, where `..` leads elsewhere."""
    assert call(*RUN, "--ledger=all.jsonl", "--seeds=1") == 0
    Path("deep/er").mkdir(parents=True)
    Path("link").symlink_to("deep/er")
    for new in ("new", "link/new", "deep/new"):
        again = ("--config=tiny.py", f"--study={new}", "--ledger=all.jsonl")
        assert call("plan", *again, "--seeds=1") == 0
        shown = capsys.readouterr().out
        assert "2 training programs, about 0 s in one process" in shown
        write_data("own.npz", seed=1)
        assert "data own.npz" in refused(call, capsys, "run", *again, "--seeds=1")
        assert not Path(new).exists()
        write_data("own.npz")
        assert call("run", *again, "--seeds=1") == 0
        assert call.calls == [2]  # done already
        assert open_study(new).ledger.path.samefile("all.jsonl")
        assert not Path(StudyDirectory(new).about()["ledger"]).is_absolute()


def test_published_trials_are_done_for_a_study_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    file = "configs/compare.py:mlp"
    trials = planned(file, load_config(file), seeds=10)
    study = StudyDirectory(tmp_path / "absent", "results/compare_mlp.jsonl")
    assert len(trials) == 90 and unfinished(study, trials) == []


@pytest.mark.parametrize("path", sorted((ROOT / "results").rglob("*.jsonl")))
def test_committed_ledgers_have_one_value_for_each_input(path):
    """So each of them is read, extended and reported without a flag."""
    if path.name.endswith("_models.jsonl"):
        assert "trials" in json.loads(path.read_text().splitlines()[0])
        return
    study = StudyDirectory(path.parent, path)
    lines = study.ledger.lines()
    trials = [
        Trial("s", line["arm"], line["config"], id_)
        for id_, line in study.ledger.by_trial().items()
    ]
    counted = [line for line in lines if "withdrawn" not in line]
    assert len(inputs.recorded(study, trials)) == len(trials) == len(counted) > 0
    inputs.refuse_mixed(study, trials)


def test_a_search_never_chooses_between_results_of_two_data_sets(place, call, capsys):
    study = StudyDirectory("s")
    options = {"sampler": "random", "trials": 2, "at_once": 1, "reduction": 0}
    search = described("tiny.py", load_config("tiny.py"), **options)
    begin(study, search)
    work(study, next_batch(study, search))
    assert winners(study, search)["drop"]
    write_data("own.npz", seed=1)
    flags = ("--config=tiny.py", "--study=s", "--sampler=random", "--trials=2")
    said = refused(call, capsys, "search", *flags, "--reduction=0")
    assert "its results were computed with data own.npz" in said
    said = refused(call, capsys, "resume", "--study=s", "--accept_changes")
    assert "begin another search" in said
    lines = study.ledger.lines()
    config = {**lines[0]["config"], "seed": 7}
    other = {**lines[0], "seed": 7, "config": config}
    other["parts"] = [{**p, "inputs": {"data": "0" * 64}} for p in other["parts"]]
    (planned_,) = study.trials()
    again = plan("tiny", planned_.config, [{"arm": "drop", "seed": 7}])
    study.extend(again, test=False)
    study.ledger.append(other)
    with pytest.raises(UserError, match="must not be compared"):
        winners(study, search)
    with pytest.raises(UserError, match="must not be compared"):
        next_batch(study, search)


def test_a_search_takes_no_results_of_other_data_from_a_ledger(call, capsys):
    """All of its trials are there, and nothing is left to run."""
    flags = ("--config=tiny.py", "--sampler=random", "--trials=2", "--reduction=0")
    flags += ("--ledger=all.jsonl",)
    assert call("search", *flags, "--study=s") == 0
    ran = list(call.calls)
    assert call("search", *flags, "--study=again") == 0 and call.calls == ran
    write_data("own.npz", seed=1)
    said = refused(call, capsys, "search", *flags, "--study=new")
    assert "new: its results were computed with data own.npz" in said
    assert not Path("new/plan.jsonl").exists()
    assert not Path("new/winners.json").exists()


def test_a_search_is_not_offered_to_accept_what_it_never_does(call, capsys):
    flags = ("--config=tiny.py", "--sampler=random", "--trials=2", "--reduction=0")
    search = ("search", *flags, "--ledger=all.jsonl")
    assert call(*search, "--study=s") == 0
    write_data("own.npz", seed=1)
    other = (*search, "--study=new")
    for again in ((*search, "--study=s"), other, ("resume", "--study=s")):
        said = refused(call, capsys, *again)
        assert said.endswith(
            "restore the data own.npz, or choose another --study and --ledger\n"
        )
    with pytest.raises(UserError) as error:
        inputs.begin(open_study("s"))  # as each executor does
    assert "--accept_changes" not in str(error.value)


def test_a_line_says_with_what_and_where(study, trials, console):
    work(study, trials(0), console=console, workers=2)
    (line,) = study.ledger.lines()
    (part,) = line["parts"]
    assert part["inputs"]["data"] == line["data_sha256"]
    assert part["inputs"]["jax_enable_x64"] is False
    assert part["versions"] == line["versions"] and part["workers"] == 2
    assert line["device"] == f"{part['device']}, {part['threads']} threads"
    assert part["processor"] and part["vector_extensions"]
