# SPDX-License-Identifier: Apache-2.0
"""A search: equal budgets, one seed, no test set; the same whatever befalls it."""

import json
import math

import pytest

import pretended
from dropout_jax.config import UserError
from dropout_jax.sweeps import StudyDirectory, halving, sampler, searching
from dropout_jax.sweeps.distributions import choice
from dropout_jax.sweeps.search import begin, load_search
from dropout_jax.sweeps.searching import go_on, next_batch, tried
from dropout_jax.sweeps.study import ATTEMPTS
from dropout_jax.sweeps.winners import winners
from pretended import EPOCHS, Killed, Pretender, do, found, make


@pytest.mark.parametrize(("at_once", "batches"), [(1, [2] * 6), (4, [8, 4])])
def test_every_arm_gets_the_budget_one_seed_and_no_test_set(
    tmp_path, console, at_once, batches
):
    wanted = make(trials=6, at_once=at_once)
    study, pretender = do(tmp_path, wanted, console)
    trials = study.trials()
    assert [len(batch) for batch in pretender.batches] == batches
    assert [trial.arm for trial in trials].count("none") == 6
    assert [trial.arm for trial in trials].count("dropout") == 6
    assert len({trial.id for trial in trials}) == 12
    assert {trial.seed for trial in trials} == {1000}
    assert study.tests() is False
    assert {trial.values["train"]["epochs"] for trial in trials} == {EPOCHS}


@pytest.mark.parametrize(("at_once", "name"), [(1, "tpe"), (3, "tpe"), (3, "random")])
def test_a_search_killed_again_and_again_is_the_undisturbed_one(
    tmp_path, console, at_once, name
):
    wanted = make(trials=12, at_once=at_once, sampler=name)
    study, _ = do(tmp_path / "whole", wanted, console)
    whole = found(study, wanted)
    assert {"done", "pruned"} == set(whole[1].values())
    kills = 0
    while True:
        try:
            study, _ = do(tmp_path / "killed", wanted, console, life=7)
            break
        except Killed:
            kills += 1
            assert load_search(study) == wanted
    assert kills == 3 and found(study, wanted) == whole


def test_killed_between_bounds_plan_and_results(tmp_path, console, monkeypatch):
    wanted = make(trials=6, at_once=2)
    study, _ = do(tmp_path / "whole", wanted, console)
    whole = found(study, wanted)

    study = StudyDirectory(tmp_path / "killed")
    begin(study, wanted)
    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(StudyDirectory, "extend", lambda *a, **k: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                next_batch(study, wanted)
        batch = next_batch(study, wanted)  # and killed before any of it runs
        bounds = (study.path / halving.FILE).read_text()
        assert [t.id for t in next_batch(study, wanted)] == [t.id for t in batch]
        Pretender(study)(batch[:3], 0)
        assert [t.id for t in next_batch(study, wanted)] == [batch[3].id]
        # What ended meanwhile is not held against the rest of its batch.
        assert (study.path / halving.FILE).read_text() == bounds
        Pretender(study)(batch, 0)
    assert next_batch(study, wanted) == [] and found(study, wanted) == whole


def test_the_order_within_a_batch_does_not_count(tmp_path, console):
    wanted = make(trials=12, at_once=4)
    one, _ = do(tmp_path / "one", wanted, console)
    other, _ = do(tmp_path / "other", wanted, console, order=lambda t: t[::-1])
    assert found(one, wanted) == found(other, wanted)


def test_a_ledger_is_enough_to_do_the_search_again(tmp_path, console):
    wanted = make(trials=9, at_once=2)
    first, _ = do(tmp_path / "first", wanted, console)
    again, pretender = do(
        tmp_path / "again", wanted, console, ledger=first.ledger.path, life=0
    )
    assert pretender.batches == [] and found(again, wanted) == found(first, wanted)


def test_a_larger_budget_goes_on(tmp_path, console):
    study, _ = do(tmp_path / "a", make(trials=4), console)
    do(tmp_path / "a", make(trials=8), console)
    whole, _ = do(tmp_path / "b", make(trials=8), console)
    assert found(study, make()) == found(whole, make())


def test_the_sampler_is_told_what_was_found(tmp_path, console, monkeypatch):
    told = []

    def spy(arm, seen, *rest):
        told.append((arm.name, list(seen)))
        return sampler.suggest(arm, seen, *rest)

    monkeypatch.setattr(searching, "suggest", spy)
    study, _ = do(tmp_path, make(trials=8, at_once=2), console)
    name, seen = told[-1]
    lines = study.ledger.by_trial()
    trials = [trial for trial in study.trials() if trial.arm == name]
    assert [t.status for t in seen[:6]] == [
        lines[trial.id]["result"]["status"] for trial in trials[:6]
    ]
    assert seen[6].status == "waiting" and len(seen) == 7
    for one, trial in zip(seen, trials, strict=False):
        learning_rate = trial.values["optimizer"]["learning_rate"]
        assert one.parameters["optimizer.learning_rate"] == learning_rate
        if one.status == "done":
            assert one.loss == lines[trial.id]["result"]["validation"]["nll"]
        if one.status != "waiting":
            assert one.losses[1] == round(pretended.loss(trial) + 1, 5)


def test_a_trial_given_up_is_told_as_failed_and_is_of_the_budget(tmp_path, console):
    wanted = make(trials=3)
    study = StudyDirectory(tmp_path)
    begin(study, wanted)
    lost = next_batch(study, wanted)[0]
    for _ in range(ATTEMPTS):
        study.record_failure(lost.id, "no memory")
    assert go_on(study, wanted, Pretender(study), console=console)
    assert [t.arm for t in study.trials()].count(lost.arm) == 3
    assert tried(wanted.arms[0], study, study.trials())[0].status == "failed"


def test_what_the_test_set_says_changes_nothing(tmp_path, console):
    wanted = make(trials=12, at_once=2, space={"none": pretended.SPACE["none"]})
    one, _ = do(tmp_path / "one", wanted, console)
    liar = {"test": {"accuracy": 1.0, "nll": 0.0}}
    other, _ = do(tmp_path / "other", wanted, console, **liar)
    assert found(one, wanted) == found(other, wanted)


def test_winners_are_of_the_best_accuracy_then_loss_then_the_first(tmp_path, console):
    wanted = make(trials=5, reduction=0)
    study = StudyDirectory(tmp_path)
    begin(study, wanted)
    ends = iter(
        [
            ("done", 0.90, 0.30),
            ("done", 0.91, 0.40),
            ("pruned", 0.99, 0.10),
            ("done", 0.91, 0.35),
            ("done", 0.91, 0.35),
        ]
    )

    def execute(trials, minutes):
        status, accuracy, nll = next(ends)
        validation = {"accuracy": accuracy, "nll": nll, "ece": 0.1, "brier": 0.5}
        Pretender(study, status=status, validation=validation)(trials, minutes)

    assert go_on(study, wanted, execute, console=console)
    for arm, winner in winners(study, wanted).items():
        fourth = [trial for trial in study.trials() if trial.arm == arm][3]
        assert winner.trial == fourth.id
        learning_rate = fourth.values["optimizer"]["learning_rate"]
        assert winner.fields["optimizer.learning_rate"] == learning_rate
        assert ("noise.kind" in winner.fields) == (arm == "dropout")
        assert "noise.kind" not in winner.searched


@pytest.mark.parametrize("arm", pretended.SPACE)
def test_trials_are_compared_with_earlier_batches_at_the_same_epoch(
    tmp_path, console, arm
):
    study, _ = do(tmp_path, make(trials=12, at_once=4), console)
    lines = study.ledger.by_trial()
    trials = [trial for trial in study.trials() if trial.arm == arm]
    assert make().rungs == (1, 3)
    for number, trial in enumerate(trials):
        before = trials[: number // 4 * 4]
        history = lines[trial.id]["history"]["validation_loss"]
        expected = "done"
        for rung in (1, 3):
            seen = [lines[t.id]["history"]["validation_loss"] for t in before]
            seen = sorted(losses[rung - 1] for losses in seen if len(losses) >= rung)
            passing = (len(seen) + 1) // 3
            if passing and history[rung - 1] > seen[passing - 1]:
                expected = "pruned"
                assert len(history) == rung
                break
        assert lines[trial.id]["result"]["status"] == expected
    assert [lines[t.id]["result"]["status"] for t in trials[:4]] == ["done"] * 4


def test_time_that_is_over_ends_a_search_that_goes_on_later(tmp_path, console):
    wanted = make(trials=3)
    study = StudyDirectory(tmp_path)
    begin(study, wanted)
    asked = []
    assert not go_on(
        study, wanted, lambda t, m: asked.append(m), minutes=5, console=console
    )
    assert len(asked) == 1 and 4.9 < asked[0] <= 5
    assert "5 minutes are over" in console.file.getvalue()
    assert go_on(study, wanted, Pretender(study), console=console)


def test_one_process_asks_at_a_time(tmp_path, console):
    wanted = make()
    study = StudyDirectory(tmp_path)
    begin(study, wanted)
    with study.driven() as mine:
        assert mine
        with pytest.raises(UserError, match="another process is at this search"):
            go_on(study, wanted, Pretender(study), console=console)


@pytest.mark.parametrize(
    "other",
    [
        {"sampler": "random"},
        {"reduction": 2},
        {"space": {"none": pretended.SPACE["none"]}},
        {"base": pretended.override(pretended.BASE, {"seed": 7})},
    ],
)
def test_a_directory_belongs_to_one_search(tmp_path, console, other):
    do(tmp_path, make(), console)
    with pytest.raises(UserError, match="belongs to a search with another"):
        begin(StudyDirectory(tmp_path), make(**other))


def test_a_directory_of_another_study_is_refused(study):
    with pytest.raises(UserError, match="holds a study that is no search"):
        begin(study, make())
    assert load_search(study) is None


def test_a_small_space_is_tried_out_whole(tmp_path, console):
    rates = {"optimizer.learning_rate": choice(*(k / 100 for k in range(1, 7)))}
    study, _ = do(tmp_path, make(trials=6, space={"none": rates}), console)
    tried_rates = {t.values["optimizer"]["learning_rate"] for t in study.trials()}
    assert len(tried_rates) == 6
    begin(study, make(trials=7, space={"none": rates}))
    with pytest.raises(UserError, match="hardly a setting that was not tried"):
        next_batch(study, make(trials=7, space={"none": rates}))


def test_arms_that_share_a_setting_are_refused(tmp_path, console):
    space = {
        name: {"optimizer.learning_rate": choice(0.1, 0.2)} for name in ("one", "two")
    }
    with pytest.raises(UserError, match=r"same run|in common"):
        do(tmp_path, make(trials=2, space=space), console)


def test_optuna_sees_each_trial_as_what_it_was(monkeypatch):
    import optuna

    studies, create = [], optuna.create_study
    monkeypatch.setattr(
        optuna, "create_study", lambda **k: studies.append(create(**k)) or studies[-1]
    )
    (arm,) = make(space={"none": pretended.SPACE["none"]}).arms
    at = [{"optimizer.learning_rate": 0.001 * k} for k in range(1, 6)]
    seen = [
        sampler.Tried(at[0], "done", 0.25, {1: 0.5, 9: 0.25}),
        sampler.Tried(at[1], "pruned", math.nan, {1: 0.75}),
        sampler.Tried(at[2], "diverged", math.nan, {1: 0.25}),
        sampler.Tried(at[3], "failed"),
        sampler.Tried(at[4], "waiting"),
    ]
    sampler.suggest(arm, seen, "tpe", 0)
    trials = studies[-1].trials[:5]
    states = [trial.state.name for trial in trials]
    assert states == ["COMPLETE", "PRUNED", "PRUNED", "FAIL", "RUNNING"]
    assert [trial.value for trial in trials] == [0.25, None, None, None, None]
    # A diverged trial has no loss at all: of the pruned ones it ranks last.
    assert [trial.intermediate_values for trial in trials] == [
        {},
        {1: 0.75},
        {},
        {},
        {},
    ]
    assert [trial.params for trial in trials] == at
    assert studies[-1].direction.name == "MINIMIZE"


def test_tpe_learns_and_random_does_not():
    """No contest: what was found moves the one, and not the other."""
    (arm,) = make(space={"none": pretended.SPACE["none"]}).arms
    at = [{"optimizer.learning_rate": 0.001 * k} for k in range(1, 13)]

    def after(losses, name):
        seen = [sampler.Tried(a, "done", x) for a, x in zip(at, losses, strict=True)]
        return sampler.suggest(arm, seen, name, 0)

    rising, falling = range(12), range(12, 0, -1)
    assert after(rising, "tpe") == after(rising, "tpe")
    assert after(rising, "tpe") != after(falling, "tpe")
    assert after(rising, "random") == after(falling, "random")


@pytest.mark.parametrize("name", sampler.SAMPLERS)
def test_each_arm_trial_and_search_has_draws_of_its_own(name):
    same = pretended.SPACE["none"]
    one, other = make(space={"one": same, "other": same}).arms
    seen = [sampler.Tried({"optimizer.learning_rate": 0.1}, "done", 0.5)]
    found = [
        sampler.suggest(arm, tried, name, seed)["optimizer.learning_rate"]
        for arm, tried, seed in [
            (one, [], 0),
            (other, [], 0),
            (one, seen, 0),
            (one, [], 1),
        ]
    ]
    assert len(set(found)) == 4


def test_search_json_is_all_there_is(tmp_path):
    wanted = make(trials=7, at_once=2, sampler="random", reduction=2)
    study = StudyDirectory(tmp_path)
    begin(study, wanted)
    assert load_search(study) == wanted
    order = json.loads((tmp_path / "search.json").read_text())["space"]
    assert [name for name, _ in order] == ["none", "dropout"]


def test_the_slowest_arm_goes_first(tmp_path):
    study, wanted = StudyDirectory(tmp_path), make(trials=2)
    begin(study, wanted)
    assert [trial.arm for trial in next_batch(study, wanted)] == ["none", "dropout"]
    for trial in next_batch(study, wanted):
        seconds = {"none": 1.0, "dropout": 5.0}[trial.arm]
        study.ledger.append(pretended.outcome(study, trial, seconds=seconds))
    assert [trial.arm for trial in next_batch(study, wanted)] == ["dropout", "none"]
