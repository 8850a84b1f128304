# SPDX-License-Identifier: Apache-2.0
"""The directory of a study: one plan that only grows, one holder per trial."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import pytest

import pretended
from dropout_jax.config import UserError, defaults
from dropout_jax.config.loading import override
from dropout_jax.stored import Damaged
from dropout_jax.sweeps import (
    StudyDirectory,
    across_seeds,
    by_program,
    heartbeat,
    open_study,
    plan,
    status,
)
from dropout_jax.sweeps.groups import batches
from dropout_jax.sweeps.trials import names

HOLDER = """
import sys, time
from dropout_jax.sweeps import open_study
study = open_study(sys.argv[1])
with study.claim(study.trials()[0]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_plan_only_grows(study, trials):
    before = (study.path / "plan.jsonl").read_text()
    assert study.extend(trials(0, 1)) == 0
    assert study.extend(trials(2, 3)) == 1
    after = (study.path / "plan.jsonl").read_text()
    assert after.startswith(before)
    found = open_study(study.path).trials()
    assert [(t.id, t.arm, t.seed, t.config) for t in found] == [
        (t.id, t.arm, t.seed, t.config) for t in trials(0, 1, 2, 3)
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan[: len(plan) // 2],
        lambda plan: plan.replace(b'"seed": 0', b'"seed": 7'),
    ],
    ids=["cut", "another seed"],
)
def test_a_plan_that_is_not_what_was_written_is_refused(study, change):
    path = study.path / "plan.jsonl"
    written = path.read_bytes()
    path.write_bytes(change(written))
    assert path.read_bytes() != written
    with pytest.raises(Damaged, match=r"plan.jsonl is damaged.*mends it"):
        open_study(study.path).trials()


def test_a_wrong_trial_writes_nothing(tmp_path, trials):
    wrong = {"arm": "b", "noise.kind": "dropout", "noise.rates": (1.5,)}
    sweep = [{"arm": "a", "seed": seed} for seed in range(499)] + [wrong]
    with pytest.raises(UserError, match=r"trial 499 .*'b'.*noise.rates=\(1.5,\)"):
        StudyDirectory(tmp_path / "s").extend(plan("s", defaults(), sweep))
    assert not (tmp_path / "s").exists()


def test_the_directory_of_another_study_is_refused(study, trials, tmp_path):
    (other,) = plan("other", defaults(), [{"arm": "none"}])
    with pytest.raises(UserError, match="belongs to study 'study'"):
        study.extend([other])
    with pytest.raises(UserError, match="choose another directory"):
        StudyDirectory(study.path, tmp_path / "elsewhere.jsonl").extend(trials(0))
    with pytest.raises(UserError, match="choose another directory"):
        study.extend(trials(0), test=False)
    with pytest.raises(UserError, match="holds no study"):
        open_study(tmp_path)


def test_a_study_can_be_moved_with_its_ledger(tmp_path, trials):
    ledger = tmp_path / "a" / "results" / "ledger.jsonl"
    StudyDirectory(tmp_path / "a" / "study", ledger).extend(trials(0))
    shutil.move(tmp_path / "a", tmp_path / "b")
    found = open_study(tmp_path / "b" / "study")
    assert found.ledger.path.resolve() == tmp_path / "b" / "results" / "ledger.jsonl"
    assert found.extend(trials(0)) == 0


def test_a_ledger_elsewhere_is_made_with_the_study_alone(tmp_path, trials):
    """What lies on a disk may not make files outside of its directory."""
    ledger = tmp_path / "results" / "ledger.jsonl"
    StudyDirectory(tmp_path / "study", ledger).extend(trials(0))
    assert open_study(tmp_path / "study").ledger.lines() == []
    ledger.unlink()
    with pytest.raises(UserError, match="which is not there; the command that began"):
        open_study(tmp_path / "study")
    assert not ledger.exists()


@pytest.mark.parametrize("room", ["claims", "failures", "workers", "trials", "groups"])
def test_no_link_in_a_study_is_followed(study, tmp_path, room):
    (study.path / room).mkdir(exist_ok=True)
    (study.path / room / "x").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=f"{room}/x is a link"):
        open_study(study.path)


def test_a_study_is_nobody_elses_to_read(study):
    assert study.path.stat().st_mode & 0o777 == 0o700


def test_what_others_wrote_is_told_in_one_line(study, trials, console):
    (failed, running, _) = trials(0, 1, 2)
    for _ in range(3):
        study.record_failure(failed.id, "a bell \a and\nmore")
    (study.path / "failures" / ("1" * 64)).mkdir()
    values = {**heartbeat.WAITING, "doing": "\x1b[2J", "trials": [running.id]}
    heartbeat.write(study.path / "workers" / "1.json", values)
    with study.claim(running):
        status.show_status(study, console)
    said = console.file.getvalue()
    assert r"a bell \x07 and more" in said and r"\x1b[2J" in said
    assert not {"\a", "\x1b"} & set(said)


def test_a_pipe_in_a_study_is_refused(study):
    (study.path / "plan.jsonl").unlink()
    os.mkfifo(study.path / "plan.jsonl")
    with pytest.raises(UserError, match=r"plan\.jsonl is a pipe or a device"):
        open_study(study.path)


def test_a_study_that_may_not_be_read_is_told(study, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(study.path), "read_bytes", denied)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        study.about()


@pytest.mark.parametrize("name", ["", "\x1b[2J", "n" * 101])
def test_a_study_has_a_name_that_can_be_printed(name):
    with pytest.raises(UserError, match="a study needs a name"):
        plan(name, defaults(), [{"arm": "none"}])


def test_what_reports_cannot_be_told_is_not_written(tmp_path, trials):
    with pytest.raises(UserError, match="says nothing on how to report"):
        StudyDirectory(tmp_path / "s").extend(trials(0), reporting={"title": 3})
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("arm", ["", " ", "two\nlines", "\x1b[2J", "a" * 101])
def test_an_arm_has_a_name_that_can_be_printed(study, trials, arm):
    with pytest.raises(UserError, match="for an arm"):
        plan("study", defaults(), [{"arm": arm}])
    (trial,) = trials(9)
    study.extend([dataclasses.replace(trial, arm=arm)])
    with pytest.raises(Damaged, match="is no name of an arm"):
        study.trials()


@pytest.mark.parametrize(
    "told",
    [
        {"title": 3},
        {"baseline": ""},
        {"notes": "a text"},
        {"notes": [3]},
        {"published": {"a": 1.0}},
        {"search_budget": {"a": True}},
        {"directory": "elsewhere"},
    ],
)
def test_what_reports_are_told_is_of_their_kind(study, told):
    path = study.path / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reporting": told}))
    with pytest.raises(Damaged, match="says nothing on how to report"):
        open_study(study.path)


def test_trials_that_lack_fields_have_names(trials):
    old, new = trials(0, 1)
    lacks = dataclasses.replace(old, values={"seed": 0, "noise": {"rates": [0.2]}})
    named = names([lacks, new])
    assert named[new.id].endswith("seed 1") and "kind=None" in named[lacks.id]


def test_names_are_no_markup(study, trials, console):
    (trial,) = trials(9)
    study.extend([dataclasses.replace(trial, arm="[/red] [x]")])
    status.show_status(study, console)
    assert "[/red] [x]" in console.file.getvalue()


def test_one_process_holds_a_trial(study, trials):
    one, two = trials(0, 1)
    other = StudyDirectory(study.path)
    with study.claim(one) as mine, other.claim(one) as its, other.claim(two) as third:
        assert (mine, its, third) == (True, False, True)
        assert study.claimed(one) and study.claimed(two)
    assert not study.claimed(one) and not study.claimed(trials(2)[0])
    with other.claim(one) as its:
        assert its


def test_a_claim_ends_with_its_process(study, trials):
    (one,) = trials(0)
    holder = [sys.executable, "-c", HOLDER, str(study.path)]
    with subprocess.Popen(holder, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        held = study.claimed(one)
        child.kill()
        child.wait(timeout=60)
    assert held and not study.claimed(one)


def ledger_line(trial, status="done"):
    found = pretended.result(status)
    about = {"arm": trial.arm, "seed": trial.seed, "history": {}}
    return {**about, "config": dict(trial.values), "result": found}


def test_states_of_trials(study, trials):
    done, diverged, running, failed, waiting = trials(0, 1, 2, 3, 4)
    study.extend([failed, waiting])
    for trial, state in ((done, "done"), (diverged, "diverged")):
        study.ledger.append(ledger_line(trial, state))
    for _ in range(3):
        study.record_failure(failed.id, "it broke")
    study.record_failure(waiting.id, "once is not enough")
    with study.claim(running):
        found = status.states(study, study.trials())
    assert found == {
        done.id: "done",
        diverged.id: "diverged",
        running.id: "running",
        failed.id: "failed",
        waiting.id: "waiting",
    }


def test_trials_that_share_a_program_are_one_group():
    sweep = [
        {"arm": "none"},
        {"arm": "wide", "model.widths": (512,)},
        {"arm": "decay", "regularizer.weight_decay": 0.1, "seed": 3},
        {"arm": "drop", "noise.kind": "dropout", "noise.rates": (0.1,)},
        {"arm": "drop", "noise.kind": "dropout", "noise.rates": (0.5,)},
        {"arm": "other data", "data.name": "synthetic", "data.train_size": 512},
    ]
    groups = by_program(plan("s", defaults(), sweep))
    found = [[trial.arm for trial in group] for group in groups]
    assert found == [["none", "decay"], ["wide"], ["drop", "drop"], ["other data"]]


def test_the_report_is_told_of_the_planned_trials_alone(study, trials):
    for trial in (*trials(5), *trials(1)):
        study.ledger.append(ledger_line(trial))
    path = study.write_lines(study.trials())
    assert [json.loads(line)["seed"] for line in path.read_text().splitlines()] == [1]


def test_trials_in_step_share_their_images():
    """By seed where each draws its own; and by how many images validate."""
    settings = [
        {"arm": "given"},
        {"arm": "drawn", "data.split": "drawn"},
        {"arm": "decay", "data.split": "drawn", "regularizer.weight_decay": 0.1},
        {"arm": "few", "data.validation_size": 50},
    ]
    base = override(defaults(), {"data.name": "synthetic", "data.train_size": 64})
    trials = plan(
        "s", override(base, {"train.batch_size": 32}), across_seeds(settings, 2)
    )
    assert len(by_program(trials)) == 1
    found = [[(t.arm, t.seed) for t in batch] for batch in batches(trials, 64)]
    assert found == [
        [("given", 0), ("given", 1)],
        [("drawn", 0), ("decay", 0)],
        [("few", 0), ("few", 1)],
        [("drawn", 1), ("decay", 1)],
    ]
