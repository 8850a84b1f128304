# SPDX-License-Identifier: Apache-2.0
"""Settings are chosen on validation; test is read once, for what was chosen."""

import json
import re

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.reports import __main__ as command
from dropout_jax.reports import (
    as_json,
    choose,
    gap_notes,
    load_study,
    markdown,
    selection,
    tabulate,
    write_report,
)
from dropout_jax.reports.runs import revealed, run_values

RATES = "noise.rates"


def tried(trial, arm, rate, seed, validation, test, status="done"):
    """A line of a study of rates, whose accuracies are given in percent."""
    line = trial(arm, seed, status)
    line["trial"] = f"{arm}-{rate}-{seed}"
    line["config"]["noise"] = {"kind": arm, "rates": [rate]}
    if status == "done":
        line["result"]["validation"] = {"accuracy": validation / 100}
        line["result"]["test"] = line["result"]["test"] | {"accuracy": test / 100}
    return line


@pytest.fixture
def contrary(ledger, trial):
    """On validation rate 0.2 is best, on test 0.5, for every seed."""
    lines = [trial("none", seed) for seed in range(4)]
    for seed in range(4):
        lines.append(tried(trial, "dropout", 0.1, seed, 90.0 + seed / 10, 93.7))
        lines.append(tried(trial, "dropout", 0.2, seed, 91.0 + seed / 10, 89.0))
        lines.append(tried(trial, "dropout", 0.5, seed, 89.0 + seed / 10, 95.0))
    return load_study(ledger(lines), knobs=[RATES])


def test_the_best_on_validation_is_chosen_where_test_says_otherwise(contrary):
    found = choose(contrary)
    assert found.chosen["dropout"].setting == {RATES: (0.2,)}
    assert found.chosen["dropout"].mean.mean == pytest.approx(91.15)
    row = tabulate(contrary).row("dropout")
    assert row.accuracies == (89.0,) * 4 and row.setting == {RATES: (0.2,)}


def test_who_ranks_by_test_is_refused(contrary, monkeypatch):
    def by_test(knobs, setting, trials):
        values = {t.seed: t.test["accuracy"] for t in trials}
        return selection.Candidate("dropout", {RATES: setting[0]}, values)

    monkeypatch.setattr(selection, "_candidate", by_test)
    with pytest.raises(KeyError, match="accuracy"):  # it was taken away
        tabulate(contrary)


def test_no_test_result_changes_the_choice(contrary, ledger, trial):
    lines = []
    for rate, validation in ((0.1, 90.0), (0.2, 91.0)):
        lines += [tried(trial, "dropout", rate, s, validation, 0.0) for s in range(2)]
    before = choose(load_study(ledger(lines), knobs=[RATES])).chosen
    for place, line in enumerate(lines):
        line["result"]["test"]["accuracy"] = 1.0 - place / 10
    assert choose(load_study(ledger(lines), knobs=[RATES])).chosen == before


def test_results_of_several_settings_are_never_averaged(contrary):
    with pytest.raises(ValueError, match="3 settings: choose one on validation"):
        contrary.done("dropout")
    assert len(choose(contrary).study.done("dropout")) == 4


def test_test_results_of_other_settings_appear_nowhere(contrary, tmp_path):
    # 95 and 93.7 on test belong to the settings that were not chosen.
    written = write_report(contrary, tmp_path, title="T")
    for name in ("table.md", "table.csv", "table.json", "runs.csv", "settings.csv"):
        text = written[name].read_text()
        for value in (r"\b95\.0+\b", r"\b93\.70*\b", r"0\.950*\b", r"0\.937"):
            assert not re.search(value, text), (name, value)
    page = written["report.html"].read_text()
    body = page[: page.index('id="plotly"')]
    assert ">95.00<" not in body and ">93.70<" not in body and ">89.00<" in body
    shown = revealed(choose(contrary))
    values = [run_values(contrary, t, id(t) in shown) for t in contrary.trials]
    assert not any(value in line for line in values for value in (95.0, 93.7))
    assert sum(89.0 in line for line in values) >= 4


def test_the_report_says_what_was_chosen_among_what(contrary):
    table = tabulate(contrary)
    said = [note for note in table.notes if note.startswith("dropout: noise.rates")]
    assert said == [
        "dropout: noise.rates = 0.2 chosen of 3 settings by mean validation accuracy "
        "(91.15 [90.94, 91.36] %). Test results of the other settings are not shown."
    ]
    assert table.row("dropout").search_budget == 12  # runs
    assert table.row("none").setting == {} and table.row("none").search_budget is None
    assert "| setting, by validation |" in markdown(table)
    found = json.loads(as_json(table))["rows"][1]
    assert found["setting"] == {RATES: [0.2]}


def test_choosing_again_changes_nothing(contrary):
    once = choose(contrary)
    again = choose(once.study)
    assert again.study == once.study and again.chosen == {} == again.chosen


def test_gap_notes_are_of_the_chosen_setting(contrary):
    assert gap_notes(contrary, "none") == gap_notes(choose(contrary).study, "none")


def test_a_setting_that_lost_seeds_does_not_compete(ledger, trial):
    lines = [tried(trial, "dropout", 0.1, seed, 90.0, 90.0) for seed in range(3)]
    lines += [tried(trial, "dropout", 0.9, seed, 95.0, 95.0) for seed in range(2)]
    lines.append(tried(trial, "dropout", 0.9, 2, 0, 0, "diverged"))
    found = choose(load_study(ledger(lines), knobs=[RATES]))
    assert found.chosen["dropout"].setting == {RATES: (0.1,)}
    assert [c.unfinished for c in found.among("dropout")] == [0, 1]
    # The rule that decided is said, with what it kept from being chosen.
    table = tabulate(load_study(ledger(lines), knobs=[RATES]), baseline="dropout")
    (note,) = (note for note in table.notes if "chosen" in note)
    assert note == (
        "dropout: noise.rates = 0.1 chosen of 2 settings by mean validation accuracy "
        "among the 1 that have 3 finished seeds (90.00 [90.00, 90.00] %); with fewer "
        "finished seeds, and therefore out of the choice, although higher: noise.rates "
        "= 0.9 (95.00 %, 2 seeds). Test results of the other settings are not shown."
    )


def test_of_equals_the_first_is_chosen_and_none_is_no_choice(ledger, trial):
    lines = [tried(trial, "a", rate, 0, 90.0, 90.0) for rate in (0.3, 0.1)]
    lines += [tried(trial, "b", rate, 0, 0, 0, "diverged") for rate in (0.3, 0.1)]
    study = load_study(ledger(lines), knobs=[RATES])
    assert choose(study).chosen["a"].setting == {RATES: (0.3,)}
    table = tabulate(study, baseline="a")
    assert "b: none of its 2 settings has a finished run." in table.notes


def test_without_validation_nothing_is_chosen(ledger, trial):
    lines = [tried(trial, "a", rate, 0, 90.0, 90.0) for rate in (0.3, 0.1)]
    del lines[1]["result"]["validation"]
    study = load_study(ledger(lines), knobs=[RATES])
    with pytest.raises(UserError, match="'a', seed 0: no validation accuracy"):
        tabulate(study, baseline="a")
    # With one setting there is nothing to choose, and no validation is asked for.
    assert tabulate(load_study(ledger(lines[1:]), knobs=[RATES]), baseline="a").rows


@pytest.mark.parametrize("knob", ["seed", "noise.rate"])
def test_what_is_no_knob_is_refused(ledger, trial, knob):
    with pytest.raises(UserError, match=f"'{knob}' is no field that a method"):
        load_study(ledger([trial("none", 0)]), knobs=[knob])


def test_only_knobs_may_differ(ledger, trial):
    lines = [tried(trial, "a", 0.1, 0, 90, 90), tried(trial, "a", 0.2, 0, 90, 90)]
    assert load_study(ledger(lines), knobs=[RATES]).settings("a") == (
        ((0.1,),),
        ((0.2,),),
    )
    cure = r".* choose among them with --knobs noise\.rates \(in Python: knobs="
    with pytest.raises(UserError, match="second result for seed 0" + cure):
        load_study(ledger(lines))
    lines[1]["seed"] = lines[1]["config"]["seed"] = 1
    with pytest.raises(UserError, match=r"noise\.rates:" + cure):
        load_study(ledger(lines))


def test_the_cure_for_a_grid_names_every_field_of_it(ledger, trial, tmp_path, capsys):
    """So that the command it names works at once."""
    lines = [tried(trial, "a", rate, 0, 90, 90) for rate in (0.1, 0.2)]
    lines += [tried(trial, "b", rate, 0, 90, 90) for rate in (0.1, 0.2)]
    for line, width in zip(lines[2:], (8, 9), strict=True):
        line["config"] = {**line["config"], "model": {"widths": [width]}}
    flags = [f"--ledger={ledger(lines)}", f"--out={tmp_path}", "--baseline=a"]
    assert command.main(flags) == 2
    said = capsys.readouterr().err
    named = said.partition("--knobs ")[2].partition(" (in")[0].split()
    assert sorted(named) == ["model.widths", "noise.rates"]
    assert command.main([*flags, "--knobs", *named]) == 0


def test_of_settings_equal_in_accuracy_the_smaller_loss_is_chosen(ledger, trial):
    """As in a search; not the one that comes first in the file."""
    lines = [tried(trial, "a", rate, 0, 90.0, 90.0) for rate in (0.3, 0.1)]
    for line, loss in zip(lines, (0.5, 0.4), strict=True):
        validation = line["result"]["validation"]
        line["result"]["validation"] = {**validation, "nll": loss}
    for order in (1, -1):
        found = choose(load_study(ledger(lines[::order]), knobs=[RATES]))
        assert found.chosen["a"].setting == {RATES: (0.1,)}
