# SPDX-License-Identifier: Apache-2.0
"""Own data that are sorted by class: every part of them has every class."""

import numpy as np
import pytest

from dropout_jax.data import load
from dropout_jax.data.dataset import Part
from dropout_jax.data.stratified import order, some, split

CLASSES = {0: 300, 1: 300, 2: 300, 7: 100}
LABELS = np.repeat([*CLASSES], [*CLASSES.values()]).astype(np.uint8)


def shares(labels):
    return [float(np.mean(labels == label)) for label in CLASSES]


WHOLE = shares(LABELS)


@pytest.fixture
def own(tmp_path):
    """Returns a function that writes data sorted by class, and reads them."""

    def make(validation=False, **options):
        numbers = np.arange(len(LABELS), dtype=np.uint16)  # an image is its place
        images = numbers.view(np.uint8).reshape(-1, 1, 2)
        parts = ["train", "test", *(["validation"] if validation else [])]
        arrays = {f"{name}_images": images for name in parts}
        arrays |= {f"{name}_labels": LABELS for name in parts}
        np.savez(tmp_path / "sorted.npz", **arrays)
        return load(str(tmp_path / "sorted.npz"), **options)

    return make


def places(images):
    return set(np.ascontiguousarray(images).view(np.uint16).ravel().tolist())


def test_a_validation_set_has_every_class_in_its_share(own):
    data = own()
    assert len(data.validation_labels) == 100
    assert shares(data.validation_labels) == pytest.approx(WHOLE, abs=0.01)
    assert not places(data.train_images) & places(data.validation_images)
    again = own()
    np.testing.assert_array_equal(data.validation_images, again.validation_images)


@pytest.mark.parametrize("validation", [False, True])
def test_fewer_images_have_every_class_and_are_among_more(own, validation):
    before: set[int] = set()
    for size in (20, 21, 100, 450, 900):
        data = own(validation, train_size=size)
        assert len(data.train_labels) == size
        assert shares(data.train_labels) == pytest.approx(WHOLE, abs=1.5 / size)
        assert before < places(data.train_images)
        before = places(data.train_images)
    data = own(validation, validation_size=30)
    assert shares(data.validation_labels) == pytest.approx(WHOLE, abs=0.05)


def test_labels_stay_with_their_images(own):
    data = own(train_size=500)
    for images, labels in (data.part("train"), data.part("validation")):
        found = [LABELS[place] for place in images.view(np.uint16).ravel()]
        np.testing.assert_array_equal(labels, found)


def test_all_of_what_has_a_validation_set_is_as_it_was_given(own):
    data = own(validation=True)
    np.testing.assert_array_equal(data.train_labels, LABELS)
    np.testing.assert_array_equal(data.validation_labels, LABELS)


def test_images_that_are_watched_are_of_every_class(own):
    assert shares(some(own(), "train", 100).labels) == pytest.approx(WHOLE, abs=0.02)


def test_data_with_a_name_give_their_first_images(fashion):
    found = load(train_size=100)
    np.testing.assert_array_equal(found.train_images, fashion.train_images[:100])
    assert (
        some(fashion, "train", 3).labels.tolist() == fashion.train_labels[:3].tolist()
    )


def test_the_order_is_fixed_for_ever():
    assert order(LABELS, "own validation")[:6].tolist() == [758, 245, 509, 654, 99, 515]


def test_a_class_of_one_image_trains():
    labels = np.array([0] * 30 + [1] * 30 + [2], np.uint8)
    train, validation = split(Part(labels[:, None, None], labels), 6)
    assert 2 in train.labels and 2 not in validation.labels
