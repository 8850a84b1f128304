# SPDX-License-Identifier: Apache-2.0
"""The files of configs/ describe runs that can take steps, and studies that can run."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from dropout_jax import data
from dropout_jax.config import UserError, validate
from dropout_jax.config.loading import load_config, load_module, override
from dropout_jax.sweeps import plan
from dropout_jax.sweeps.described import planned, reporting
from dropout_jax.sweeps.space import arms_of
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs

CONFIGS = Path(__file__).parents[2] / "configs"
COMPARE = load_module(CONFIGS / "compare.py")
NAMES = sorted(path.name for path in CONFIGS.glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_two_steps(name, random_state):
    config = load_config(CONFIGS / name)
    validate(config)
    small = {"data.name": "synthetic", "data.train_size": 16, "train.batch_size": 8}
    config = override(config, small)
    dataset = data.load("synthetic", train_size=16)
    programs = build_programs(config, (28, 28), 10, 16)
    hparams = traced(config, programs.model.sites)
    state = random_state(programs, hparams)
    before = jax.device_get(state.params)
    examples = (dataset.train_images, dataset.train_labels.astype(np.int32))
    seed = np.uint32(0)
    order = programs.order(seed, 0)
    state = programs.run_chunk(state, hparams, seed, examples, order, 2)
    assert int(state.step) == 2 and np.isfinite(float(state.totals.loss))
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(state.params), strict=True)
    for old, new in pairs:
        assert np.isfinite(new).all() and np.any(old != new)


@pytest.mark.parametrize("name", ["course", "small_data", "far", "rnn_learning_rate"])
def test_every_arm_of_a_study_is_valid(name):
    file = f"{CONFIGS}/sweeps/{name}.py"
    trials = planned(file, load_config(file), 10)
    told = reporting(file)
    arms = {trial.arm for trial in trials}
    assert told["baseline"] in arms and told.get("published", {}).keys() <= arms
    assert {trial.seed for trial in trials} == set(range(10))


@pytest.mark.parametrize("model", ["mlp", "cnn", "rnn"])
@pytest.mark.parametrize("name", ["rates", "decay", "seeds", "sizes", "widths"])
def test_ready_made_studies_are_valid(name, model):
    file = f"{CONFIGS}/sweeps/{name}.py:{model}"
    base = load_config(file)
    trials = planned(file, base, 2)
    assert base.noise.kind == "none" and base.model.name == model
    assert reporting(file)["baseline"] in {trial.arm for trial in trials}
    assert {trial.seed for trial in trials} == {0, 1}


@pytest.mark.parametrize("model", COMPARE.BASE)
def test_the_winners_of_a_search_are_what_is_compared(model, tmp_path, monkeypatch):
    space = COMPARE.space(model)
    # The near end of every range, as if it had won.
    found = {
        arm.name: {"fields": next(arm.probes()), "trials": {"done": 4, "pruned": 3}}
        for arm in arms_of(space, COMPARE.get_config(model))
    }
    compared = load_module(CONFIGS / "compare.py")
    monkeypatch.setattr(compared, "RESULTS", tmp_path)
    with pytest.raises(UserError, match=f"{model!r} has no winners of a search yet"):
        list(compared.sweep(model))
    about = {"budget": 7, "sampler": "tpe", "done": False, "arms": found}
    path = tmp_path / f"compare_{model}_winners.json"
    path.write_text(json.dumps(about))
    with pytest.raises(UserError, match="the search has not ended; run make search-"):
        list(compared.sweep(model))
    path.write_text(json.dumps({**about, "arms": {"a": {}}, "done": True}))
    with pytest.raises(UserError, match="'a' has no winner"):
        list(compared.sweep(model))
    path.write_text(json.dumps({**about, "done": True}))
    trials = plan("compare", compared.get_config(model), compared.sweep(model))
    assert [trial.arm for trial in trials] == list(space)
    assert compared.search_budget(model) == dict.fromkeys(space, 7)
    assert compared.BASELINE in space and compared.SEARCH_SEED > 100
    chosen, limits, *withdrawn = compared.notes(model)
    assert "the 7 that" in chosen and "4 to 4 trials of a method" in limits
    # All of its rates below .1: the shares of the uniform ranges, multiplied.
    weak = {"mlp": 0.1 / 0.3 / 36, "cnn": 0.1**4 / 0.4**3 / 0.7, "rnn": 0.04}[model]
    assert f"with a probability of {weak:.2g}:" in limits
    assert bool(withdrawn) == (model != "mlp")
    (dropout,) = (trial for trial in trials if trial.arm == "dropout")
    assert dropout.config.noise.kind == "dropout"


def test_an_unknown_model_is_named():
    with pytest.raises(UserError, match="'mpl' is not compared; known: mlp, cnn, rnn"):
        load_config(f"{CONFIGS}/compare.py:mpl")
