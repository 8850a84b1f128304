# SPDX-License-Identifier: Apache-2.0
"""The made-up data set: the same for ever, learnable, and never in disguise."""

import numpy as np

from dropout_jax.data import load


def test_same_bytes_for_ever():
    data = load("synthetic")
    assert data.sha256 == (
        "c7c31acb8bef005a97423b6a4d9a199c322511485992f8fbb0cfc84a20bd4b0b"
    )
    assert [len(labels) for labels in data[1:6:2]] == [512, 128, 128]
    assert all(array.dtype == np.uint8 for array in data[:6])
    assert data.train_images.shape[1:] == (28, 28)
    assert data.num_classes == 10


def test_says_what_it_is():
    data = load("synthetic")
    assert data.name == "synthetic"
    assert "synthetic" in data.source


def test_classes_can_be_told_apart():
    """Nearest class mean gets unseen images right; with labels shuffled it cannot."""

    def accuracy(train_labels):
        train = data.train_images.reshape(512, -1).astype(float)
        test = data.test_images.reshape(128, -1).astype(float)
        means = np.stack([train[train_labels == c].mean(0) for c in range(10)])
        distances = ((test[:, None] - means[None]) ** 2).sum(-1)
        return (distances.argmin(1) == data.test_labels).mean()

    data = load("synthetic")
    assert accuracy(data.train_labels) > 0.9
    assert accuracy(np.random.default_rng(0).permutation(data.train_labels)) < 0.5


def test_no_image_twice():
    data = load("synthetic")
    images = np.concatenate(data[0:6:2]).reshape(768, -1)
    assert len(np.unique(images, axis=0)) == 768
