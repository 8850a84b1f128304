# SPDX-License-Identifier: Apache-2.0
"""A message names the cause that was found, and the cure of that cause alone."""

import builtins
import errno
import fcntl
import os
from pathlib import Path

import pytest

from dropout_jax import files, stored
from dropout_jax.config import UserError, command_line, defaults
from dropout_jax.config.causes import Unreadable, of_content, reading, writing
from dropout_jax.config.loading import override
from dropout_jax.config.places import NOTHING, missing, refuse_place
from dropout_jax.data import fashion_mnist, own, watched
from dropout_jax.data.unavailable import Unavailable
from dropout_jax.sweeps import StudyDirectory
from dropout_jax.sweeps.ledger import Ledger
from dropout_jax.training import checkpoints
from dropout_jax.training.run_directory import RunDirectory

CURES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EACCES: "you may write to",
    errno.EROFS: "you may write to",
    errno.EMFILE: "ulimit -n",
    errno.EFBIG: "ulimit -f",
    errno.EIO: "check the disk",
    errno.ESTALE: "mount it anew",
    errno.ENAMETOOLONG: "a shorter path",
    errno.ENOMEM: "free some memory",
    errno.ENOENT: "choose another place",
    errno.ENOTDIR: "choose another place",
}


def system(number, *place):
    return OSError(number, os.strerror(number), *place)


@pytest.mark.parametrize("number", CURES, ids=errno.errorcode.get)
def test_each_cause_has_its_own_cure(tmp_path, number):
    with pytest.raises(UserError) as caught, writing(tmp_path / "a", 10):
        raise system(number)
    said = str(caught.value)
    assert os.strerror(number) in said and CURES[number] in said and "\n" not in said
    others = set(CURES.values()) - {CURES[number]}
    assert not any(other in said for other in others)
    with pytest.raises(Unreadable, match="cannot be read") as caught, reading(tmp_path):
        raise system(number)
    assert "write" not in str(caught.value) and "make room" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_a_checkpoint_that_fails_asks_for_room_only_where_it_lacks(
    tmp_path, monkeypatch, number
):
    """The reproduction: "make room", with 70 GB free."""

    class Broken:
        def __enter__(self):
            raise ValueError(f"Error writing [os_error_code='{number}']")

        def __exit__(self, *unused):
            pass

    monkeypatch.setattr(checkpoints, "_checkpointer", Broken)
    with pytest.raises(UserError, match=os.strerror(number)) as caught:
        checkpoints.save(tmp_path / "checkpoints", 3, {}, {})
    assert CURES[number] in str(caught.value) and "room" not in str(caught.value)


UNREADABLE = [errno.EMFILE, errno.EACCES, errno.EIO, errno.ENOMEM]


@pytest.fixture(params=UNREADABLE, ids=errno.errorcode.get)
def refusing(request, monkeypatch):
    """Files cannot be read, for a reason of the system's."""

    def refuse(path, *unused, **options):
        raise system(request.param, str(path))

    def start():
        monkeypatch.setattr(Path, "read_bytes", refuse)
        monkeypatch.setattr(Path, "open", refuse)

    return start


def test_what_the_system_refuses_is_not_told_as_damage(tmp_path, refusing):
    """Damage is thrown away or written anew; this is whole."""
    (tmp_path / "env.json").write_text("{}")
    (tmp_path / "status").write_text("done")
    run, study = RunDirectory(tmp_path), StudyDirectory(tmp_path)
    ledger = Ledger(tmp_path / "status")
    refusing()
    for read in (
        lambda: stored.read(tmp_path / "env.json"),
        lambda: stored.read_sealed(tmp_path / "env.json"),
        run.config,
        run.parts,
        run.metrics,
        lambda: run.status,
        ledger.lines,
        study.about,
        study.trials,
    ):
        with pytest.raises(Unreadable, match="cannot be read") as caught:
            read()
        assert not isinstance(caught.value, stored.Damaged)
        assert "remove" not in str(caught.value)


def test_checkpoints_that_cannot_be_opened_are_not_told_as_damaged(
    tmp_path, monkeypatch
):
    (tmp_path / "checkpoints" / "3").mkdir(parents=True)

    def restore(path, shapes):
        raise system(errno.EMFILE, str(path))

    monkeypatch.setattr(checkpoints, "_restore", restore)
    with pytest.raises(Unreadable, match="ulimit -n"):
        checkpoints.restore(tmp_path / "checkpoints", lambda host: None, print)


def test_a_cache_that_cannot_be_read_is_not_thrown_away(tmp_path):
    def read(directory):
        raise system(errno.EMFILE, str(directory))

    with pytest.raises(Unreadable, match="ulimit"):
        fashion_mnist._believed(read, tmp_path)

    def damaged(directory):
        raise OSError("Failed to interpret file as a pickle")  # numpy's

    assert fashion_mnist._believed(damaged, tmp_path) is None
    assert of_content(FileNotFoundError(errno.ENOENT, "no file"))


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def flock(file, how):
        raise system(errno.ENOLCK)

    monkeypatch.setattr(fcntl, "flock", flock)
    with open(tmp_path / "lock", "w") as file:
        with pytest.raises(UserError, match=r"cannot be locked \(No locks available"):
            files.lock(file, tmp_path / "lock")
    study = StudyDirectory(tmp_path / "study")
    with pytest.raises(UserError, match="file system with locks"):
        with study._locked("lock"):
            pass


def test_a_program_that_may_not_run_is_not_told_as_missing(tmp_path):
    (tmp_path / "apt-get").write_text("")
    with pytest.raises(Unavailable, match=r"cannot be started \(Permission denied"):
        watched.run([str(tmp_path / "apt-get")], tmp_path, first=1, later=1)


def test_data_that_may_not_be_read_are_not_told_as_no_npz(tmp_path, monkeypatch):
    (tmp_path / "a.npz").write_bytes(b"PK")

    def refuse(path, *unused, **options):
        raise system(errno.EACCES, str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(UserError, match="Permission denied"):
        own.read(tmp_path / "a.npz")


def test_an_error_of_the_system_that_nobody_expected_is_one_line(capsys):
    def broken():
        raise system(errno.EIO, "/mnt/a file")

    assert command_line.guarded(broken) == 2
    assert capsys.readouterr().err == "error: /mnt/a file: Input/output error\n"

    def a_bug():
        raise OSError("of no file")

    with pytest.raises(OSError, match="of no file"):
        command_line.guarded(a_bug)


def test_why_nothing_is_to_be_had_is_told(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to("link")
    assert missing(tmp_path) == ""
    assert missing(tmp_path / "a" / "b") == NOTHING
    assert missing(tmp_path / "link").startswith("it cannot be looked at (Too many lev")
    assert "File name too long" in missing(tmp_path / ("a" * 300))
    assert "null" in missing("a\0b")


def test_a_field_that_cannot_be_read_back_is_refused():
    for path in ("data.name", "data.source_dir", "plugin", "noise.kind"):
        with pytest.raises(UserError, match=f"config.{path}=.*no UTF-8"):
            override(defaults(), {path: "a\udcffb"})


def test_places_that_cannot_be_written_to_the_end_are_refused_before(tmp_path):
    for good in (tmp_path, tmp_path / "ü 模'\"%\n", "relative", "-"):
        refuse_place("--workdir", good)
    for bad, says in {
        "w\udcff": r"bytes that are no UTF-8 text .b'.*w\\xff'",
        "/" + "d/" * 1900: "bytes long; choose one of at most 3,584",
        "a\0b": "no path has a zero byte",
    }.items():
        with pytest.raises(UserError, match=says) as caught:
            refuse_place("--workdir", bad)
        assert "\n" not in str(caught.value)
        for made in (RunDirectory(bad).check, lambda _, bad=bad: StudyDirectory(bad)):
            with pytest.raises(UserError, match=says):
                made(None)
