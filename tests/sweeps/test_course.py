# SPDX-License-Identifier: Apache-2.0
"""The course of a protocol: stage by stage, from the ledgers alone."""

import dataclasses
import json
import shutil

import pytest

from dropout_jax.config import UserError
from dropout_jax.sweeps.choices_file import write_choices
from dropout_jax.sweeps.course import go_on
from dropout_jax.sweeps.course_display import show_choices, show_gate, show_left
from dropout_jax.sweeps.protocol import STAGES, Extension, Gate, Method, Role
from dropout_jax.sweeps.stages import finals
from pretended import Killed
from protocols import LARGE, METHODS, SMALL, Pretender, course, make, values

FASTER = Extension((), (0.03,))
BOTH = {"small": SMALL, "large": LARGE}


def do(found, pretender, console, **options):
    options.setdefault("cells", list(found.protocol.cells))
    return go_on(found, pretender, console=console, **options)


def ledgers(path):
    """Every ledger's lines in order of their trials."""
    return {
        file.name: sorted(file.read_text().splitlines())
        for file in (path / "ledgers").glob("*.jsonl")
    }


def said(console):
    return " ".join(console.file.getvalue().split())


def test_every_stage_of_every_cell_is_run_once(tmp_path, console):
    found, pretender = course(tmp_path, make(BOTH)), Pretender()
    assert do(found, pretender, console)
    stages = list(dict.fromkeys(name for name, _ in pretender.done))
    assert stages == [f"{cell}_{stage}" for cell in BOTH for stage in STAGES]
    assert len(pretender.done) == len(set(pretender.done))
    counts = {name: len(lines) for name, lines in ledgers(tmp_path).items()}
    assert counts["small_search.jsonl"] == 4 * 24
    assert counts["small_curve.jsonl"] == 2 * 12
    again = Pretender()
    assert do(course(tmp_path, make(BOTH)), again, console) and not again.done


def test_the_test_set_is_for_the_final_runs_alone(tmp_path, console):
    do(course(tmp_path), Pretender(), console)
    for name, lines in ledgers(tmp_path).items():
        tested = ["test" in json.loads(text)["result"] for text in lines]
        assert tested == [name == "small_final.jsonl"] * len(lines)


def test_the_final_runs_are_those_of_the_choices_with_fresh_seeds(tmp_path, console):
    found = course(tmp_path)
    do(found, Pretender(), console)
    choices, stage = found.choices("small"), found.stage("small", "final")
    roles = finals(found.protocol, "small", choices)
    assert len(roles) == 2 * 3 * 2
    for role, served in roles.items():
        lines = [stage.line(run) for run in served]
        assert [line["seed"] for line in lines] == [*SMALL.finals[role.search]]
        assert {line["arm"] for line in lines} == {role.method}
        rate = choices.by_role[role].setting.learning_rate
        for line in lines:
            assert line["config"]["optimizer"]["learning_rate"] == rate
    by_answer = [
        roles[Role(0, "none", answer)][0].setting for answer in ("accuracy", "nll")
    ]
    assert [setting.learning_rate for setting in by_answer] == [0.003, 0.001]


@pytest.mark.parametrize("life", [0, 1, 96, 110, 140, 160])
def test_killed_at_any_time_it_goes_on(tmp_path, console, life):
    whole = course(tmp_path / "whole")
    do(whole, Pretender(), console)
    with pytest.raises(Killed):
        do(course(tmp_path / "killed"), Pretender(life), console)
    rest = Pretender()
    assert do(course(tmp_path / "killed"), rest, console)
    assert ledgers(tmp_path / "killed") == ledgers(tmp_path / "whole")
    total = sum(map(len, ledgers(tmp_path / "whole").values()))
    assert len(rest.done) == total - life


def test_the_ledgers_are_enough_to_go_on(tmp_path, console):
    with pytest.raises(Killed):
        do(course(tmp_path), Pretender(100), console)
    shutil.rmtree(tmp_path / "study")
    rest = Pretender()
    assert do(course(tmp_path), rest, console)
    total = sum(map(len, ledgers(tmp_path).values()))
    assert len(rest.done) == total - 100


def test_later_stages_wait_for_the_search_and_the_gate(tmp_path, console):
    found, pretender = course(tmp_path), Pretender()
    assert not do(found, pretender, console, stages=["gate", "final"])
    assert "small gate: waits for the end of the search" in said(console)
    assert do(found, pretender, console, stages=["search"])
    assert not do(found, pretender, console, stages=["curve"])
    assert "small curve: waits for the end of the gate" in said(console)
    assert {name for name, _ in pretender.done} == {"small_search"}


def test_no_trial_begins_after_the_minutes(tmp_path, console):
    found, pretender = course(tmp_path), Pretender()
    assert not do(found, pretender, console, minutes=1e-9)
    assert not pretender.done and "waits for the end of the search" in said(console)


def unfinished_training(trial):
    """One method gains half a point by training for twice as long."""
    accuracy, nll = values(trial)
    longer = trial.values["train"]["epochs"] > 2 and trial.arm == "dropout"
    return accuracy + 0.005 * longer, nll


def test_a_cell_that_has_not_converged_stops_and_can_be_accepted(tmp_path, console):
    found, pretender = course(tmp_path), Pretender(values=unfinished_training)
    assert not do(found, pretender, console)
    line = "small final: not converged: dropout: accuracy changes by +0.50 points with"
    assert line in said(console) and "--accept_gate" in said(console)
    assert {name for name, _ in pretender.done} == {"small_search", "small_gate"}
    verdicts = found.verdicts("small")
    assert [m for m, v in verdicts.items() if not v.passed] == ["dropout"]
    assert do(found, pretender, console, accept_gate=True)


def test_a_longer_cell_is_searched_anew(tmp_path, console):
    do(course(tmp_path), Pretender(values=unfinished_training), console)
    longer = dataclasses.replace(SMALL, fields={**SMALL.fields, "train.epochs": 3})
    rest = Pretender()
    assert do(course(tmp_path, make({"small": longer})), rest, console)
    assert sum(name == "small_search" for name, _ in rest.done) == 4 * 24


def test_a_wider_grid_runs_what_is_new(tmp_path, console):
    do(course(tmp_path), Pretender(), console)
    wider = dataclasses.replace(METHODS["dropout"], strengths=(0.1, 0.3, 0.6, 0.7))
    rest = Pretender()
    protocol = make(methods={**METHODS, "dropout": wider})
    assert do(course(tmp_path, protocol), rest, console)
    counts = [sum(name == f"small_{s}" for name, _ in rest.done) for s in STAGES]
    # The choice stays, the curves have a new point at two learning rates.
    assert counts == [4 * 4, 0, 0, 2 * 2]


def strong(trial):
    """Values that are best at the highest rate."""
    accuracy, nll = values(trial)
    rate = sum(trial.values["noise"]["rates"])
    return accuracy + 0.1 * rate, nll - 0.1 * rate


def test_a_choice_at_an_end_holds_its_cell_up(tmp_path, console):
    found, pretender = course(tmp_path, make(BOTH)), Pretender(values=strong)
    assert not do(found, pretender, console)
    assert {name for name, _ in pretender.done} == {"small_search", "large_search"}
    each = "; ".join(
        f"dropout, search {search}, {answer}: highest strength"
        for search in (1, 2)
        for answer in ("accuracy", "nll")
    )
    advice = "Extend the grid of that cell (Cell.extended), or go on with --accept_ends"
    line = f"small gate: choices at an end of a grid: {each}. {advice}"
    assert line in said(console)
    for stage in ("final", "curve"):
        assert not do(found, pretender, console, stages=[stage])
        assert f"large {stage}: choices at an end of a grid: dropout" in said(console)
    assert do(found, pretender, console, accept_ends=True)
    assert {name for name, _ in pretender.done} == {
        f"{cell}_{stage}" for cell in BOTH for stage in STAGES
    }


def test_a_cell_that_extends_its_grid_goes_on_alone(tmp_path, console):
    do(course(tmp_path, make(BOTH)), Pretender(values=strong), console)
    wider = dataclasses.replace(
        SMALL, extended={"dropout": Extension((0.8, 0.9), (0.03,)), "none": FASTER}
    )
    rest, cells = Pretender(values=strong), {"small": wider, "large": LARGE}
    found = course(tmp_path, make(cells))
    assert not do(found, rest, console)
    # 5 strengths at 5 learning rates are 13 more than 3 at 4, in all searches.
    searched = [name for name, _ in rest.done if name.endswith("_search")]
    assert searched == ["small_search"] * 4 * (13 + 1)
    assert {name for name, _ in rest.done} == {f"small_{stage}" for stage in STAGES}
    choice = found.choices("small").by_role[Role(0, "dropout", "accuracy")]
    assert choice.setting.strength == 0.8 and choice.at_end == ()


def test_a_mistake_of_a_later_stage_is_told_at_once(tmp_path):
    wrong = dataclasses.replace(
        METHODS["variational"], starts={"low": {"noise.log_alpha_init": 50.0}}
    )
    with pytest.raises(UserError, match=r"log_alpha_init=50.0"):
        course(tmp_path, make(methods={**METHODS, "variational": wrong}))


def test_what_is_shown(tmp_path, console):
    found = course(tmp_path)
    show_choices(found, "small", console)
    show_gate(found, "small", console)
    show_left(found, 2, console)
    # Of the search all is known, of the others the most there can be.
    assert "small │ 0 of 96 │ 0 of <= 28 │ 0 of <= 24 │ 0 of <= 24 │ ?" in said(console)
    assert "no estimate yet" in said(console)
    with pytest.raises(Killed):
        do(found, Pretender(95), console)
    show_left(found, 2, console)
    # Runs of 2 epochs took 6 s: 1 of the search, 12 + 12 longer + 4 starts, 24, 24.
    minutes = 3 * (2 + 12 * 2 + 12 * 4 + 4 * 2 + 24 * 2 + 24 * 2) / 60 / 2
    assert f"95 of 96 │ 0 of <= 28 │ 0 of <= 24 │ 0 of <= 24 │ {minutes:.1f}" in (
        said(console)
    )
    do(found, Pretender(), console)
    show_choices(found, "small", console)
    assert "│ dropout │ accuracy │ 1 │ 0.3 │ 0.003 │" in said(console)
    assert "│ variational │ nll │ 2 │ 0.01 lowest │ 0.001 │" in said(console)
    show_gate(found, "small", console)
    assert "│ variational │ +0.00 [+0.00, +0.00]" in said(console)
    assert "0.08 │ yes │" in said(console)
    show_left(found, 2, console)
    assert "96 of 96" in said(console) and "nothing is left" in said(console)


def test_noise_that_depends_on_its_start_is_shown_and_written(tmp_path, console):
    strict = make(gate=Gate((20, 21), start=0.05))
    found = course(tmp_path, strict)
    assert do(found, Pretender(), console)  # it holds nothing up
    show_gate(found, "small", console)
    told = "learned noise ends 0.08 apart from the starts low, high"
    assert told.split()[0] in said(console) and "0.05" in said(console)
    path = write_choices(found, "small", tmp_path / "ledgers")
    verdict = json.loads(path.read_text())["gate"]["variational"]
    assert verdict["passed"] and verdict["depends"].startswith(told)


def test_the_file_of_choices(tmp_path, console):
    found = course(tmp_path, make(gate=Gate((20,))))
    assert write_choices(found, "small", tmp_path / "ledgers") is None
    do(found, Pretender(), console, stages=["search"])
    path = write_choices(found, "small", tmp_path / "ledgers")
    content = json.loads(path.read_text())
    assert path.name == "small_choices.json" and content["gate"] is None
    first = content["searches"][0]
    assert first["seeds"] == [10, 11]
    chosen = first["methods"]["dropout"]["nll"]
    assert chosen["fields"]["noise.rates"] == [0.3]
    assert (chosen["strength"], chosen["learning_rate"]) == (0.3, 0.001)
    assert chosen["at_end"] == []
    assert first["methods"]["variational"]["nll"]["at_end"] == ["lowest strength"]
    curves = {
        answer: {point["learning_rate"] for point in points}
        for answer, points in content["curve"].items()
    }
    assert curves == {"accuracy": {0.003}, "nll": {0.001}}
    do(found, Pretender(), console)
    write_choices(found, "small", tmp_path / "ledgers")
    gate = json.loads(path.read_text())["gate"]
    assert gate["variational"]["passed"] is True
    assert gate["variational"]["depends"] == ""
    assert gate["none"]["points"] == {"mean": 0.0, "low": None, "high": None}


def test_results_of_other_inputs_are_not_compared(tmp_path, console):
    found = course(
        tmp_path,
        make(
            methods={"none": Method()},
            cells={"small": dataclasses.replace(SMALL, methods={})},
        ),
    )
    do(found, Pretender(), console, stages=["search"])
    path = tmp_path / "ledgers" / "small_search.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    for line, sha256 in zip(lines, ("a", "b"), strict=False):
        line["data_sha256"] = sha256 * 64
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match="must not be compared"):
        course(tmp_path, found.protocol).choices("small")
