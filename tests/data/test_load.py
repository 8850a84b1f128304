# SPDX-License-Identifier: Apache-2.0
"""From a name to a data set: what is chosen, and what is refused in one line."""

from pathlib import Path

import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.config.schema import DATA_SETS
from dropout_jax.data import load


@pytest.mark.parametrize("size", [1, 100, 512])
def test_train_size_is_the_head_and_the_rest_stays(size):
    whole, cut = load("synthetic"), load("synthetic", train_size=size)
    np.testing.assert_array_equal(cut.train_images, whole.train_images[:size])
    np.testing.assert_array_equal(cut.train_labels, whole.train_labels[:size])
    for one, other in zip(cut[2:9], whole[2:9], strict=True):
        assert np.array_equal(one, other)


def test_train_size_of_fashion_mnist(fashion):
    cut = load(train_size=1_000)
    np.testing.assert_array_equal(cut.train_images, fashion.train_images[:1_000])
    np.testing.assert_array_equal(cut.validation_labels, fashion.validation_labels)
    assert len(cut.test_labels) == 10_000
    assert cut.sha256 == fashion.sha256


@pytest.mark.parametrize("size", [-1, 513, 54_999, 55_001])
def test_train_size_out_of_range(size):
    with pytest.raises(UserError, match=f"train_size={size}: .* 512 .* 0 for all"):
        load("synthetic", train_size=size)


def test_unknown_name_has_its_neighbour():
    with pytest.raises(UserError, match="did you mean fashion_mnist"):
        load("fashon_mnist")
    with pytest.raises(UserError, match=r"exists$"):
        load("no/such/file.npz")


def test_source_dir_without_effect(tmp_path):
    with pytest.raises(UserError, match=r"source_dir=.* no effect with .*'synthetic'"):
        load("synthetic", source_dir=str(tmp_path))


@pytest.mark.parametrize("size", [1, 100, 128])
def test_validation_size_is_the_head_and_the_rest_stays(size):
    whole, cut = load("synthetic"), load("synthetic", validation_size=size)
    np.testing.assert_array_equal(cut.validation_images, whole.validation_images[:size])
    np.testing.assert_array_equal(cut.validation_labels, whole.validation_labels[:size])
    for split in ("train", "test"):
        for kind in ("images", "labels"):
            name = f"{split}_{kind}"
            assert np.array_equal(getattr(cut, name), getattr(whole, name))


@pytest.mark.parametrize("size", [-1, 129])
def test_validation_size_out_of_range(size):
    with pytest.raises(UserError, match=f"validation_size={size}: .* 128 .* 0 for all"):
        load("synthetic", validation_size=size)


def test_the_seed_is_nothing_to_the_given_split():
    for one, other in zip(load("synthetic"), load("synthetic", seed=5), strict=True):
        assert np.array_equal(one, other)


def test_the_default_of_a_run_is_all_where_there_are_no_more_and_says_so():
    assert len(load("synthetic", train_size=0).train_labels) == 512
    found = load("synthetic", train_size=55_000)
    assert len(found.train_labels) == 512
    assert found.remarks == (
        "data.train_size=55000, the default: trains on 512 of the 512 training images "
        "of synthetic; 0 is all of them",
    )
    assert load("synthetic").remarks == ()


def test_classes_without_a_training_image_are_told():
    (remark,) = load("synthetic", train_size=8).remarks
    assert remark == "of the classes 0 to 9, 2 have no training image: 8, 9"


def test_the_numbers_of_images_that_validation_counts_with(fashion):
    for name, data in {
        "synthetic": load("synthetic"),
        "fashion_mnist": fashion,
    }.items():
        there = len(data.train_labels), len(data.validation_labels)
        assert DATA_SETS[name] == there


BAD_ARGUMENTS = [
    ({"train_size": 1.5}, "train_size=1.5: must be a whole number"),
    ({"train_size": "100"}, "train_size='100': must be a whole number"),
    ({"train_size": None}, "train_size=None: must be"),
    ({"validation_size": True}, "validation_size=True: must be a whole number"),
    ({"split": "draw"}, "split='draw': must be given or drawn"),
    ({"split": None}, "split=None: must be given or drawn"),
    ({"seed": -1, "split": "drawn"}, "seed=-1: must be 0 or more"),
    ({"seed": 0.5}, "seed=0.5: must be a whole number"),
]


@pytest.mark.parametrize("given, says", BAD_ARGUMENTS)
def test_arguments_of_the_wrong_kind_are_refused(given, says):
    with pytest.raises(UserError) as caught:
        load("synthetic", **given)
    assert says in str(caught.value)


def test_a_path_may_be_an_object():
    with pytest.raises(UserError, match="nor a file or directory that exists"):
        load(Path("absent.npz"))
