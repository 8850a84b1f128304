# SPDX-License-Identifier: Apache-2.0
"""A user's own data set, from `.npz` or IDX, good and bad."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.data import idx, load
from dropout_jax.data.fashion_files import SHA256

RANDOM = np.random.default_rng(0)


def arrays(**changes):
    """Images of 5 x 7 pixels in three classes; `changes` replace, None removes."""
    good = {
        "train_images": RANDOM.integers(0, 256, (40, 5, 7), np.uint8),
        "train_labels": np.arange(40) % 3,
        "test_images": RANDOM.integers(0, 256, (6, 5, 7), np.uint8),
        "test_labels": np.arange(6, dtype=np.uint8) % 3,
    } | changes
    return {name: array for name, array in good.items() if array is not None}


def save(path, **changes):
    given = arrays(**changes)
    np.savez(path, **given)
    return given


def test_npz_without_validation_gives_a_tenth(tmp_path):
    path = tmp_path / "mine.npz"
    given = save(path)
    data = load(str(path))
    places = [
        [given["train_images"].tolist().index(image) for image in images.tolist()]
        for images in (data.train_images, data.validation_images)
    ]
    assert sorted(places[0] + places[1]) == list(range(40)) and len(places[1]) == 4
    for of, labels in zip(
        places, (data.train_labels, data.validation_labels), strict=True
    ):
        assert of == sorted(of)  # in the order of the file
        np.testing.assert_array_equal(labels, given["train_labels"][of])
    assert data.inputs == {"data": data.sha256, "split": "drawn by seed 0, stratified"}
    np.testing.assert_array_equal(data.test_images, given["test_images"])
    assert all(array.dtype == np.uint8 for array in data[:6])
    assert (data.name, data.source, data.num_classes) == ("mine", str(path), 3)


def test_npz_with_validation_keeps_it(tmp_path):
    validation = RANDOM.integers(0, 256, (3, 5, 7), np.uint8)
    given = save(
        tmp_path / "mine.npz",
        validation_images=validation,
        validation_labels=np.array([0, 1, 2]),
    )
    data = load(str(tmp_path / "mine.npz"), train_size=40)
    np.testing.assert_array_equal(data.train_images, given["train_images"])
    np.testing.assert_array_equal(data.validation_images, validation)
    assert data.inputs == {"data": data.sha256}


def test_any_number_of_images_can_be_asked_for(tmp_path):
    path, labels = str(tmp_path / "large.npz"), np.arange(70_000) % 2
    images = np.zeros((70_000, 1, 1), np.uint8)
    test = {"test_images": images[:5], "test_labels": labels[:5]}
    save(path, train_images=images, train_labels=labels, **test)
    sizes = {0: 63_000, 54_999: 54_999, 55_000: 55_000, 60_000: 60_000, 63_000: 63_000}
    for asked, there in sizes.items():
        found = load(path, train_size=asked)
        assert (
            len(found.train_labels) == there and len(found.validation_labels) == 7_000
        )
        said = "trains on 55,000 of the 63,000 training images of large; 0 is all"
        assert (said in "".join(found.remarks)) == (asked == 55_000)
    with pytest.raises(UserError, match="has 63000 training images; choose 1 to that"):
        load(path, train_size=63_001)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_directory_is_the_same_as_npz(tmp_path, suffix):
    given = save(tmp_path / "mine.npz", train_labels=np.arange(40) % 4)
    for split, prefix in {"train": "train", "test": "t10k"}.items():
        for kind, rank in {"images": 3, "labels": 1}.items():
            idx.write(
                tmp_path / f"{prefix}-{kind}-idx{rank}-ubyte{suffix}",
                given[f"{split}_{kind}"].astype(np.uint8),
            )
    one, other = load(str(tmp_path)), load(str(tmp_path / "mine.npz"))
    assert one.sha256 == other.sha256
    np.testing.assert_array_equal(one.validation_images, other.validation_images)


def test_fashion_mnist_as_ones_own_has_the_same_digest(idx_files):
    data = load(str(idx_files))
    assert data.sha256 == SHA256
    assert len(data.validation_labels) == 6_000


IMAGES = np.zeros((4, 5, 7), np.uint8)
BAD = {
    "absent": ({"test_labels": None}, "has no test_labels; it has test_images, train"),
    "half a validation": ({"validation_images": IMAGES}, "has no validation_labels"),
    "float": ({"test_images": IMAGES / 255}, r"must be uint8 \(n, .*\(images \* 255\)"),
    "flat": ({"test_images": IMAGES.reshape(4, 35)}, r"test_images: uint8 \(4, 35\)"),
    "none": ({"test_images": IMAGES[:0]}, r"test_images: uint8 \(0, 5, 7\)"),
    "size": (
        {"test_images": IMAGES[:, 1:], "test_labels": np.zeros(4, int)},
        r"test_images are \(4, 7\), train_images \(5, 7\)",
    ),
    "count": ({"test_labels": np.arange(5)}, r"test_labels: int64 \(5,\).*\(6,\)"),
    "one-hot": ({"test_labels": np.eye(6, dtype=int)}, r"int64 \(6, 6\).*argmax\(1\)"),
    "float labels": ({"test_labels": np.zeros(6)}, "test_labels: float64"),
    "negative": ({"test_labels": np.arange(6) - 1}, "test_labels: -1 to 4.*0 to 255"),
    "large": ({"train_labels": np.arange(40) + 250}, "train_labels: 250 to 289"),
    "one image": (
        {"train_images": IMAGES[:1], "train_labels": [2]},
        "are all 2: there",
    ),
    "one class": ({"train_labels": np.full(40, 4)}, "train_labels are all 4"),
    "a column": ({"test_labels": np.ones((6, 1), int)}, r"give labels\[:, 0\]"),
    "channels": ({"test_images": IMAGES[..., None]}, r"give images\[\.\.\., 0\]"),
    "colors": ({"test_images": np.zeros((4, 5, 7, 3), np.uint8)}, "there are 3 colors"),
    "new class": ({"test_labels": np.arange(6)}, "test_labels go up to 5.*only to 2"),
}


def refused(path, message):
    with pytest.raises(UserError, match=message) as caught:
        load(str(path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes, message", BAD.values(), ids=BAD.keys())
def test_bad_arrays(tmp_path, changes, message):
    save(tmp_path / "bad.npz", **changes)
    refused(tmp_path / "bad.npz", message)


def test_not_an_npz(tmp_path):
    (tmp_path / "bad.npz").write_text("images")
    refused(tmp_path / "bad.npz", "not an .npz file")


def test_a_device_without_end_is_not_read():
    refused(Path("/dev/zero"), "is no file")


def test_cut_and_flipped_npz(tmp_path):
    """A file with a bit flipped, or ended early, is never half read."""
    path = tmp_path / "bad.npz"
    save(path)
    good = path.read_bytes()
    for position in RANDOM.integers(200, 1_500, 20):  # inside the first array's data
        flipped = bytearray(good)
        flipped[position] ^= 4
        path.write_bytes(flipped)
        refused(path, "cannot be read: Bad CRC-32")
    path.write_bytes(good[: len(good) // 2])
    refused(path, "not an .npz file")


class Trap:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickles_are_not_run(tmp_path):
    trap = np.empty(1, object)
    trap[0] = Trap(tmp_path / "sprung")
    save(tmp_path / "bad.npz", train_images=trap)
    refused(tmp_path / "bad.npz", "cannot be read: Object arrays cannot be loaded")
    assert not (tmp_path / "sprung").exists()


def test_header_that_claims_the_earth(tmp_path):
    """An array said to be of 10^15 bytes in a file of a few hundred."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 1_000, 1_000)}
    )
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as file:
        file.writestr("train_images.npy", header.getvalue())
    refused(tmp_path / "bad.npz", "cannot be read")


def test_idx_directory_lacking_a_file(tmp_path):
    idx.write(tmp_path / "train-images-idx3-ubyte", IMAGES)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"no")[:-2])
    with pytest.raises(UserError, match=r"labels-idx1-ubyte\.gz: cannot be read"):
        load(str(tmp_path))
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    refused(tmp_path, "has neither train-labels-idx1-ubyte nor")
