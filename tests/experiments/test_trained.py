# SPDX-License-Identifier: Apache-2.0
"""What experiments train: a study whose finished trials and looks are kept."""

import functools
import json

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from dropout_jax.config import UserError, defaults
from dropout_jax.config.loading import override
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.training import run
from experiments import evidence, trained
from experiments.intervals import bars, curve, sigmas
from experiments.trajectory import trajectory

TINY = {
    "data.name": "synthetic",
    "data.train_size": 64,
    "model.widths": (4,),
    "train.batch_size": 32,
}
SWEEP = [
    {"arm": arm, "seed": seed, "optimizer.learning_rate": rate}
    for seed in (1, 0)
    for arm, rate in (("slow", 1e-4), ("fast", 1e-2))
]


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Trains the sweep, quickly, below a directory of the test's own."""
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    base = override(defaults(), {**TINY, "train.epochs": 1})

    def call(**more):
        return trained.train("E99", base, SWEEP, quick=False, **more)

    return call


def test_what_is_finished_is_not_run_again(train, tmp_path, monkeypatch):
    def bias(run, times=1):
        return {"bias": times * float(run.params["logits"]["bias"][0])}

    found = train(look=bias)
    assert [(one.arm, one.seed) for one in found] == [
        ("slow", 1),
        ("fast", 1),
        ("slow", 0),
        ("fast", 0),
    ]
    lines = (tmp_path / "results/evidence/E99.jsonl").read_text().splitlines()
    assert len(lines) == 4
    assert len({one.model["bias"] for one in found}) == 4
    models = tmp_path / "results/evidence/E99_models.jsonl"
    with models.open("a") as file:
        file.write('{"trial": "torn')  # by a kill

    def never(*args, **more):
        raise AssertionError("it has run already")

    monkeypatch.setattr(trained, "run_local", never)
    with monkeypatch.context() as patch:
        patch.setattr(trained, "load_run", never)
        assert train(look=bias) == found
        assert train() == [one._replace(model={}) for one in found]
    twice = train(look=functools.partial(bias, times=2))  # another look: anew
    assert [one.model["bias"] for one in twice] == [
        2 * one.model["bias"] for one in found
    ]
    seconds = [one.line["result"]["seconds"] for one in found]
    took = {"count": 4, "seconds": round(sum(seconds))}
    assert evidence.trainings("E99", quick=False) == took
    assert evidence.trainings("E98", quick=False) is None
    accuracy = trained.by_arm(found, lambda one: one.seed)
    assert accuracy == {"slow": [0, 1], "fast": [0, 1]}


def test_what_was_given_up_is_said(train, monkeypatch):
    monkeypatch.setattr(trained, "run_local", lambda *args, **more: None)
    monkeypatch.setattr(
        trained.StudyDirectory, "given_up", lambda study: {"a": "it burst"}
    )
    with pytest.raises(UserError, match=r"E99: 1 trials were given up; see .*E99"):
        train()


def test_a_trajectory_is_the_run_that_train_py_makes(tmp_path):
    config = override(defaults(), {**TINY, "train.epochs": 3, "train.keep": "last"})
    run(config, tmp_path / "run")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    steps, accuracies = [], []
    for prepared, state in trajectory({**TINY, "train.keep": "last"}, [1, 3]):
        steps.append(int(state.step))
        images = prepared.dataset.test_images
        logits = prepared.programs.predict(state.params, {}, images, prepared.hparams)
        right = jnp.argmax(logits, -1) == prepared.dataset.test_labels
        accuracies.append(float(right.mean()))
    assert steps == [2, 6]
    assert accuracies[-1] == pytest.approx(result["test"]["accuracy"])


def test_distances_are_in_errors_of_the_mean():
    values = np.array([[1.0, 7.0], [2.0, 7.5], [6.0, 8.0]])
    expected = [stats.ttest_1samp(values[:, n], n).statistic for n in range(2)]
    np.testing.assert_allclose(sigmas(values, [0.0, 1.0]), expected)


def test_means_and_intervals_are_where_the_numbers_are():
    axes = Figure().subplots()
    curve(axes, [0.0, 1.0], [[1.0, 3.0], [4.0, 4.0]], 0)
    assert axes.lines[0].get_ydata().tolist() == [2.0, 4.0]
    band = axes.collections[0].get_paths()[0].vertices
    assert np.isclose(band[:, 1].max(), 2.0 + 12.7062, atol=1e-3)  # t of one degree
    axes = Figure().subplots()
    bars(axes, [0.0], [Interval(2.0, 1.0, 4.0)], 1, across=True)
    ends = axes.collections[0].get_segments()[0]
    assert ends.tolist() == [[1.0, 0.0], [4.0, 0.0]]
