# SPDX-License-Identifier: Apache-2.0
"""Only Fashion-MNIST passes for Fashion-MNIST."""

import gzip
import hashlib

import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.data import idx
from dropout_jax.data.fashion_files import FILES, SHA256, read_files

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (file.name for file in FILES)


def test_content_is_the_published_one(idx_files):
    parts = read_files(idx_files)
    train, test = parts["train"], parts["test"]
    # Counts of the paper's section 2; means and deviations as users of the data
    # set quote them for normalising.
    assert train.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert np.bincount(train.labels).tolist() == [6_000] * 10
    assert np.bincount(test.labels).tolist() == [1_000] * 10
    assert abs(train.images.mean() / 255 - 0.2860) < 5e-5
    assert abs(train.images.std() / 255 - 0.3530) < 5e-5
    assert train.labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert test.labels[:5].tolist() == [9, 2, 1, 1, 6]


def test_digests_are_of_the_files(idx_files):
    whole = hashlib.sha256()
    for file in FILES:
        content = (idx_files / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
        whole.update(content)
    assert whole.hexdigest() == SHA256


def refused(directory, *words):
    with pytest.raises(UserError) as caught:
        read_files(directory)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message, message


def test_missing_file(linked):
    (linked / TEST_LABELS).unlink()
    refused(linked, linked, TEST_LABELS, ".gz")


def test_swapped_files(linked):
    """Each file under each other's name: wrong magic number or wrong shape."""
    (linked / TRAIN_IMAGES).rename(linked / "aside")
    (linked / TEST_IMAGES).rename(linked / TRAIN_IMAGES)
    (linked / "aside").rename(linked / TEST_IMAGES)
    refused(linked, TRAIN_IMAGES, (60_000, 28, 28), (10_000, 28, 28))
    (linked / TRAIN_IMAGES).unlink()
    (linked / TRAIN_LABELS).rename(linked / TRAIN_IMAGES)
    refused(linked, TRAIN_IMAGES, "00000803", "00000801")


def test_truncated(linked, idx_files):
    path = linked / TEST_LABELS
    path.unlink()
    path.write_bytes((idx_files / TEST_LABELS).read_bytes()[:-1])
    refused(linked, path, 10_000, 9_999)
    path.write_bytes(gzip.compress((idx_files / TEST_LABELS).read_bytes())[:-20])
    refused(linked, path, "ended before")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_one_flipped_bit(linked, idx_files, file):
    """A bit anywhere in the content, to a value that is still in range."""
    array = idx.read(idx_files / file.name, len(file.shape)).copy()
    position = np.random.default_rng(0).integers(array.size)
    array.flat[position] ^= 1
    (linked / file.name).unlink()
    idx.write(linked / file.name, array)
    refused(linked, linked / file.name, file.sha256, idx.sha256(array))


def test_two_labels_exchanged(linked, idx_files):
    """Counts per class stay right: only the digest can tell."""
    labels = idx.read(idx_files / TEST_LABELS, 1).copy()
    labels[:2] = labels[1::-1]
    (linked / TEST_LABELS).unlink()
    idx.write(linked / TEST_LABELS, labels)
    refused(linked, TEST_LABELS, "sha256")
