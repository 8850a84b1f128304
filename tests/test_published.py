# SPDX-License-Identifier: Apache-2.0
"""What README and the committed winners say is what the committed ledgers hold."""

import json
from collections import Counter
from pathlib import Path

import pytest

from dropout_jax.config.loading import load_config, load_module
from dropout_jax.reports import records
from dropout_jax.reports.__main__ import main
from dropout_jax.sweeps import Ledger
from dropout_jax.sweeps.described import planned

ROOT = Path(__file__).parent.parent
COMPARE = load_module(ROOT / "configs" / "compare.py")
RESULTS = ROOT / "results"
LEDGERS = sorted(
    path for path in RESULTS.glob("**/*.jsonl") if not path.stem.endswith("_models")
)
SEARCHED = sorted(RESULTS.glob("compare_*_winners.json"))


def model_of(path):
    return path.stem.split("_")[1]


@pytest.mark.parametrize("path", SEARCHED, ids=model_of)
def test_winners_are_the_best_on_validation_of_equal_budgets(path):
    model = model_of(path)
    lines = Ledger(path.with_name(f"compare_{model}_search.jsonl")).lines()
    assert not any("test" in line["result"] for line in lines)
    found = COMPARE.winners(model)
    assert set(found["arms"]) == set(COMPARE.space(model))
    spent = Counter(line["arm"] for line in lines)
    assert set(spent.values()) == {found["budget"]} and set(spent) == set(found["arms"])
    for arm, winner in found["arms"].items():
        ended = [
            line
            for line in lines
            if line["arm"] == arm and line["result"]["status"] == "done"
        ]
        best = max(ended, key=lambda line: line["result"]["validation"]["accuracy"])
        reached = best["result"]["validation"]["accuracy"]
        assert winner["validation"]["accuracy"] == reached, arm
        (chosen,) = (line for line in ended if line["trial"] == winner["trial"])
        for field, value in winner["fields"].items():
            group, _, name = field.partition(".")
            assert chosen["config"][group][name] == value, (arm, field)


def test_there_are_winners_to_test():
    assert SEARCHED


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_the_pages_show_what_the_ledgers_hold(page, publish):
    text = (ROOT / page).read_text()
    studies = publish.published()
    assert studies
    bodies = {of.name: publish.PAGES[page](of) for of in studies}
    for name in publish.STUDIES:
        body = bodies.get(name, "Not run yet.\n")
        assert f"<!-- {name} -->\n{body}<!-- /{name} -->" in text, name


@pytest.mark.parametrize("name", ["far", "small_data", "course", "course_5"])
def test_an_edit_of_a_config_would_not_orphan_its_results(name, publish):
    file = f"{ROOT}/{publish.STUDIES[name]}"
    trials = planned(file, load_config(file), 10)
    known = Ledger(publish.ledger_of(name)).by_trial()
    arms = {trial.arm for trial in trials}
    lines = {id_ for id_, line in known.items() if line["arm"] in arms}
    assert {trial.id for trial in trials} == lines


@pytest.mark.parametrize("path", LEDGERS, ids=lambda path: path.stem)
def test_every_published_line_is_read_with_its_set(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    read = [records.trial(*record) for record in records.records(path)]
    assert len(read) == len(lines) > 0
    for trial, line in zip(read, lines, strict=True):
        if "withdrawn" in line:
            assert trial.withdrawn == line["withdrawn"] and not trial.done
            continue
        assert trial.status == line["result"]["status"]
        assert trial.test == line["result"].get("test", {})
        assert trial.done == bool(trial.sets)
        for name, one in trial.sets.items():
            # Older lines have one set, beside nothing else.
            alone = {"epoch": line["result"]["best_epoch"], "test": trial.test}
            written = line.get("sets", {}).get(name, alone)
            assert one.epoch == written["epoch"]
            assert one.test == written.get("test", {})


def test_the_ledger_of_a_search_is_reported_without_test_values(tmp_path, capsys):
    path = RESULTS / "compare_mlp_search.jsonl"
    assert main([f"--ledger={path}", f"--out={tmp_path / 'report'}"]) == 0
    out = capsys.readouterr().out
    assert "not tested" in out and "90.0" in out  # a validation accuracy, in the notes
    rows = (tmp_path / "report" / "runs.csv").read_text().splitlines()
    assert len(rows) == 1 + 90
    assert sum(",pruned," in row for row in rows) == 47


@pytest.fixture(scope="module")
def publish():
    """Returns experiments/publish.py."""
    return load_module(ROOT / "experiments" / "publish.py")


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        (
            "README.md",
            [
                "Which method is best is not answered yet",
                "conditional on one test set",
                "the p-values are post hoc",
                "No network here was trained without dropout",
                "had all of its rates below .1 with a probability of",
                "tuned for none of them",
                "Withdrawn: ",
            ],
        ),
        (
            "docs/results.md",
            [
                "What these tables do not show",
                "Anything of the RNN's order",
                "Anything of NLL",
                "says nothing of what dropout",
                "has been looked at many times",
            ],
        ),
    ],
)
def test_the_pages_say_what_their_tables_do_not_show(page, texts):
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    for said in texts:
        assert said in text, said
