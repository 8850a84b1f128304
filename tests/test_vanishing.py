# SPDX-License-Identifier: Apache-2.0
"""Files that vanish between a look and a use, as with other processes at work.

`vanishing` removes a file the moment someone has looked at it: whoever looks first and
reads afterwards finds nothing.
"""

import contextlib
import os
import shutil
import stat
from pathlib import Path

import pytest

from dropout_jax import files, stored
from dropout_jax.config import UserError
from dropout_jax.data import content, watched
from dropout_jax.sweeps import heartbeat, plan_file, supervision
from dropout_jax.sweeps.halving import FILE as RUNGS
from dropout_jax.sweeps.halving import rule
from dropout_jax.sweeps.ledger import Ledger
from dropout_jax.sweeps.search import FILE as SEARCH
from dropout_jax.sweeps.search import load_search
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.training import checkpoints, compile_cache
from dropout_jax.training.run_directory import RunDirectory

LOOKS = ("exists", "is_file", "is_dir", "is_symlink", "stat", "lstat")


@pytest.fixture
def vanishing(monkeypatch):
    """Returns a function: from its call on, a file below a directory goes once seen."""
    gone = []

    def start(directory):
        def looked(name):
            original = getattr(Path, name)

            def look(path, *args, **kwargs):
                found = original(path, *args, **kwargs)
                # Directories stay: it is their files that come and go.
                inside = directory in path.parents and path.name != "lock"
                with contextlib.suppress(FileNotFoundError):
                    if inside and stat.S_ISREG(os.lstat(path).st_mode):
                        os.unlink(path)
                        gone.append(path.name)
                return found

            monkeypatch.setattr(Path, name, look)

        for name in LOOKS:
            looked(name)
        return gone

    return start


def test_the_fixture_takes_files_away(tmp_path, vanishing):
    path = tmp_path / "a"
    path.write_text("x")
    gone = vanishing(tmp_path)
    assert path.exists() and gone == ["a"] and not os.path.lexists(path)


def run_of(tmp_path):
    for name in ("config.json", "status", "result.json", "metrics.jsonl", "lane.json"):
        (tmp_path / name).write_text("")
    return RunDirectory(tmp_path)


def study_of(tmp_path):
    study = StudyDirectory(tmp_path)
    for room in ("failures", "claims"):
        (tmp_path / room).mkdir()
        (tmp_path / room / ("0" * 64)).write_text("")
    for name in ("study.json", SEARCH, RUNGS, "ledger.jsonl", "plan.jsonl"):
        (tmp_path / name).write_text("{}\n")
    return study


class _Trial:
    id = "0" * 64


def read_study(study):
    assert study.failures() in ({}, {_Trial.id: []}) and study.given_up() == {}
    study.forget_failures()
    study.claimed(_Trial)


def test_the_files_of_a_study_may_go_at_any_moment(tmp_path, vanishing):
    study = study_of(tmp_path)
    vanishing(tmp_path)
    read_study(study)
    # Whether seen in time or not: what there was, or nothing.
    for read in (load_search, lambda s: s.about(), lambda s: rule(s, [])):
        with_damage(read, study)
    assert Ledger(tmp_path / "ledger.jsonl").lines() == []
    plan_file.read_whole(tmp_path / "plan.jsonl", "study")
    plan_file.write(tmp_path / "plan.jsonl", [])
    files.refuse_odd(tmp_path)


def with_damage(read, of):
    try:
        read(of)
    except stored.Damaged:  # empty objects are no studies
        pass


def test_the_files_of_a_run_may_go_at_any_moment(tmp_path, vanishing):
    run = run_of(tmp_path)
    vanishing(tmp_path)
    for read in (
        lambda: run.status,
        run.config,
        run.result,
        run.metrics,
        run.lane,
        lambda: files.refuse_odd(tmp_path),
    ):
        with_damage(lambda _, read=read: read(), None)


def test_programs_may_go_while_room_is_made(tmp_path, vanishing, monkeypatch):
    """Read in the code: `is_file()`, then `stat()`, while other workers unlink."""
    for number in range(4):
        (tmp_path / f"{number}-cache").write_bytes(bytes(100))
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(compile_cache, "MAX_BYTES", 0)
    listed = [*tmp_path.iterdir(), tmp_path / "gone-cache"]
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(listed))
    vanishing(tmp_path)
    compile_cache._make_room(tmp_path)
    assert os.listdir(tmp_path) == ["folder"]


def test_a_file_in_the_making_is_no_pipe(tmp_path, monkeypatch):
    """`exists()` before, `is_file()` after it went: it was told as a pipe."""
    (tmp_path / ".a.json.7.tmp").write_text("{")
    monkeypatch.setattr(
        files.os, "listdir", lambda place: [".gone.tmp", ".a.json.7.tmp"]
    )
    files.refuse_odd(tmp_path)
    monkeypatch.undo()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is a pipe or a device"):
        files.refuse_odd(tmp_path)


def test_data_and_downloads_may_be_replaced_while_they_are_seen(tmp_path, vanishing):
    for name in ("a.npz", "b.npz"):
        (tmp_path / name).write_bytes(bytes(10))
    gone = vanishing(tmp_path)
    assert len(content.stamp(str(tmp_path))) == 2 and len(gone) == 2
    assert content.stamp(str(tmp_path), str(tmp_path / "a.npz")) == ()
    shutil.rmtree(tmp_path)
    assert content.stamp(str(tmp_path)) == () and watched._bytes_below(tmp_path) == 0


def test_a_directory_that_a_download_removes_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "a").write_bytes(bytes(5))
    (tmp_path / "b").write_bytes(bytes(7))
    scan = os.scandir

    def scandir(place):
        if str(place).endswith("partial"):
            os.rename(place, tmp_path.parent / "away")
        return scan(place)

    monkeypatch.setattr(os, "scandir", scandir)
    assert watched._bytes_below(tmp_path) == 7


def test_a_heartbeat_and_a_log_may_go(tmp_path, vanishing):
    heartbeat.write(tmp_path / "a.json", heartbeat.WAITING)
    vanishing(tmp_path)
    assert heartbeat.sign(tmp_path / "a.json") is not None
    assert heartbeat.sign(tmp_path / "a.json") is None
    heartbeat.write(tmp_path / "a.json", heartbeat.WAITING | {"process": "h:1"})
    heartbeat.read(tmp_path)
    worker = supervision.Worker(tmp_path, ["true", "--name=w"])
    worker.process.wait(timeout=60)
    os.unlink(tmp_path / "w")
    assert worker.last_line() == "it said nothing"
    worker.close()


def test_checkpoints_that_a_run_at_work_removes_are_looked_for_anew(
    tmp_path, monkeypatch
):
    """`load_run` beside a run: the one it reads goes, and a newer one is there."""
    saved = tmp_path / "checkpoints"
    for step in (10, 20):
        (saved / str(step)).mkdir(parents=True)
    notes = []

    def restore(path, shapes):
        if path.name == "30":
            return "tree", {}
        for step in (10, 20):
            shutil.rmtree(saved / str(step), ignore_errors=True)
        (saved / "30").mkdir()
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(checkpoints, "_restore", restore)
    assert checkpoints.restore(saved, lambda host: None, notes.append) == ("tree", {})
    assert notes == []


def test_a_ledger_that_goes_or_shrinks_is_read_anew(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger._read = 100  # of what was there
    assert ledger.lines() == []
    path.write_bytes(b"torn")
    assert ledger.lines() == [] and ledger._read == 0


def test_writing_reads_no_file_that_is_not_there(tmp_path):
    assert files.content(tmp_path / "a") is None
    assert files.content(tmp_path / "a" / "b") is None
    (tmp_path / "a").write_text("x")
    assert files.content(tmp_path / "a") == b"x"
    assert files.content(tmp_path / "a" / "b") is None
    with pytest.raises(IsADirectoryError):
        files.content(tmp_path)
