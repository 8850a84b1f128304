# SPDX-License-Identifier: Apache-2.0
"""A run on data of one's own: what it is told, and what it refuses before training."""

import numpy as np
import pytest

from dropout_jax import training
from dropout_jax.config.errors import UserError
from dropout_jax.training.prepare import prepare
from dropout_jax.training.run_directory import RunDirectory


@pytest.fixture
def own(tmp_path, tiny):
    """A configuration on 120 images, sorted by class."""
    random, labels = np.random.default_rng(0), np.repeat([0, 1, 2, 4], 30)
    images = random.integers(0, 255, (120, 5, 7)).astype(np.uint8)
    arrays = {f"{split}_images": images for split in ("train", "test")}
    labels_of = {f"{split}_labels": labels for split in ("train", "test")}
    np.savez(tmp_path / "own.npz", **arrays, **labels_of)
    return tiny({"data.name": str(tmp_path / "own.npz"), "data.train_size": 55_000})


def test_what_may_be_a_mistake_is_told(own, tmp_path, recorder):
    progress = recorder()
    training.run(own, tmp_path / "run", progress=progress)
    assert progress.notes[:2] == [
        "data.train_size=55000, the default: trains on 108 of the 108 training images "
        "of own; 0 is all of them",
        "of the classes 0 to 4, 1 have no training image: 3",
    ]
    (part,) = RunDirectory(tmp_path / "run").parts()
    assert part["inputs"]["split"] == "drawn by seed 0, stratified"


def test_a_shift_larger_than_the_images_is_refused(own):
    own.data.shift = 5
    prepare(own)
    own.data.shift = 6
    with pytest.raises(UserError, match="shift=6: must be at most 5, the smaller"):
        prepare(own)


def test_epochs_are_compared_in_the_steps_of_the_data(own):
    own.optimizer.warmup_epochs = 1.9
    with pytest.raises(UserError, match=r"comes to 6 of the 6 steps of the run \(3 an"):
        prepare(own)
