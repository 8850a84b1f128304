# SPDX-License-Identifier: Apache-2.0
"""XLA_FLAGS may name a file of flags, as XLA itself reads it."""

import os

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.training import portable, settings, xla_flags


@pytest.fixture
def named(tmp_path, monkeypatch):
    """A file of flags, named by the variable."""
    path = tmp_path / "flags.txt"
    path.write_text("--xla_cpu_enable_fast_math=1\n --xla_a=b\n")
    monkeypatch.setenv(xla_flags.VARIABLE, str(path))
    monkeypatch.delenv(portable.VARIABLE, raising=False)
    monkeypatch.setattr(portable.platform, "machine", lambda: "x86_64")
    return path


def test_the_flags_of_a_file_count(named):
    assert settings.numbers()["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"
    assert settings.rounding()["XLA_FLAGS"] == "--xla_a=b"


def test_flags_are_added_to_those_of_a_file(named):
    """Before, the file's name stood among them, and XLA ended the process."""
    portable.enable()
    assert os.environ["XLA_FLAGS"].split() == [
        *portable.FLAGS,
        *named.read_text().split(),
    ]
    assert portable.in_effect()
    assert settings.rounding()["XLA_FLAGS"] == "portable --xla_a=b"


@pytest.mark.parametrize("value", ["xla_a=b", "/absent/file", "/dev/zero", "/"])
def test_what_is_no_file_is_refused_in_one_line(monkeypatch, value):
    monkeypatch.setenv(xla_flags.VARIABLE, value)
    with pytest.raises(
        UserError, match=f"^XLA_FLAGS='{value}': names a file"
    ) as caught:
        settings.numbers()
    assert "unset it" in str(caught.value) and "\n" not in str(caught.value)
