# SPDX-License-Identifier: Apache-2.0
"""A run back in Python: it predicts what was tested, and samples under its noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import data
from dropout_jax.config import UserError
from dropout_jax.evaluation.metrics import accuracy
from dropout_jax.keys import step_key
from dropout_jax.training import load as loading
from dropout_jax.training import load_run
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
    monkeypatch.setattr(loading, "PREDICTION_BATCH", 20)
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


def test_loading_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no run; give the --workdir"):
        load_run(tmp_path)
