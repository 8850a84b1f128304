# SPDX-License-Identifier: Apache-2.0
"""Runs that draw their own images: which they train on, and what shares a group."""

import importlib

import numpy as np
import pytest

from dropout_jax import training
from dropout_jax.config import Interrupted, UserError
from dropout_jax.data import load
from dropout_jax.training.hyperparameters import static_signature
from dropout_jax.training.prepare import prepare

DRAWN = {"data.split": "drawn", "data.validation_size": 40, "noise.kind": "none"}
DRAWN |= {"noise.rates": ()}
DROPOUT = {**DRAWN, "noise.kind": "dropout", "noise.rates": (0.5,)}


def test_two_methods_of_a_seed_have_the_same_images_and_other_seeds_others(tiny):
    one, other = (prepare(tiny({**f, "seed": 3})).dataset for f in (DRAWN, DROPOUT))
    wanted = load("synthetic", split="drawn", seed=3, train_size=96, validation_size=40)
    for found in (one, other):
        for array, right in zip(found[:6], wanted[:6], strict=True):
            np.testing.assert_array_equal(array, right)
    another = prepare(tiny({**DRAWN, "seed": 4})).dataset
    assert not np.array_equal(another.train_images, one.train_images)
    assert not np.array_equal(another.validation_images, one.validation_images)


def test_the_whole_data_set_is_read_once_for_all_seeds(tiny, monkeypatch):
    room = importlib.import_module("dropout_jax.training.prepare")
    read = []
    monkeypatch.setattr(
        room.data, "load", lambda *a, **k: read.append(a) or load(*a, **k)
    )
    room._load.cache_clear()
    room._cut.cache_clear()
    for seed in (0, 1, 0):
        prepare(tiny({**DRAWN, "seed": seed}))
    assert read == [("synthetic",)]


def test_a_run_validates_on_as_many_images_as_it_is_told(tiny, tmp_path, recorder):
    done = training.run(tiny(DRAWN), tmp_path, progress=recorder())
    wrong = 40 * (1 - done.values["validation"]["accuracy"])
    assert wrong == pytest.approx(round(wrong), abs=1e-4)
    assert done.values["test_count"] == 128


def test_an_interrupted_run_goes_on_with_its_images(tiny, tmp_path, recorder):
    config = tiny({**DROPOUT, "seed": 5})
    straight = training.run(config, tmp_path / "a", progress=recorder())
    with pytest.raises(Interrupted):
        training.run(config, tmp_path / "b", progress=recorder((3,)))
    prepare(tiny({**DRAWN, "seed": 6}))  # another trial of the same worker
    resumed = training.run(config, tmp_path / "b", progress=recorder())
    for name in ("metrics_sha256", "parameters_sha256", "test"):
        assert resumed.values[name] == straight.values[name]


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"data.split": "given"}, {"data.validation_size": 41}]
)
def test_a_group_on_different_images_is_refused(tiny, tmp_path, recorder, changed):
    configs = [tiny(DRAWN), tiny(DRAWN | changed)]
    assert static_signature(configs[0]) == static_signature(configs[1])
    with pytest.raises(UserError, match="must train on the same images"):
        training.run_group(
            configs, [tmp_path / "a", tmp_path / "b"], tmp_path, progress=recorder()
        )
    assert not list(tmp_path.iterdir())


def test_a_group_of_one_seed_is_what_each_run_is_alone(tiny, tmp_path, recorder):
    configs = [tiny({**f, "seed": 2}) for f in (DROPOUT, DROPOUT)]
    configs[1].unlock().noise.rates = (0.1,)
    results = training.run_group(
        configs, [tmp_path / "0", tmp_path / "1"], tmp_path / "g", progress=recorder()
    )
    for config, result, name in zip(configs, results, "ab", strict=True):
        alone = training.run(config, tmp_path / name, progress=recorder())
        for digest in ("metrics_sha256", "parameters_sha256"):
            assert result.values[digest] == alone.values[digest]
