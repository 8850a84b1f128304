# SPDX-License-Identifier: Apache-2.0
"""What an answer says: its sentences, tables and captions."""

import csv
import dataclasses
import io
import json

import pytest

import answers
from answers import made
from dropout_jax.evaluation.comparison import ACCURACY
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.answer.captions import (
    budget_caption,
    differences_caption,
    strength_caption,
)
from dropout_jax.reports.answer.cell import Cell, Choice
from dropout_jax.reports.answer.differences_figure import differences_figure
from dropout_jax.reports.answer.exports import as_csv, as_json
from dropout_jax.reports.answer.judging import judge
from dropout_jax.reports.answer.tables import overview, parts
from dropout_jax.reports.answer.words import conditions, sentences, state
from dropout_jax.sweeps.gate import Verdict

EFFECTS = {
    ("weight decay", "accuracy"): -0.6,
    ("dropout", "accuracy"): 0.9,
    ("gaussian dropout", "accuracy", 1): 0.9,
    ("gaussian dropout", "accuracy", 2): -0.1,
}


def said(cell, *others, measure=0):
    answer = judge([cell, *others])
    return sentences(answer, cell, cell.measures[measure])


def test_gain_loss_and_disagreement_are_one_sentence():
    first, loss = said(made(effects=EFFECTS))
    assert first.startswith(
        "Test accuracy, with the settings that the two searches chose, against ‘none’: "
        "gain with ‘dropout’ (+0."
    )
    assert "; loss with ‘weight decay’ (−0." in first
    assert "; the searches disagree on ‘gaussian dropout’ (+0.4" in first
    assert " in search 1 and −0." in first
    # A loss is worded as what so many trials found.
    assert loss == (
        "The loss with ‘weight decay’ is that of the best setting that 24 trials of "
        "each search found, against the best of 4 trials of each search for ‘none’; "
        "another setting may lose less."
    )


def test_less_nll_is_a_gain():
    (sentence,) = said(made(effects={("dropout", "nll"): -0.03}), measure=1)
    assert sentence.startswith("NLL, with the settings that the two searches chose")
    assert ", against ‘none’: gain with ‘dropout’ (−0.03" in sentence


def test_no_difference_has_its_minimum_detectable_effect():
    (sentence,) = said(made(spread=2.0))
    assert "no significant difference with" in sentence
    assert "minimum detectable effect" in sentence


def test_what_is_described_counts_replicates():
    (sentence,) = said(made(effects=EFFECTS, descriptive=True))
    assert "described, not tested" in sentence
    assert "‘dropout’ better in 20 of 20 replicates (+0." in sentence
    (sentence,) = said(
        made(effects={("dropout", "nll"): -0.1}, descriptive=True), measure=1
    )
    assert "‘dropout’ better in 20 of 20 replicates (−0.1" in sentence


def test_ten_replicates_in_a_large_family_say_what_they_cannot_show():
    waiting = [
        Cell(f"cell_{n}", 1000, 0.5, answers.METHODS, (1, 2), 10) for n in range(4)
    ]
    *_, limit = said(made(effects=EFFECTS, replicates=5), *waiting)
    assert limit == (
        "With 10 replicates no p-value is under 0.002 before correction. In Holm's "
        "order it can be significant only if at most 25 of the 30 comparisons remain."
    )
    assert "remain" not in " ".join(said(made(effects=EFFECTS), *waiting))


def test_the_state_of_a_cell():
    waiting = Cell("a", 1000, 0.5, answers.METHODS, (1, 2), 10)
    (sentence,) = state(waiting)
    assert sentence.startswith("Unfinished: the searches have not ended")
    assert state(dataclasses.replace(waiting, held="why")) == ["Unfinished: why."]
    part = made(change=lambda f: f._replace(trial=None) if f.seed == 1000 else f)
    sentence, not_judged = state(part)
    assert sentence.startswith("Unfinished: 152 of 160 final runs have ended")
    assert not_judged.startswith("The convergence gate has not ended")
    assert state(made()) == [not_judged]
    assert state(made(gate=gate_of())) == []


def test_a_failed_gate_is_said_and_shown():
    gate = {
        "none": Verdict(Interval(0.05, -0.1, 0.2), Interval(0.0, 0.0, 0.0), None, ()),
        "dropout": Verdict(None, None, 0.7, ("NLL changes",), "starts end 0.7 apart"),
    }
    cell = made(gate=gate)
    assert state(cell) == [
        "‘dropout’ failed the convergence gate: NLL changes.",
        "‘dropout’ depends on its start: starts end 0.7 apart.",
    ]
    *_, part = parts(judge([cell]), cell)
    assert part.rows == [
        ["none", "+0.05 [−0.10, +0.20]", "0.0000 [0.0000, 0.0000]", "–", "yes", "–"],
        ["dropout", "–", "–", "0.70", "no", "yes"],
    ]


def gate_of(*failed, depends=()):
    """A gate that some methods failed, or whose learned noise depends on its start."""
    return {
        method: Verdict(
            None,
            None,
            None,
            ("accuracy still rises",) if method in failed else (),
            "two starts end apart" if method in depends else "",
        )
        for method in answers.METHODS
    }


def shown(cell):
    """What stands beside each method, in each place that shows an outcome."""
    answer = judge([cell])
    (table, *_), (glance, _) = parts(answer, cell), overview(answer)
    methods = answers.METHODS[1:]
    verdict = table.headings.index("verdict")
    ticks = differences_figure(answer).axes[0].get_yticklabels()
    (first, *_) = sentences(answer, cell, cell.measures[0])
    lines = csv.DictReader(io.StringIO(as_csv(answer)))
    rows = json.loads(as_json(answer))["cells"][0]["rows"]
    told = {
        "table": {row[0]: row[verdict] for row in table.rows},
        "overview": dict(zip(methods, glance.rows[0][1:], strict=True)),
        "figure": {m: t.get_text() for m, t in zip(methods, ticks, strict=True)},
        "csv": {r["method"]: r["outcome"] for r in lines if r["unit"] == "points"},
        "json": {r["method"]: r["outcome"] for r in rows if r["unit"] == "points"},
    }
    return told, first


@pytest.mark.parametrize("descriptive", [False, True])
def test_a_method_that_failed_the_gate_is_marked_wherever_its_outcome_stands(
    descriptive,
):
    gate = gate_of("dropout", depends=("gaussian dropout",))
    told, sentence = shown(made(effects=EFFECTS, gate=gate, descriptive=descriptive))
    for place, of in told.items():
        marks = {
            method: ("(not converged)" in text, "(depends on its start)" in text)
            for method, text in of.items()
            if method != "none"
        }
        assert marks == {
            "weight decay": (False, False),
            "dropout": (True, False),
            "gaussian dropout": (False, True),
        }, place
    assert sentence.count("(not converged)") == 1
    assert sentence.count("(depends on its start)") == 1
    assert ") (not converged)" in sentence.partition("‘dropout’")[2]


def test_a_baseline_that_failed_the_gate_marks_every_method():
    told, sentence = shown(made(effects=EFFECTS, gate=gate_of("none")))
    for place, of in told.items():
        assert all("(not converged)" in text for text in of.values()), place
    assert sentence.count("(not converged)") == 3
    assert told["csv"]["none"] == "baseline (not converged)"


def diverged(*names):
    def change(final):
        if (final.method, final.seed) in names:
            trial = answers.run(final.method, final.seed, 0, 0, status="diverged")
            return final._replace(trial=trial)
        return final

    return change


def test_runs_that_diverged_are_named_with_what_they_count():
    change = diverged(("dropout", 1003), ("dropout", 2000), ("none", 1001))
    cell = made(effects=EFFECTS, change=change)
    *_, sentence = said(cell)
    assert sentence == (
        "Test accuracy: 1 of 20 runs of ‘none’ (seed 1001 of search 1) and 2 of 20 "
        "runs of ‘dropout’ (seed 1003 of search 1, seed 2000 of search 2) diverged. A "
        "run that diverged counts with the worst result of the cell."
    )
    accuracy, *_ = parts(judge([cell]), cell)
    assert [row[2] for row in accuracy.rows] == [
        "20 of 20 (1 diverged)",
        "20 of 20",
        "20 of 20 (2 diverged)",
        "20 of 20",
    ]


def test_a_cell_in_which_everything_diverged_says_so():
    lost = answers.run("x", 0, 0, 0, status="diverged")
    (sentence,) = said(made(change=lambda final: final._replace(trial=lost)))
    assert sentence == "Test accuracy: every final run that has ended diverged."


def test_the_difference_between_the_searches_is_in_table_and_files():
    cell = made(effects=EFFECTS)
    answer = judge([cell])
    accuracy, *_ = parts(answer, cell)
    column = accuracy.headings.index("search 2 minus search 1")
    gaussian = accuracy.rows[3][column]
    assert accuracy.rows[0][column] == "–"
    assert gaussian.startswith("−1.0") and "[−1." in gaussian
    rows = json.loads(as_json(answer))["cells"][0]["rows"]
    apart = rows[3]["difference_between_searches"]["2_minus_1"]
    by_search = answer.rows[3].comparison.by_search
    assert apart["mean"] == pytest.approx(by_search[2].mean - by_search[1].mean)
    assert apart["low"] < apart["mean"] < apart["high"]


def test_conditions_say_what_is_not_tested_and_what_is_assumed():
    text = " ".join(conditions(judge([made()])))
    assert "tested against the baseline, not against one another" in text
    assert "Differences between cells, such as sizes, are described and never" in text
    assert "those of equivalence are two families, each at 5 %" in text
    assert "symmetric around 0" in text
    assert "early stopping for every method, the baseline too" in text


def test_the_sampling_error_of_the_test_set_is_of_its_size():
    assert (
        "standard error of 0.20, 0.28 and 0.35 points if one of the two classifiers "
        "is right and one is wrong on 4, 8 and 12 % of the images"
    ) in " ".join(conditions(judge([made()])))

    def smaller(final):
        trial = dataclasses.replace(final.trial, test_count=2500)
        return final._replace(trial=trial)

    text = " ".join(conditions(judge([made(change=smaller)])))
    assert "standard error of 0.40, 0.57 and 0.69 points" in text


def test_captions_say_what_they_do_not_show():
    caption = budget_caption(made())
    assert "drawn at random from the grid" in caption
    assert "a wider grid with bad ends looks worse at small k" in caption
    assert "does not show what chance alone gains" in caption
    *_, settings = parts(judge([made()]), made())
    assert "machines of the ledgers under their load" in settings.caption


def test_conditions_name_the_test_set_the_searches_and_the_family():
    declared = made("cnn_55000", descriptive=True)
    text = " ".join(conditions(judge([made(), declared])))
    assert "one test set of 10,000 images and for 2 searches of each method" in text
    assert "Holm's correction for 6 comparisons" in text
    assert text.endswith("and not counted: cnn_55000.")
    assert "first weights and order of the batches" in text
    assert "training images" not in text  # these runs draw none


def test_replicates_that_draw_their_images_say_so():
    def drawn(final):
        config = {**final.trial.config, "data.split": "drawn"}
        trial = dataclasses.replace(final.trial, config=config)
        return final._replace(trial=trial)

    text = " ".join(conditions(judge([made(change=drawn)])))
    assert "differ in training images, validation images, first weights" in text
    assert "may share images" in text


def test_without_a_final_run_nobody_knows_what_replicates_differ_in():
    waiting = Cell("a", 1000, 0.5, answers.METHODS, (1, 2), 10, descriptive=True)
    answer = judge([waiting])
    text = " ".join(conditions(answer))
    assert "differ in" not in text and "paired on the same replicate" in text
    accuracy, _ = overview(answer)
    assert accuracy.rows == [["a", "unfinished", "unfinished", "unfinished"]]


def test_the_overview_has_every_cell_and_method():
    waiting = Cell("rnn_1000", 1000, 0.5, answers.METHODS, (1, 2), 10)
    accuracy, nll = overview(judge([made(effects=EFFECTS), waiting]))
    assert accuracy.headings == nll.headings == ["cell", *answers.METHODS[1:]]
    name, decay, dropout, gaussian = accuracy.rows[0]
    assert name == "mlp_1000" and gaussian.startswith("the searches disagree: +0.4")
    assert decay.startswith("loss: −0.") and dropout.startswith("gain: +0.")
    assert accuracy.rows[1] == ["rnn_1000", *["unfinished"] * 3]


def test_tables_have_a_cell_for_each_heading_and_show_the_settings():
    cell = made(effects=EFFECTS)
    ends = {("dropout", 1, "accuracy"): Choice(2.0, 0.004, {}, "highest strength")}
    cell = dataclasses.replace(cell, choices={**cell.choices, **ends})
    found = parts(judge([cell]), cell)
    for part in found:
        assert all(len(row) == len(part.headings) for row in part.rows)
    accuracy, _, settings = found
    verdict = accuracy.headings.index("verdict")
    assert [row[verdict] for row in accuracy.rows] == [
        "baseline",
        "loss",
        "gain",
        "the searches disagree",
    ]
    assert "2, learning rate 0.004 (at an end: highest strength)" in settings.rows[4]
    assert settings.rows[0][2] == "learning rate 0.002"


@pytest.mark.parametrize("left", ["choices", "finals", "curve", "tried"])
def test_tables_and_captions_of_what_is_not_there_yet(left):
    empty = {} if left in ("choices", "curve") else ()
    cell = dataclasses.replace(made(), **{left: empty})
    answer = judge([cell])
    assert parts(answer, cell)
    for text in (differences_caption(answer), strength_caption(cell)):
        assert text.endswith(".") and "None" not in text
    assert budget_caption(cell).endswith(".")


def test_captions_give_n_interval_and_margin():
    answer = judge([made(), made("mlp_55000", train_size=55_000)])
    caption = differences_caption(answer)
    assert "20 paired replicates" in caption and "95 % t" in caption
    assert "corrected for 12 comparisons" in caption
    assert "(0.5 points, 0.01 nats and 0.3 points)" in caption
    assert "3 seeds" in strength_caption(made())
    assert sentences(answer, answer.cells[0], ACCURACY)
