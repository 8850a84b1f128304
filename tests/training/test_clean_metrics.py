# SPDX-License-Identifier: Apache-2.0
"""What a run says of its training images without noise, by hand."""

import jax
import numpy as np
import pytest

from dropout_jax import data, training
from dropout_jax.training import load_run, loop
from dropout_jax.training.run_directory import RunDirectory


def test_clean_metrics_are_of_the_first_training_images_without_noise(
    tiny, tmp_path, recorder, monkeypatch
):
    """One hidden layer in float64, with the weights after the last epoch."""
    count = 41
    monkeypatch.setattr(loop, "CLEAN_TRAIN_EXAMPLES", count)
    config = tiny({"train.keep": "last"})
    assert all(config.noise.rates)
    result = training.run(config, tmp_path / "run", progress=recorder())
    record = RunDirectory(result.workdir).metrics()[-1]
    params = jax.tree.map(np.float64, load_run(result.workdir).params)
    dataset = data.load("synthetic", train_size=config.data.train_size)
    x, labels = dataset.train_images[:count], dataset.train_labels[:count]
    x = x.reshape(count, -1) / 255.0
    for name in ("dense_0", "logits"):
        x = x @ params[name]["kernel"] + params[name]["bias"][None]
        x = np.maximum(x, 0.0) if name == "dense_0" else x
    log_p = x - np.log(np.exp(x).sum(1, keepdims=True))
    loss = -log_p[np.arange(count), labels].mean()
    assert record["clean_train_loss"] == pytest.approx(loss, rel=1e-5)
    right = (x.argmax(1) == labels).mean()
    assert record["clean_train_accuracy"] == pytest.approx(right, rel=1e-6)
