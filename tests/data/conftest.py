# SPDX-License-Identifier: Apache-2.0
"""The files of the real data set, and a way to run Python beside the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def linked(idx_files, tmp_path) -> Path:
    """The same four files as links, so that a test may replace one."""
    directory = tmp_path / "linked"
    directory.mkdir()
    for path in idx_files.iterdir():
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
