# SPDX-License-Identifier: Apache-2.0
"""A display that is gone costs a command nothing but the display."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.config.guard import guarded
from dropout_jax.config.streams import Forgiving

ROOT = Path(__file__).parents[2]


class Broken(io.StringIO):
    """A stream that fails where it is told to."""

    def __init__(self, error, where="write"):
        super().__init__()
        setattr(self, where, self.fail)
        self.error, self.tries = error, 0

    def fail(self, *unused):
        self.tries += 1
        raise self.error


@pytest.mark.parametrize("where", ["write", "flush"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), ""),
        (ValueError("I/O operation on closed file"), "closed file"),
    ],
    ids=["full", "terminal gone", "reader gone", "closed"],
)
def test_what_cannot_be_written_is_told_once_and_dropped(error, told, where):
    lines, stream = [], Broken(error, where)
    forgiving = Forgiving(stream, lines.append)
    for _ in range(3):
        print("a", "b", file=forgiving, flush=True)
    assert stream.tries == 1
    assert len(lines) == bool(told) and told in "".join(lines)
    assert forgiving.unshown == (told and (error.args[-1]))


def test_what_an_encoding_lacks_is_escaped():
    raw = io.BytesIO()
    forgiving = Forgiving(io.TextIOWrapper(raw, encoding="ascii"))
    print("± \udcff", file=forgiving, flush=True)
    assert raw.getvalue() == b"\\xb1 \\udcff\n"


def writer(kind):
    """A text stream as a shell connects one."""
    if kind == "full":
        return open("/dev/full", "w", encoding="utf-8")
    reader, end = os.pipe()
    os.close(reader)
    return os.fdopen(end, "w", encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "shows", "code"),
    [("pipe", False, 0), ("pipe", True, 0), ("full", False, 0), ("full", True, 2)],
)
def test_the_exit_code_is_that_of_the_work(monkeypatch, capsys, kind, shows, code):
    stream = writer(kind)
    monkeypatch.setattr(sys, "stdout", stream)
    done = []

    def command():
        for _ in range(3):
            print("x" * 100_000)
        done.append(True)

    assert guarded(command, shows=shows) == code and done
    error = capsys.readouterr().err
    assert error.count("\n") == (kind == "full")
    assert ("cannot be written (No space left on device)" in error) == (kind == "full")
    assert sys.stdout is stream
    stream.close()  # without an exception: nothing is left in it


def test_a_mistake_is_told_though_there_is_no_output(monkeypatch, capsys):
    def command():
        print("before")
        raise UserError("wrong")

    monkeypatch.setattr(sys, "stdout", None)
    assert guarded(command) == 2
    assert capsys.readouterr().err == "error: wrong\n"


def test_without_error_output_nothing_of_it_reaches_the_output(monkeypatch, capsys):
    def command():
        raise UserError("wrong")

    monkeypatch.setattr(sys, "stderr", None)  # print(file=None) writes to stdout
    assert guarded(command) == 2
    assert capsys.readouterr().out == ""


SHOWING = [
    ["train.py", "--help"],
    ["-m", "dropout_jax.config"],
    ["-m", "dropout_jax.sweeps"],
    ["-m", "dropout_jax.data", "--help"],
]


@pytest.mark.parametrize("program", SHOWING, ids=lambda words: words[-1])
@pytest.mark.parametrize(
    ("where", "code"), [("| true", 0), ("> /dev/full", 2), (">&-", 0)]
)
def test_commands_that_show_bear_every_output(program, where, code):
    words = " ".join([sys.executable, *program])
    script = f"set -o pipefail; {words} {where}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == (code == 2)


NUMBERS = """
import os, sys
from dropout_jax.config.guard import guarded
def command():
    numbers = [os.open(os.devnull, os.O_RDONLY) for _ in range(2)]
    print(*numbers, file=open(sys.argv[1], "w"))
guarded(command)
"""


def test_no_file_has_the_number_of_a_closed_stream(tmp_path):
    """Whatever writes to the standard output would write into that file."""
    script = '"$0" -c "$1" "$2" <&- >&- 2>&-'
    words = ["bash", "-c", script, sys.executable, NUMBERS, str(tmp_path / "numbers")]
    subprocess.run(words, cwd=ROOT, check=True, timeout=120)
    assert min(map(int, (tmp_path / "numbers").read_text().split())) > 2
