# SPDX-License-Identifier: Apache-2.0
"""From a protocol's config file and ledgers to its answer."""

import json

import pytest

from dropout_jax.config.loading import load_config
from dropout_jax.evaluation.comparison import ACCURACY
from dropout_jax.reports.answer.__main__ import main
from dropout_jax.reports.answer.judging import judge
from dropout_jax.reports.answer.reading import read_cells
from dropout_jax.sweeps.choices import choose
from dropout_jax.sweeps.protocol import SEARCH, STAGES, load_protocol
from dropout_jax.sweeps.stages import planned, runs

CONFIG = """
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps.protocol import Cell, Gate, Method, Protocol

METHODS = {
    "none": Method(),
    "dropout": Method(
        {"noise.kind": "dropout"},
        (0.1, 0.3, 0.6),
        lambda rate: {"noise.rates": (rate,)},
        label="rate",
    ),
}
FIELDS = {"data.name": "synthetic", "train.batch_size": 32, "train.epochs": 2}


def get_config():
    return override(defaults(), FIELDS)


def cell(width, **options):
    return Cell(
        {"model.widths": (width,), "data.train_size": 16 * width},
        (0.001, 0.003),
        (0.0003, 0.001, 0.003),
        ((30,), (40,)),
        (tuple(range(10)), tuple(range(10, 20))),
        (20, 21),
        **options,
    )


def protocol():
    cells = {
        "small": cell(4),
        "large": cell(8, margin=0.3),
        "told": cell(16, descriptive=True),
    }
    return Protocol(cells, METHODS, "none", Gate((50, 51)))
"""


def line(trial, *, test, gain, status="done"):
    """A ledger's line; search 2 finds strong dropout best, search 1 a weak one."""
    config = trial.values
    rate = sum(config["noise"]["rates"])
    best = 0.6 if trial.seed >= 40 else 0.3
    far = abs(rate - best) if rate else 0.5
    distance = abs(config["optimizer"]["learning_rate"] - 0.001)
    accuracy = 0.8 - 0.1 * far - distance + 0.001 * (trial.seed % 7)
    accuracy += gain * bool(rate) if test else 0.0
    # The NLL of the baseline alone is best at another learning rate.
    nll = 1 - accuracy if rate else 1 - accuracy - 2 * distance
    found = {"accuracy": round(accuracy, 4), "nll": nll}
    found |= {"ece": 0.1, "brier": 0.3}
    sets = {
        "last": {"epoch": 2, "validation": found},
        "least_nll": {"epoch": 1, "validation": found},
    }
    result = {"status": status, "epochs": 2, "best_epoch": 1, "validation": found}
    result |= {"images_per_second": 1.0, "seconds": 6.0, "reason": "not finite"}
    if test:
        result |= {"test": found, "test_count": 10_000}
        for kept in sets.values():
            kept["test"] = found
    return {
        "trial": trial.id,
        "arm": trial.arm,
        "seed": trial.seed,
        "config": config,
        "result": result,
        "history": {},
        "noise": {},
        "sites": ["input", "hidden_0"],
        "sets": sets if status == "done" else {},
    }


@pytest.fixture
def place(tmp_path):
    (tmp_path / "answer.py").write_text(CONFIG)
    (tmp_path / "ledgers").mkdir()
    return tmp_path


def fill(place, cell, stages=STAGES, *, gain=0.05, change=lambda lines: lines):
    """Writes the ledgers of some stages; `change` is of the lines of the last."""
    file = str(place / "answer.py")
    protocol, base = load_protocol(file), load_config(file)
    search = planned("s", base, protocol, cell, runs(protocol, cell, SEARCH))
    lines = {run: line(trial, test=False, gain=gain) for run, trial in search.items()}

    def line_of(setting, seed):
        return next(lines[run] for run in lines if run[:2] == (setting, seed))

    choices = choose(protocol, cell, line_of)
    for stage in stages:
        found = planned(
            "s",
            base,
            protocol,
            cell,
            dict.fromkeys(runs(protocol, cell, stage, choices)),
        )
        wanted = [
            line(trial, test=stage == "final", gain=gain) for trial in found.values()
        ]
        if stage == stages[-1]:
            wanted = change(wanted)
        text = "".join(json.dumps(one) + "\n" for one in wanted)
        (place / "ledgers" / f"{cell}_{stage}.jsonl").write_text(text)
    return choices


def read(place):
    return {c.name: c for c in read_cells(str(place / "answer.py"), place / "ledgers")}


def test_without_ledgers_every_cell_waits_for_its_searches(place):
    cells = read(place)
    assert list(cells) == ["small", "large", "told"]
    small = cells["small"]
    assert (small.methods, small.searches) == (("none", "dropout"), (1, 2))
    assert (small.replicates, small.planned, small.train_size) == (10, 80, 64)
    assert (small.margin, cells["large"].margin) == (0.5, 0.3)
    assert [c.descriptive for c in cells.values()] == [False, False, True]
    assert small.strengths["dropout"] == "rate"
    assert small.choices == {} and small.finals == () and not small.finished
    # One for each setting and seed, none of which has run.
    assert len(small.tried) == 2 * (3 + 6)
    assert {one.trial for one in small.tried} == {None}
    assert judge(list(cells.values())).family == 4


def test_choices_are_those_that_the_runs_were_made_by(place):
    choices = fill(place, "small", ("search",))
    small = read(place)["small"]
    assert {
        (role.method, role.search + 1, role.answer): choice.setting.strength
        for role, choice in choices.by_role.items()
    } == {role: choice.strength for role, choice in small.choices.items()}
    assert small.choices["dropout", 1, "accuracy"].strength == 0.3
    assert small.choices["dropout", 2, "accuracy"].strength == 0.6
    assert "highest strength" in small.choices["dropout", 2, "accuracy"].at_end
    assert small.choices["dropout", 2, "nll"].fields["noise.rates"] == (0.6,)
    assert {one.search for one in small.tried if one.seed == 40} == {2}
    assert len(small.finals) == 80 and {f.trial for f in small.finals} == {None}


def test_each_final_run_serves_its_search_and_its_answers(place):
    fill(place, "small")
    small = read(place)["small"]
    assert small.finished and len(small.finals) == small.planned
    for final in small.finals:
        assert final.trial.seed == final.seed
        assert final.trial.arm == final.method
        assert final.seed in (range(10), range(10, 20))[final.search - 1]
        strength = {1: 0.3, 2: 0.6}[final.search]
        if final.method == "dropout":
            assert final.trial.config["noise.rates"] == [strength]
    assert {m: len(runs) for m, runs in small.curve.items()} == dict.fromkeys(
        ("accuracy", "nll"), (2 + 2) * (1 + 3)
    )
    rates = {m: {one.learning_rate for one in runs} for m, runs in small.curve.items()}
    assert rates == {"accuracy": {0.001}, "nll": {0.001, 0.003}}
    assert set(small.gate) == {"none", "dropout"}
    found = judge([small])
    dropout = next(r for r in found.of(small, ACCURACY) if r.method == "dropout")
    # .05 of a gain; dropout's rate is off by 0 and .3, none counts as off by .5.
    expected = {1: 100 * (0.05 + 0.05), 2: 100 * (0.05 + 0.02)}
    for search, of in dropout.comparison.by_search.items():
        assert of.mean == pytest.approx(expected[search])
    assert dropout.comparison.better


def test_missing_diverged_and_withdrawn_runs(place):
    def change(lines):
        lost, gone, *others = lines
        lost = {**lost, "sets": {}, "result": {**lost["result"], "status": "diverged"}}
        return [lost, {**gone, "withdrawn": "wrong data"}, *others[:-1]]

    fill(place, "small", ("search", "final"), change=change)
    small = read(place)["small"]
    statuses = [final.status for final in small.finals if final.value is None]
    assert set(statuses) == {"diverged", "missing"}
    assert not small.finished


def test_runs_of_different_data_are_refused(place, capsys):
    def change(lines):
        return [{**one, "data_sha256": "ab"[n % 2] * 64} for n, one in enumerate(lines)]

    fill(place, "small", ("search", "final"), change=change)
    arguments = [f"--config={place / 'answer.py'}", f"--ledgers={place / 'ledgers'}"]
    assert main([*arguments, f"--out={place / 'out'}"]) == 2
    error = capsys.readouterr().err
    assert "cell 'small', final runs: " in error and "bbbbbbbb" in error
    assert "withdraw the lines of one of them" in error


def test_a_search_in_which_nothing_ended_well_holds_its_cell(place):
    def change(lines):
        return [
            {**one, "sets": {}, "result": {**one["result"], "status": "diverged"}}
            for one in lines
        ]

    fill(place, "small", ("search",), change=change)
    small = read(place)["small"]
    assert "no setting of method 'none' ran to its end" in small.held
    assert small.choices == {}


def test_the_command_writes_all_and_says_how_far_it_is(place, capsys):
    fill(place, "small")
    fill(place, "large", ("search",))
    page = place / "docs" / "answer.md"
    arguments = [
        f"--config={place / 'answer.py'}",
        f"--ledgers={place / 'ledgers'}",
        f"--out={place / 'docs' / 'results'}",
        f"--page={page}",
    ]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "small: Finished." in said
    assert "large: Unfinished: 0 of 80 final runs have ended" in said
    assert "told: Unfinished: the searches have not ended" in said
    text = page.read_text()
    assert "gain with ‘dropout’ (+8.50 points" in text
    record = json.loads((place / "docs" / "results" / "answer.json").read_text())
    assert record["comparisons"] == 4


def test_bad_input_is_one_line_and_code_2(place, capsys):
    config = f"--config={place / 'answer.py'}"
    out = f"--out={place / 'out'}"
    assert main([config, f"--ledgers={place / 'no'}", out]) == 2
    error = capsys.readouterr().err
    assert "is no directory: name that of the ledgers" in error
    assert error.count("\n") == 1
    (place / "plain.py").write_text("def get_config(): ...\n")
    ledgers = f"--ledgers={place / 'ledgers'}"
    assert main([f"--config={place / 'plain.py'}", ledgers, out]) == 2
    assert "protocol()" in capsys.readouterr().err
    (place / "ledgers" / "small_search.jsonl").write_text("{}\n")
    assert main([config, ledgers, out]) == 2
    assert "small_search.jsonl" in capsys.readouterr().err


def test_a_margin_that_no_difference_is_within_is_refused(place, capsys):
    (place / "answer.py").write_text(CONFIG.replace("margin=0.3", "margin=0.0"))
    arguments = [f"--config={place / 'answer.py'}", f"--ledgers={place / 'ledgers'}"]
    assert main([*arguments, f"--out={place / 'out'}"]) == 2
    assert "margin=0.0 of cell 'large': must be over 0" in capsys.readouterr().err
