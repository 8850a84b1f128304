# SPDX-License-Identifier: Apache-2.0
"""A tiny study: two methods on the synthetic data, one program for each."""

import io

import pytest
from rich.console import Console

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps import StudyDirectory, plan, worker

TINY = {
    "data.name": "synthetic",
    "data.train_size": 64,
    "model.widths": (4,),
    "noise.kind": "dropout",
    "noise.rates": (0.2,),
    "train.epochs": 1,
    "train.batch_size": 32,
}


@pytest.fixture(scope="package")
def trials():
    """Returns a function from seeds to trials."""

    def make(*seeds):
        sweep = ({"arm": "drop 0.2/x", "seed": seed} for seed in seeds)
        return plan("study", override(defaults(), TINY), sweep)

    return make


@pytest.fixture
def study(tmp_path, trials):
    """A study of seeds 0, 1 and 2."""
    study = StudyDirectory(tmp_path / "study")
    study.extend(trials(0, 1, 2))
    return study


@pytest.fixture
def counted(monkeypatch):
    """Seeds of the runs that were started in this process."""
    seeds, run = [], worker.run_group

    def count(configs, *args, **kwargs):
        seeds.extend(config.seed for config in configs)
        return run(configs, *args, **kwargs)

    monkeypatch.setattr(worker, "run_group", count)
    return seeds


@pytest.fixture
def console():
    """Output that a test can read with `.file.getvalue()`."""
    return Console(file=io.StringIO(), width=200)
