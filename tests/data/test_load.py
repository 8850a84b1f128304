# SPDX-License-Identifier: Apache-2.0
"""From a name to a data set: what is chosen, and what is refused in one line."""

import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.data import load


@pytest.mark.parametrize("size", [1, 100, 512])
def test_train_size_is_the_head_and_the_rest_stays(size):
    whole, cut = load("synthetic"), load("synthetic", train_size=size)
    np.testing.assert_array_equal(cut.train_images, whole.train_images[:size])
    np.testing.assert_array_equal(cut.train_labels, whole.train_labels[:size])
    for one, other in zip(cut[2:], whole[2:], strict=True):
        assert np.array_equal(one, other)


def test_train_size_of_fashion_mnist(fashion):
    cut = load(train_size=1_000)
    np.testing.assert_array_equal(cut.train_images, fashion.train_images[:1_000])
    np.testing.assert_array_equal(cut.validation_labels, fashion.validation_labels)
    assert len(cut.test_labels) == 10_000
    assert cut.sha256 == fashion.sha256


@pytest.mark.parametrize("size", [0, -1, 513])
def test_train_size_out_of_range(size):
    with pytest.raises(UserError, match=f"train_size={size}: .* 512 .* 55000 for all"):
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
