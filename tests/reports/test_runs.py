# SPDX-License-Identifier: Apache-2.0
"""Every run as data: its command repeats it, its curves stay small, CSV is CSV."""

import csv
import io
import json
import shlex
from pathlib import Path

import pytest

from dropout_jax.config import config_id, defaults
from dropout_jax.config.command_line import main as command_line
from dropout_jax.config.loading import override
from dropout_jax.reports import choose, load_study, runs, tabulate
from dropout_jax.reports.command import command
from dropout_jax.reports.runs import page_data
from dropout_jax.reports.spreadsheet import runs_csv, table_csv

ROOT = Path(__file__).parents[2]
LEDGERS = sorted((ROOT / "results").glob("*.jsonl"))
PUBLISHED = [path.stem for path in LEDGERS if not path.stem.endswith("_search")]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_command_of_a_run_is_that_trial_again(name):
    trials = load_study(ROOT / "results" / f"{name}.jsonl").trials
    for trial in {trial.arm: trial for trial in trials}.values():
        found = []
        words = shlex.split(command(trial))
        assert words[:2] == ["python", "train.py"] and words[2].startswith("--workdir=")
        code = command_line(
            lambda values, found=found: found.append(config_id(values.config)),
            description="",
            default_config=ROOT / "configs" / "default.py",
            argv=words[1:],
        )
        assert not code
        # As the ledger does: an id of today, for a line that may be older.
        assert found == [config_id(override(defaults(), trial.config))], trial.arm


def test_a_page_of_many_runs_draws_fewer_epochs_of_each(ledger, trial, monkeypatch):
    study = load_study(ledger([trial("none", seed) for seed in range(10)]))
    whole = page_data(study)["runs"][0]["curves"]
    assert whole["epoch"] == list(range(1, 21))
    monkeypatch.setattr(runs, "_POINTS", 10 * 4 * 9)
    thinned = page_data(study)["runs"][0]["curves"]
    assert len(thinned["epoch"]) == 9
    assert (thinned["epoch"][0], thinned["epoch"][-1]) == (1, 20)
    last = whole["validation_loss"][-1]
    assert thinned["validation_loss"][-1] == last
    assert len({len(values) for values in thinned.values()}) == 1


def test_every_run_has_its_config_and_environment(ledger, trial):
    lines = [trial("none", 0), trial("dropout", 1) | {"device": "gpu"}]
    data = page_data(load_study(ledger(lines)))
    first, second = data["runs"]
    assert first["config"]["noise.kind"] == "none" and second["config"]["seed"] == 1
    assert data["shared"]["optimizer.name"] == "adamw"
    assert data["shared"].keys().isdisjoint(first["config"])
    places = [data["environments"][run["environment"]] for run in data["runs"]]
    assert [place["device"] for place in places] == ["synthetic cpu", "gpu"]
    assert places[0]["jax"] == "0.10.2"


def test_what_is_no_number_is_null(ledger, trial):
    line = trial("none", 0)
    line["history"]["validation_loss"][3] = None
    data = page_data(load_study(ledger([line])))
    assert data["runs"][0]["curves"]["validation_loss"][3] is None
    json.dumps(data, allow_nan=False)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_holds_every_number_unrounded(ledger, trial):
    study = load_study(ledger([trial(a, s) for a in ("none", "b") for s in range(2)]))
    table, selection = tabulate(study), choose(study)
    lines = rows(table_csv(table))
    assert [line["method"] for line in lines] == ["none", "b"]
    found = table.rows[1].comparisons["accuracy"]
    mean = "accuracy_difference_points_mean"
    assert float(lines[1][mean]) == found.interval.mean
    assert float(lines[0]["test_nll_nats_low"]) == table.rows[0].nll.low
    assert lines[0][mean] == "" == lines[1]["accuracy_p_corrected"]
    assert lines[1]["accuracy_verdict"] == "descriptive"
    assert lines[1]["nll_verdict"] == ""
    each = rows(runs_csv(study, selection))
    assert [float(line["test_accuracy_percent"]) for line in each] == pytest.approx(
        [100 * t.test["accuracy"] for t in study.trials]
    )


def test_accuracy_has_one_unit_in_every_file_and_columns_name_it(ledger, trial):
    study = load_study(ledger([trial(a, s) for a in ("none", "b") for s in range(2)]))
    table, selection = tabulate(study), choose(study)
    for text in (table_csv(table), runs_csv(study, selection)):
        for line in rows(text):
            for name, value in line.items():
                number = name.rpartition("_")[2] not in (
                    *("verdict", "pairs", "higher", "parameters"),
                )
                if "accuracy" in name and number and "_p_" not in name and value:
                    assert "percent" in name or "points" in name, name
                    assert "points" in name or float(value) > 1, name


def test_names_cannot_break_or_command_a_spreadsheet(ledger, trial):
    hostile = '=cmd|"x",y'
    study = load_study(ledger([trial(hostile, 0), trial("none", 0)]))
    names = [line["method"] for line in rows(table_csv(tabulate(study)))]
    assert names == ["none", f"'{hostile}"]
