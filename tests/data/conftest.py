# SPDX-License-Identifier: Apache-2.0
"""The real data set, and a way to run Python beside the tests."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dropout_jax.data import Dataset, idx, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def fashion() -> Dataset:
    """Fashion-MNIST itself: no test here makes do with less."""
    return load()


@pytest.fixture(scope="session")
def files(fashion, tmp_path_factory) -> Path:
    """A directory with its four IDX files, unpacked. To be read only."""
    directory = tmp_path_factory.mktemp("idx")
    for name, array in {
        "train-images-idx3": (fashion.train_images, fashion.validation_images),
        "train-labels-idx1": (fashion.train_labels, fashion.validation_labels),
        "t10k-images-idx3": (fashion.test_images,),
        "t10k-labels-idx1": (fashion.test_labels,),
    }.items():
        idx.write(directory / f"{name}-ubyte", np.concatenate(array))
    return directory


@pytest.fixture
def linked(files, tmp_path) -> Path:
    """The same four files as links, so that a test may replace one."""
    directory = tmp_path / "linked"
    directory.mkdir()
    for path in files.iterdir():
        (directory / path.name).symlink_to(path)
    return directory


@pytest.fixture
def python(tmp_path):
    """Start Python with a cache of its own and no way to a network."""
    running = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen:
        closed = "http://127.0.0.1:9"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DROPOUT_JAX_CACHE": str(tmp_path / "cache"),
            "http_proxy": closed,
            "https_proxy": closed,
            "no_proxy": "",
            **environment,
        }
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
