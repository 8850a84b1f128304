# SPDX-License-Identifier: Apache-2.0
"""A run back in Python: it predicts what was tested, and samples under its noise."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import data, training
from dropout_jax.config import UserError
from dropout_jax.evaluation.metrics import accuracy
from dropout_jax.keys import step_key
from dropout_jax.stored import Damaged
from dropout_jax.training import load as loading
from dropout_jax.training import load_run
from dropout_jax.training.run_directory import RunDirectory
from dropout_jax.training.step import pixels


def test_a_loaded_run_predicts_what_was_tested(finished):
    run = load_run(finished.workdir)
    dataset = data.load("synthetic")
    logits = run.predict(dataset.test_images)
    found = float(accuracy(logits, dataset.test_labels))
    assert found == finished.values["test"]["accuracy"]
    assert run.result == finished.values
    assert run.params["dense_0"]["kernel"].shape == (784, 8)
    assert run.config.train.epochs == 2


def test_a_loaded_run_samples_under_the_noise_it_was_trained_with(
    finished, monkeypatch
):
    monkeypatch.setattr(loading, "SAMPLE_BATCH", 20)
    run, key = load_run(finished.workdir), jax.random.key(7)
    images = data.load("synthetic").test_images[[*range(20), *range(18)]]
    rates = jnp.array([0.0, *run.config.noise.rates])
    found = run.sample(images, key, 4)
    assert found.shape == (4, 38, 10)
    for n, batch in ((0, slice(0, 20)), (3, slice(20, 38))):
        draw = step_key(step_key(key, batch.start // 20), n)
        expected = run.model.apply(
            {"params": run.params},
            pixels(jnp.asarray(images[batch])),
            rates,
            train=True,
            rngs={"dropout": draw},
        )
        np.testing.assert_allclose(found[n, batch], expected, rtol=1e-5)
    assert not np.allclose(found[:, :18], found[:, 20:])  # the same images again
    np.testing.assert_array_equal(run.sample(images, key, 2), found[:2])


@pytest.fixture
def trained_on_a_file(tiny, tmp_path, recorder):
    """A run on an .npz file of images that are not square, of three classes."""
    random, path = np.random.default_rng(0), tmp_path / "own.npz"
    arrays = {}
    for split, count in (("train", 60), ("validation", 20), ("test", 20)):
        arrays[f"{split}_images"] = random.integers(0, 256, (count, 5, 7), np.uint8)
        arrays[f"{split}_labels"] = np.arange(count) % 3
    np.savez(path, **arrays)
    config = tiny({"data.name": str(path), "data.train_size": 50})
    training.run(config, tmp_path / "run", progress=recorder())
    return tmp_path / "run", path, arrays["test_images"]


def test_prediction_needs_no_training_data(trained_on_a_file, monkeypatch):
    workdir, path, images = trained_on_a_file
    run, key = load_run(workdir), jax.random.key(0)
    before, samples = run.predict(images), run.sample(images, key, 2)
    path.unlink()

    def never(*_, **__):
        pytest.fail("data were loaded")

    monkeypatch.setattr(data, "load", never)
    for name in (None, "least_nll", "last"):
        again = load_run(workdir, name)
        assert again.predict(images).shape == (20, 3)
    again = load_run(workdir)
    np.testing.assert_array_equal(again.predict(images), before)
    np.testing.assert_array_equal(again.sample(images, key, 2), samples)


def test_where_env_json_was_lost_the_data_are_asked(trained_on_a_file):
    workdir, path, images = trained_on_a_file
    before = load_run(workdir).predict(images)
    (workdir / "env.json").unlink()
    np.testing.assert_array_equal(load_run(workdir).predict(images), before)
    path.unlink()
    with pytest.raises(UserError, match=r"own\.npz"):
        load_run(workdir)


@pytest.mark.parametrize(
    "harm",
    [
        {"image_shape": [5]},
        {"image_shape": [5, 0]},
        {"image_shape": [5, True]},
        {"image_shape": [5, 10**50]},
        {"image_shape": "5x7"},
        {"classes": 0},
        {"classes": None},
        {"train_size": -1},
    ],
)
def test_a_shape_of_data_that_cannot_be_is_damage(finished, tmp_path, harm):
    shutil.copytree(finished.workdir, tmp_path / "run")
    path = tmp_path / "run" / "env.json"
    found = json.loads(path.read_text())
    known = found["parts"][0]["data"]
    assert known["image_shape"] == [28, 28]
    assert (known["classes"], known["train_size"]) == (10, 96)
    known |= harm
    path.write_text(json.dumps(found))
    with pytest.raises(Damaged):
        RunDirectory(tmp_path / "run").parts()


def test_data_of_another_shape_are_another_program(finished, tmp_path):
    shutil.copytree(finished.workdir, tmp_path / "run")
    path = tmp_path / "run" / "env.json"
    found = json.loads(path.read_text())
    found["parts"][0]["data"]["image_shape"] = [2**31 - 1, 2**31 - 1]
    path.write_text(json.dumps(found))
    with (
        pytest.warns(UserWarning, match="passed over"),
        pytest.raises(UserError, match="arrays of another program"),
    ):
        load_run(tmp_path / "run")


def test_loading_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no run; give the --workdir"):
        load_run(tmp_path)


@pytest.mark.parametrize("use", ["predict", "sample"])
def test_other_images_than_it_was_trained_on_are_refused(finished, use):
    """Scaled images scored .100 where these score .862: they were scaled again."""
    run = load_run(finished.workdir)
    images = data.load("synthetic").test_images

    def call(images):
        if use == "predict":
            return run.predict(images)
        return run.sample(images, jax.random.key(0), 2)

    wrong = (images / 255.0, images > 99, images[0], images[:, 1:], images[:0])
    for given in (*wrong, jnp.asarray(images) / 255.0, [[1, 2], [3]], None):
        with pytest.raises(UserError, match=r"^images: ") as caught:
            call(given)
        assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(call(list(images[:4])), call(images[:4]))


def test_images_are_checked_under_jit(finished):
    run, images = load_run(finished.workdir), data.load("synthetic").test_images[:3]
    np.testing.assert_allclose(
        jax.jit(run.predict)(images), run.predict(images), rtol=1e-5
    )
    with pytest.raises(
        UserError, match=r"images: float32 \(3, 28, 28\); must be uint8"
    ):
        jax.jit(run.predict)(images / 255.0)
