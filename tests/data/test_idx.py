# SPDX-License-Identifier: Apache-2.0
"""The IDX reader: exact on good files, one clear line on bad ones."""

import gzip
import hashlib

import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.data import idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = bytes.fromhex("00000803 00000002 00000003 00000004") + bytes(range(24))


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_write_then_read(tmp_path, name):
    idx.write(tmp_path / name, IMAGES)
    np.testing.assert_array_equal(idx.read(tmp_path / name, 3), IMAGES)


def test_bytes_are_the_format(tmp_path):
    idx.write(tmp_path / "images", IMAGES)
    assert (tmp_path / "images").read_bytes() == CONTENT


def test_packing_is_told_by_content_not_by_name(tmp_path):
    (tmp_path / "images").write_bytes(gzip.compress(CONTENT))
    np.testing.assert_array_equal(idx.read(tmp_path / "images", 3), IMAGES)


def test_sha256_is_that_of_the_unpacked_files():
    labels = np.array([7, 9], np.uint8)
    both = CONTENT + bytes.fromhex("00000801 00000002 07 09")
    assert idx.sha256(IMAGES, labels) == hashlib.sha256(both).hexdigest()
    # A view with strides is hashed as what it shows.
    assert idx.sha256(IMAGES[:, :, ::2]) == idx.sha256(IMAGES[:, :, ::2].copy())


BAD = {
    "missing": (None, "No such file"),
    "empty": (b"", "found an empty file"),
    "other magic": (b"\0\0\x08\x01" + CONTENT[4:], "00000803, found 00000801"),
    "signed": (b"\0\0\x09\x03" + CONTENT[4:], "00000803, found 00000903"),
    "header cut": (CONTENT[:10], "header is cut short"),
    "content cut": (CONTENT[:-1], "needs 24 bytes after the header, found 23"),
    "content long": (CONTENT + b"\0", "needs 24 bytes after the header, found more"),
    "huge claim": (b"\0\0\x08\x03" + b"\xff" * 12, "cannot be read|needs"),
    "gzip cut": (gzip.compress(CONTENT)[:-9], "cannot be read: Compressed file ended"),
    "gzip flipped": (
        gzip.compress(CONTENT)[:-8] + b"\0" * 8,
        "cannot be read: CRC check failed",
    ),
    "not gzip": (b"\x1f\x8b" + b"\0" * 30, "cannot be read"),
    "shape": (
        idx.header((3, 3, 4)) + bytes(36),
        r"expected shape \(2, 3, 4\), found \(3, 3, 4\)",
    ),
}


@pytest.mark.parametrize("content, message", BAD.values(), ids=BAD.keys())
def test_bad_file_is_one_line_with_its_name(tmp_path, content, message):
    path = tmp_path / "images-idx3-ubyte"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        idx.read(path, 3, (2, 3, 4) if message.startswith("expected") else None)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
