# SPDX-License-Identifier: Apache-2.0
"""Every file under configs/ describes a run that can take two steps."""

from pathlib import Path

import jax
import numpy as np
import pytest

from dropout_jax import data, sweeps
from dropout_jax.config import validate
from dropout_jax.config.loading import load_config, load_module, override
from dropout_jax.sweeps.described import planned, reporting
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs

CONFIGS = Path(__file__).parents[2] / "configs"
COMPARED = load_module(CONFIGS / "compare.py").BASE
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


@pytest.mark.parametrize("name", ["course", "small_data"])
def test_every_arm_of_a_study_is_valid(name):
    module = load_module(CONFIGS / f"{name}.py")
    trials = sweeps.plan(name, module.get_config(), module.sweep(2))
    assert len(trials) == 2 * len(module.ARMS) and module.BASELINE in module.ARMS
    # Paired: the first trials are all arms of seed 0.
    assert {trial.arm for trial in trials[: len(module.ARMS)]} == set(module.ARMS)


@pytest.mark.parametrize("model", ["mlp", "cnn", "rnn"])
@pytest.mark.parametrize("name", ["rates", "decay", "seeds", "sizes", "widths"])
def test_ready_made_studies_are_valid(name, model):
    file = f"{CONFIGS}/sweeps/{name}.py:{model}"
    base = load_config(file)
    trials = planned(file, base, 2)
    assert base.noise.kind == "none" and base.model.name == model
    assert reporting(file)["baseline"] in {trial.arm for trial in trials}
    assert {trial.seed for trial in trials} == {0, 1}


@pytest.mark.parametrize("model", COMPARED)
def test_every_method_of_the_comparison_is_valid(model):
    module = load_module(CONFIGS / "compare.py")
    base = module.get_config(model)
    trials = sweeps.plan(model, base, module.sweep(model, 2))
    noises = {"dropout", "gaussian dropout"}
    if model != "wide_mlp":
        noises |= {"weight decay", "variational dropout"}
    assert {trial.arm for trial in trials} == {module.BASELINE} | noises
    assert len(trials) == 2 * (1 + len(noises))


@pytest.mark.parametrize("model", load_module(CONFIGS / "compare.py").CANDIDATES)
def test_every_candidate_of_a_search_is_valid(model):
    module = load_module(CONFIGS / "compare.py")
    trials = sweeps.plan(model, module.get_config(model), module.search(model))
    # The same budget for every method, on a seed that no comparison uses.
    assert len(set(module.budget(model).values())) == 1
    assert set(module.budget(model)) == set(module.METHODS[model])
    assert {trial.seed for trial in trials} == {module.SEARCH_SEED}
    assert module.SEARCH_SEED > 100
