# SPDX-License-Identifier: Apache-2.0
"""Sets that a seed draws: disjoint within a round, the same for ever, of their size."""

import hashlib
import itertools

import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.data import cut, load
from dropout_jax.data.drawn import permutation

# Every image of the synthetic data is noise of its own, so that bytes identify it.
WHOLE = load("synthetic")
POOL = [i.tobytes() for i in (*WHOLE.train_images, *WHOLE.validation_images)]


def drawn(seed, train_size=100, validation_size=50):
    return cut(
        WHOLE,
        split="drawn",
        seed=seed,
        train_size=train_size,
        validation_size=validation_size,
    )


def places(images):
    """Where in the pool the images are, each of them once."""
    found = [POOL.index(image.tobytes()) for image in images]
    assert len(set(found)) == len(found)
    return set(found)


def test_the_images_of_the_pool_differ():
    assert len(set(POOL)) == len(POOL) == 640


def test_training_sets_of_a_round_are_disjoint_and_the_next_round_is_another():
    sets = [places(drawn(seed).train_images) for seed in range(12)]
    first, second = sets[:6], sets[6:]  # 640 // 100 seeds a round
    for turn in (first, second):
        assert all(len(found) == 100 for found in turn)
        assert len(set.union(*turn)) == 600
    assert all(one != other for one in first for other in second)
    assert set.union(*first) != set.union(*second)


@pytest.mark.parametrize(
    ("train_size", "validation_size"), [(1, 1), (100, 50), (512, 128), (600, 40)]
)
def test_sizes_and_validation_apart_from_training(train_size, validation_size):
    for seed in (0, 1, 7):
        found = drawn(seed, train_size, validation_size)
        assert found.train_labels.shape == (train_size,)
        assert found.validation_labels.shape == (validation_size,)
        training, validation = (
            places(images) for images in (found.train_images, found.validation_images)
        )
        assert len(training) == train_size and len(validation) == validation_size
        assert not training & validation
        np.testing.assert_array_equal(found.test_images, WHOLE.test_images)
        assert found.sha256 == WHOLE.sha256


def test_labels_stay_with_their_images():
    labels = [*WHOLE.train_labels, *WHOLE.validation_labels]
    found = drawn(3)
    for images, of in (
        (found.train_images, found.train_labels),
        (found.validation_images, found.validation_labels),
    ):
        for image, label in zip(images, of, strict=True):
            assert labels[POOL.index(image.tobytes())] == label


def test_validation_sets_of_neighbours_are_independent_draws():
    """Two draws of 50 of 640 share about 4; neighbouring blocks would share none."""
    sets = [places(drawn(seed).validation_images) for seed in range(20)]
    shared = [len(a & b) for a, b in itertools.pairwise(sets)]
    assert len({frozenset(found) for found in sets}) == 20
    assert 2 < np.mean(shared) < 8


def test_the_own_size_of_the_validation_set_is_the_default():
    assert len(drawn(0, validation_size=0).validation_labels) == 128


def test_the_permutation_is_fixed_for_ever():
    found = permutation("training", 0, 60_000)
    assert found[:8].tolist() == [5521, 20678, 39394, 44285, 23578, 54080, 54014, 1667]
    assert np.array_equal(np.sort(found), np.arange(60_000))
    digest = hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()
    assert digest == "c6bdacb0b2e3f1bf07fea2a722447dfbca191bd984536e48cda34158e79b0103"
    other = permutation("validation", 7, 60_000)
    assert other[:4].tolist() == [48709, 51304, 39829, 48185]


def philox(key, counter):
    """One block of Philox4x64-10, from its paper; four words of 64 bits."""
    mask = 2**64 - 1
    k0, k1 = key & mask, key >> 64
    c = [counter, 0, 0, 0]
    for _ in range(10):
        one, other = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [
            (other >> 64) ^ c[1] ^ k0,
            other & mask,
            (one >> 64) ^ c[3] ^ k1,
            one & mask,
        ]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & mask, (k1 + 0xBB67AE8584CAA73B) & mask
    return c


def test_the_permutation_can_be_checked_by_hand():
    key = hashlib.sha256(b"dropout_jax training 3").digest()[:16]
    key = int.from_bytes(key, "little")
    # numpy counts up before the first block.
    words = [word for n in range(1, 11) for word in philox(key, n)]
    wanted = sorted(range(40), key=words.__getitem__)
    assert permutation("training", 3, 40).tolist() == wanted


@pytest.mark.parametrize(
    ("train_size", "validation_size"),
    [(600, 41), (55_000, 0), (0, 640), (-1, 5), (5, -1)],
)
def test_more_than_there_is_is_refused_in_one_line(train_size, validation_size):
    named = f"data.train_size={train_size} and data.validation_size="
    with pytest.raises(UserError, match=named + ".*synthetic has 640 images") as caught:
        drawn(0, train_size, validation_size)
    assert "\n" not in str(caught.value)


def test_drawn_55000_of_fashion_mnist_leaves_the_other_5000_to_validate(fashion):
    found = load(split="drawn", train_size=55_000, seed=9)
    assert found.train_images.shape == (55_000, 28, 28)
    order = permutation("training", 9, 60_000)
    labels = np.concatenate([fashion.train_labels, fashion.validation_labels])
    np.testing.assert_array_equal(found.train_labels, labels[order[:55_000]])
    np.testing.assert_array_equal(
        np.bincount(found.validation_labels), np.bincount(labels[order[55_000:]])
    )


def test_0_trains_on_all_that_do_not_validate():
    found = drawn(0, train_size=0, validation_size=40)
    assert len(found.train_labels) == 600 and len(found.validation_labels) == 40
