# SPDX-License-Identifier: Apache-2.0
"""Compiled programs are kept for the next process, where only their owner writes."""

import os
import stat
import subprocess
import sys

import pytest

from dropout_jax.training import compile_cache

PROGRAM = """
import jax, jax.numpy as jnp
from dropout_jax.training import compile_cache

events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name))
compile_cache.enable(lambda line: print("note:", line))
value = jax.jit(lambda x: jnp.sin(x) @ jnp.cos(x).T)(jnp.arange(12.0).reshape(3, 4))
for end in ("hits", "misses"):
    print(end, events.count(f"/jax/compilation_cache/cache_{end}"))
print("value", value.tolist())
"""


def start(home, **variables):
    """Returns what a new process prints, by the first word of its lines."""
    settings = {"JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"}
    kept = {name: value for name, value in os.environ.items() if name not in settings}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={**kept, "DROPOUT_JAX_CACHE": str(home), **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_the_second_process_compiles_nothing(tmp_path):
    home = tmp_path / "cache"
    first, second = start(home), start(home)
    assert first["hits"] == "0" and int(first["misses"]) >= 1
    assert second["misses"] == "0" and second["hits"] == first["misses"]
    assert second["value"] == first["value"]
    (directory,) = home.glob("programs-*")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_damaged_program_is_compiled_anew(tmp_path):
    home = tmp_path / "cache"
    first = start(home)
    for number, path in enumerate(home.glob("programs-*/*-cache")):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        # One flipped bit, or half a file, in turn.
        path.write_bytes(content if number % 2 else content[: len(content) // 2])
    again = start(home)
    assert again["hits"] == "0" and again["value"] == first["value"]
    assert "note:" not in again


@pytest.mark.parametrize(
    "variables, kept",
    [
        ({"JAX_ENABLE_COMPILATION_CACHE": "false"}, False),
        ({"JAX_COMPILATION_CACHE_DIR": "mine"}, True),
    ],
)
def test_the_users_own_settings_come_first(tmp_path, variables, kept):
    mine = tmp_path / "mine"
    variables = {k: v.replace("mine", str(mine)) for k, v in variables.items()}
    start(tmp_path / "cache", **variables)
    assert not list((tmp_path / "cache").glob("programs-*"))
    assert kept == (mine.is_dir() and len(list(mine.iterdir())) > 0)


def test_a_directory_open_to_others_is_closed_or_refused(tmp_path, monkeypatch):
    path = tmp_path / "programs"
    path.mkdir(mode=0o755)
    assert compile_cache._make_private(path) == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    path.chmod(0o770)  # someone else may have written there
    assert "written by others" in compile_cache._make_private(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o770
    path.chmod(0o700)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert "link" in compile_cache._make_private(link)
    (tmp_path / "file").write_text("")
    assert "cannot be made" in compile_cache._make_private(tmp_path / "file")
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    assert "another user" in compile_cache._make_private(path)


def test_a_refused_directory_is_named_and_nothing_is_kept(tmp_path):
    home = tmp_path / "cache"
    start(home)
    (directory,) = home.glob("programs-*")
    directory.chmod(0o777)
    found = start(home)
    assert "compiled programs are not kept" in found["note:"]
    assert str(directory) in found["note:"] and found["hits"] == "0"


def test_the_oldest_programs_make_room(tmp_path, monkeypatch):
    for age in range(4):
        path = tmp_path / f"{age}-cache"
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(compile_cache, "MAX_BYTES", 250)
    compile_cache._make_room(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0-cache", "1-cache"]
