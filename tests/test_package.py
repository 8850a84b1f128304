# SPDX-License-Identifier: Apache-2.0
"""`import dropout_jax` is cheap and offers every room."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import dropout_jax

ROOT = Path(__file__).parents[1]


def test_importing_the_package_and_its_config_does_not_import_jax():
    code = (
        "import sys, dropout_jax, dropout_jax.config.command_line;"
        "print([m for m in ('jax', 'flax', 'numpy') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", dropout_jax.__all__)
def test_every_public_name_is_there(name):
    assert getattr(dropout_jax, name) is not None
    assert name in dir(dropout_jax)


def test_every_room_is_public():
    package = Path(dropout_jax.__file__).parent
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert rooms <= set(dropout_jax.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'dropuot'"):
        _ = dropout_jax.dropuot


def test_the_version_is_the_one_of_pyproject():
    text = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.+)"', text, re.M)[1] == dropout_jax.__version__


def test_no_two_files_of_tests_have_one_name():
    """pytest would refuse the second, and notices only when it runs them all."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) > 100
    assert sorted(names) == sorted(set(names))
