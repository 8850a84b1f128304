# SPDX-License-Identifier: Apache-2.0
"""Cells with known effects: what is paired, what is corrected for, what is said."""

import dataclasses

import numpy as np
import pytest

import answers
import rule
from answers import made
from dropout_jax.evaluation.comparison import ACCURACY, NLL, Outcome
from dropout_jax.reports.answer.cell import Cell
from dropout_jax.reports.answer.judging import judge
from dropout_jax.reports.answer.words import outcome

EFFECTS = {
    ("weight decay", "accuracy"): -0.6,
    ("dropout", "accuracy"): 0.9,
    ("dropout", "nll"): -0.03,
    ("gaussian dropout", "accuracy", 1): 0.9,
    ("gaussian dropout", "accuracy", 2): -0.1,
}


@pytest.fixture(scope="module")
def cell():
    return made(effects=EFFECTS)


@pytest.fixture(scope="module")
def answer(cell):
    return judge([cell])


def words(answer, name="mlp_1000"):
    (cell,) = (cell for cell in answer.cells if cell.name == name)
    return {
        (row.method, row.measure.name): outcome(cell, row)
        for measure in cell.measures
        for row in answer.of(cell, measure)[1:]
    }


def row(answer, method, measure=ACCURACY, place=0):
    of_cell = answer.of(answer.cells[place], measure)
    return next(one for one in of_cell if one.method == method)


def by_hand(cell, method, measure):
    """Differences of one method by one measure, from the runs themselves."""

    def value(final):
        if measure == "accuracy":
            return 100 * final.trial.sets["last"].test["accuracy"]
        return final.trial.sets["least_nll"].test["nll"]

    def of(name):
        return {
            (f.search, f.seed): value(f)
            for f in cell.finals
            if (f.method, f.measure) == (name, measure) and f.trial
        }

    mine, theirs = of(method), of("none")
    return [round(mine[key] - theirs[key], 9) for key in sorted(mine)]


def test_the_known_truth_is_found(answer):
    assert words(answer) == {
        ("weight decay", "accuracy"): "loss",
        ("dropout", "accuracy"): "gain",
        ("gaussian dropout", "accuracy"): "the searches disagree",
        ("weight decay", "nll"): "equivalent within 0.01 nats",
        ("dropout", "nll"): "gain",
        ("gaussian dropout", "nll"): "equivalent within 0.01 nats",
    }


def test_p_values_and_intervals_are_recomputed_from_the_runs(cell, answer):
    names = [(m, q) for q in ("accuracy", "nll") for m in answers.METHODS[1:]]
    differences = {name: by_hand(cell, *name) for name in names}
    corrected = rule.step_down(
        {name: rule.p_values(values)[0] for name, values in differences.items()}
    )
    for method, quantity in names:
        measure = ACCURACY if quantity == "accuracy" else NLL
        found = row(answer, method, measure).comparison
        values = differences[method, quantity]
        assert found.values == pytest.approx(values, abs=1e-9)
        assert found.p_value == pytest.approx(corrected[method, quantity])
        assert found.interval == pytest.approx(rule.t_interval(values, 0.05))
        assert found.corrected == pytest.approx(rule.t_interval(values, 0.05 / 6))
        for search, part in ((1, values[:10]), (2, values[10:])):
            expected = rule.t_interval(part, 0.05)
            assert found.by_search[search] == pytest.approx(expected)


def test_accuracy_is_of_the_last_epoch_and_nll_of_its_least_on_validation(cell, answer):
    first = cell.finals[0].trial
    value = row(answer, "none").values[1, first.seed]
    assert value == pytest.approx(100 * first.sets["last"].test["accuracy"])
    assert first.sets["last"].test != first.sets["least_nll"].test


def test_a_method_is_paired_with_what_the_same_search_chose_for_the_baseline():
    """Both searches on the same seeds, the baseline 1 point better in the second."""

    def same_seeds(final):
        final = final._replace(seed=final.seed % 1000)
        trial = final.trial
        higher = 0.01 if final.search == 2 and final.method == "none" else 0.0
        last = trial.sets["last"]
        test = {**last.test, "accuracy": last.test["accuracy"] + higher}
        sets = {**trial.sets, "last": dataclasses.replace(last, test=test)}
        return final._replace(trial=dataclasses.replace(trial, sets=sets))

    found = row(judge([made(change=same_seeds)]), "dropout").comparison
    assert len(found.values) == 20
    assert found.by_search[1].mean == pytest.approx(0.0, abs=0.15)
    assert found.by_search[2].mean == pytest.approx(-1.0, abs=0.15)


def test_the_family_is_every_cell_that_is_not_declared_descriptive():
    waiting = Cell("rnn_1000", 1000, 0.5, answers.METHODS, (1, 2), 10)
    declared = made("cnn_55000", EFFECTS, descriptive=True)
    found = judge([made(effects=EFFECTS), declared, waiting])
    assert found.family == 12  # 3 methods, 2 measures, 2 cells
    assert row(found, "dropout").comparison.family == 12
    alone = judge([made(effects=EFFECTS)])
    p_value = row(alone, "dropout").comparison.p_value
    # The smallest of six p-values, and of twelve.
    assert row(found, "dropout").comparison.p_value == pytest.approx(2 * p_value)


def test_a_declared_cell_is_described_whatever_it_shows():
    found = judge([made(effects=EFFECTS, descriptive=True)])
    assert set(words(found).values()) == {"descriptive"}
    assert all(r.comparison.p_value is None for r in found.rows if r.comparison)
    assert found.family == 0


def test_an_unfinished_cell_gets_no_verdict_but_counts():
    def unfinished(final):
        if final.method == "dropout" and final.seed == 2009 and final.measure == "nll":
            return final._replace(trial=None)
        return final

    found = judge([made(effects=EFFECTS, change=unfinished), made("mlp_5000", EFFECTS)])
    assert set(words(found).values()) == {"unfinished"}
    assert all(
        r.comparison.outcome is Outcome.DESCRIPTIVE
        for r in found.of(found.cells[0], ACCURACY)[1:]
    )
    assert words(found, "mlp_5000")["dropout", "accuracy"] == "gain"
    assert found.family == 12
    assert row(found, "dropout", NLL).unfinished == {"missing": 1}


def diverging(method, *seeds):
    def change(final):
        if final.method == method and final.seed in seeds:
            trial = answers.run(method, final.seed, 0, 0, status="diverged")
            return final._replace(trial=trial)
        return final

    return change


def test_a_run_that_diverged_counts_with_the_worst_result_of_its_cell():
    cell = made(effects=EFFECTS, change=diverging("dropout", 1003))
    found = judge([cell])
    assert cell.finished
    for measure, worst in ((ACCURACY, min), (NLL, max)):
        dropout = row(found, "dropout", measure)
        others = [
            final.value
            for final in cell.finals
            if final.measure == measure.name and final.value is not None
        ]
        assert dropout.values[1, 1003] == worst(others)
        assert dropout.diverged == ((1, 1003),) and dropout.unfinished == {}
        assert len(dropout.comparison.values) == 20
        assert row(found, "none", measure).diverged == ()
    baseline = row(found, "none").values[1, 1003]
    compared = row(found, "dropout").comparison
    at = compared.seeds.index(1003)
    expected = row(found, "dropout").values[1, 1003] - baseline
    assert compared.values[at] == pytest.approx(expected)
    assert row(found, "weight decay").comparison.p_value is not None


def test_an_unstable_method_can_lose():
    seeds = [1000 * search + n for search in (1, 2) for n in range(8)]
    found = judge([made(effects=EFFECTS, change=diverging("dropout", *seeds))])
    assert words(found)["dropout", "accuracy"] == "loss"
    assert words(found)["weight decay", "accuracy"] == "loss"


def test_where_everything_diverged_there_is_nothing_to_compare():
    found = judge(
        [made(change=lambda final: diverging(final.method, final.seed)(final))]
    )
    assert all(one.comparison is None and not one.values for one in found.rows)
    assert {len(one.diverged) for one in found.rows} == {20}


def test_a_set_that_is_not_finite_counts_as_diverged():
    """The reader of ledgers leaves such a set out of a run that is done."""

    def lost(final):
        if final.method == "dropout" and final.seed == 1003:
            sets = {"least_nll": final.trial.sets["least_nll"]}
            return final._replace(trial=dataclasses.replace(final.trial, sets=sets))
        return final

    found = judge([made(change=lost)])
    assert row(found, "dropout").diverged == ((1, 1003),)
    assert row(found, "dropout", NLL).diverged == ()


def test_runs_without_a_test_are_no_results():
    def untested(final):
        return final._replace(
            trial=answers.run(final.method, final.seed, 88, 0.3, tested=False)
        )

    cell = made(change=untested)
    found = judge([cell])
    assert not cell.finished
    assert row(found, "none").unfinished == {"not tested": 20}
    assert row(found, "dropout").comparison is None


def test_one_search_alone_gives_no_verdict():
    """Every run of the second search diverged, those of the baseline too."""

    def lost(final):
        if final.search == 2:
            return final._replace(
                trial=answers.run(final.method, final.seed, 0, 0, status="diverged")
            )
        return final

    found = judge([made(effects=EFFECTS, change=lost)])
    assert not {"gain", "loss"} & set(words(found).values())


@pytest.mark.parametrize(("size", "word"), [(5000, "equivalent"), (55_000, "no sig")])
def test_the_margin_is_that_of_the_cell(size, word):
    """A spread of .8 points around 0 excludes .5 points, but not .3."""

    def near(final):
        if final.method != "dropout" or final.measure != "accuracy":
            return final
        change = 0.8 if final.seed % 2 else -0.8
        base = next(
            f.trial.sets["last"].test["accuracy"]
            for f in plain.finals
            if (f.method, f.search, f.seed, f.measure)
            == ("none", final.search, final.seed, "accuracy")
        )
        return final._replace(
            trial=answers.run("dropout", final.seed, 100 * base + change, 0.3)
        )

    plain = made()
    found = judge([made(train_size=size, change=near)])
    assert words(found)["dropout", "accuracy"].startswith(word)


def test_superiority_is_of_what_is_better(answer, cell):
    accuracy, nll = (row(answer, "dropout", m) for m in (ACCURACY, NLL))
    assert accuracy.superiority.mean == nll.superiority.mean == 1
    assert nll.superiority_unpaired.mean > 0.9
    assert row(answer, "weight decay").superiority.mean == 0
    differences = np.array(by_hand(cell, "gaussian dropout", "nll"))
    expected = np.mean((differences < 0) + 0.5 * (differences == 0))
    assert row(answer, "gaussian dropout", NLL).superiority.mean == expected


def test_cost_is_that_of_runs_beside_the_baseline(answer):
    found = row(answer, "dropout", NLL)
    assert (found.seconds, row(answer, "none").seconds) == (66.0, 60.0)
    assert found.cost == pytest.approx(1.1)
    gain = -found.comparison.interval.mean
    assert found.gain_per_minute == pytest.approx(gain / 1.1)
    assert row(answer, "weight decay").gain_per_minute < 0
    assert row(answer, "none").gain_per_minute is None
    assert found.trials == {1: 24, 2: 24} and found.search_seconds == 48 * 60


def test_the_noise_is_of_the_tested_epoch_and_of_each_search():
    def learned(final):
        if final.method != "dropout":
            return final
        trial, alpha = final.trial, {1: 0.1, 2: 0.4}[final.search]
        noise = {"noise_hidden_0/noise_log_alpha": float(np.log(alpha))}
        early = {"noise_hidden_0/noise_log_alpha": float(np.log(alpha / 2))}
        sets = {
            "last": dataclasses.replace(trial.sets["last"], noise=noise),
            "least_nll": dataclasses.replace(trial.sets["least_nll"], noise=early),
        }
        config = {"noise.kind": "variational_dropout"}
        changed = dataclasses.replace(trial, config=config, noise=noise, sets=sets)
        return final._replace(trial=changed)

    found = judge([made(change=learned)])
    accuracy, nll = (row(found, "dropout", m).noise for m in (ACCURACY, NLL))
    assert [accuracy[s][0].value for s in (1, 2)] == pytest.approx([0.1, 0.4])
    assert [nll[s][0].value for s in (1, 2)] == pytest.approx([0.05, 0.2])
    assert row(found, "none").noise == {}


def test_nothing_planned_yet_is_an_answer_without_rows_to_compare():
    waiting = Cell("mlp_1000", 1000, 0.5, answers.METHODS, (1, 2), 10)
    found = judge([waiting])
    assert found.family == 6 and all(r.comparison is None for r in found.rows)
    assert row(found, "dropout").unfinished == {"missing": 20}
    assert judge([]).rows == ()
