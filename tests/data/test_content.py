# SPDX-License-Identifier: Apache-2.0
"""Which content a data set has: by its bytes, whatever its path and times say."""

import os

import numpy as np
import pytest

from dropout_jax.data import content, load
from dropout_jax.data.fashion_files import SHA256


def write(path, value):
    images = np.full((20, 3, 3), value, np.uint8)
    labels = (np.arange(20) % 2).astype(np.uint8)
    parts = {}
    for split in ("train", "validation", "test"):
        parts |= {f"{split}_images": images, f"{split}_labels": labels}
    np.savez(path, **parts)


def test_the_sha256_is_that_of_what_is_loaded(tmp_path, idx_files):
    write(tmp_path / "own.npz", 1)
    assert content.inputs("synthetic")["data"] == load("synthetic").sha256
    own = str(tmp_path / "own.npz")
    assert content.inputs(own)["data"] == load(own).sha256
    assert content.inputs(str(idx_files))["data"] == load(str(idx_files)).sha256
    assert content.inputs("fashion_mnist") == {"data": SHA256}
    assert content.inputs(str(tmp_path / "missing.npz")) == {}


@pytest.mark.parametrize("how", ["written over", "replaced"])
def test_a_file_with_its_old_time_and_size_is_read_anew(tmp_path, how):
    path = tmp_path / "own.npz"
    write(path, 1)
    old, known = content.inputs(str(path))["data"], path.stat()
    if how == "replaced":
        write(tmp_path / "new.npz", 2)
        (tmp_path / "new.npz").replace(path)
    else:
        write(path, 2)
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert path.stat().st_mtime_ns == known.st_mtime_ns
    assert path.stat().st_size == known.st_size
    assert content.inputs(str(path))["data"] != old


def test_a_relative_name_is_of_the_directory_one_is_in(tmp_path, monkeypatch):
    found = []
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "own.npz", number)
        monkeypatch.chdir(tmp_path / name)
        found.append(content.inputs("own.npz")["data"])
    assert found[0] != found[1]
