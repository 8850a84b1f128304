# SPDX-License-Identifier: Apache-2.0
"""The real commands in odd places: no home, no working directory, names of any kind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dropout_jax.config import UserError
from dropout_jax.data import cache, debian, load, original, watched
from dropout_jax.data.unavailable import Unavailable
from dropout_jax.training import compile_cache

ROOT = Path(__file__).parents[1]
# Runs a command after its working directory has gone.
IN_NO_PLACE = (
    "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
)


def run(*command, cwd=ROOT):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    "command",
    [
        [ROOT / "train.py", "--workdir=w"],
        ["-m", "dropout_jax.sweeps", "status", "--study=s"],
        ["-m", "dropout_jax.data", "--name=own.npz"],
    ],
    ids=str,
)
def test_without_a_working_directory_one_line_says_so(tmp_path, command):
    (tmp_path / "gone").mkdir()
    done = run("-c", IN_NO_PLACE, sys.executable, *command, cwd=tmp_path / "gone")
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("error: the working directory is not there (No such")
    assert done.stderr.count("\n") == 1


def test_help_needs_no_working_directory(tmp_path):
    (tmp_path / "gone").mkdir()
    command = [sys.executable, ROOT / "train.py", "--help"]
    done = run("-c", IN_NO_PLACE, *command, cwd=tmp_path / "gone")
    assert done.returncode == 0 and not done.stderr
    assert str(ROOT / "configs" / "default.py") in done.stdout.replace("\n      ", "")


def test_without_a_home_the_cache_says_what_to_set(monkeypatch, capsys):
    """HOME unset, and a user that the table of users does not know."""
    monkeypatch.delenv("HOME")
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    with pytest.raises(UserError, match=r"no home directory.*set HOME, or point DROP"):
        load("fashion_mnist")
    assert len(load("synthetic").test_labels) == 128


def test_without_a_home_a_run_goes_on_without_kept_programs(monkeypatch):
    import jax

    monkeypatch.delenv("HOME")
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    values = {**jax.config.values, "jax_enable_compilation_cache": True}
    values["jax_compilation_cache_dir"] = None
    monkeypatch.setattr(type(jax.config), "values", values)
    notes = []
    compile_cache.enable(notes.append)
    (note,) = notes
    assert note.startswith("compiled programs are not kept: there is no home directory")


def test_a_cache_that_cannot_be_written_keeps_no_programs(tmp_path, monkeypatch):
    directory = tmp_path / "programs"
    directory.mkdir(mode=0o700)
    monkeypatch.setattr(os, "access", lambda place, how: False)
    assert "cannot be written" in compile_cache._make_private(directory)


def test_a_package_below_a_colon_still_downloads(tmp_path, monkeypatch):
    """PYTHONPATH cannot name such a directory."""
    (tmp_path / "a:b").mkdir()
    (tmp_path / "a:b" / "dropout_jax").symlink_to(ROOT / "dropout_jax")
    (tmp_path / "work").mkdir()
    code = (
        "import dropout_jax.data.original as o\n"
        f"assert o.__file__.startswith({str(tmp_path / 'a:b')!r}), o.__file__\n"
        "o._download = lambda work: (work / 'came').touch()\n"
        "o.main(sys.argv[2])"
    )
    half = original._HALF.splitlines()[:2]
    command = [sys.executable, "-c", "\n".join([*half, code])]
    watched.run(
        [*command, str(tmp_path / "a:b"), str(tmp_path / "work")],
        tmp_path / "work",
        first=300,
        later=300,
    )
    assert (tmp_path / "work" / "came").exists()


def test_tools_that_say_they_did_what_they_did_not_are_one_line(tmp_path, monkeypatch):
    """An apt-get that ends well and leaves no package; a dpkg-deb that unpacks none."""
    monkeypatch.setattr(debian.watched, "run", lambda *unused, **options: None)
    (tmp_path / "one").mkdir()
    with pytest.raises(Unavailable, match="apt-get left no dataset-fashion-mnist_"):
        debian.fetch(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "dataset-fashion-mnist_1_all.deb").touch()
    with pytest.raises(Unavailable, match=r"_1_all\.deb has no usr/share/datasets"):
        debian.fetch(tmp_path / "two")
