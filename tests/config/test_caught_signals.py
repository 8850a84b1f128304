# SPDX-License-Identifier: Apache-2.0
"""Asked to end, a command ends in one line, imports or not."""

import gc
import signal
import sys
import time

import pytest

from dropout_jax.config import guard, signals
from dropout_jax.config.guard import guarded

# As a C extension does whose own import of another one is interrupted.
LIKE_C = """
import os, time, traceback
try:
    os.kill(os.getpid(), {number})
    until = time.monotonic() + {seconds}
    presses = {presses} - 1
    while time.monotonic() < until:
        if presses:
            presses -= 1
            os.kill(os.getpid(), {number})
            time.sleep(0.01)
except BaseException:
    traceback.print_exc()
    raise ImportError("no attribute _ARRAY_API")
finished = True
"""


def wait():
    """Takes half a minute, in steps: a signal just before a sleep does not end it."""
    for _ in range(600):
        time.sleep(0.05)


@pytest.fixture
def like_c(tmp_path, monkeypatch):
    """Returns a function: writes the module and imports it, then waits."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def command(name, number, seconds=0.2, presses=1):
        content = LIKE_C.format(number=int(number), seconds=seconds, presses=presses)
        (tmp_path / f"{name}.py").write_text(content)

        def run():
            found = __import__(name)
            assert found.finished
            wait()

        return run

    return command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_import_is_not_interrupted(like_c, capsys, number):
    begun = time.monotonic()
    assert guarded(like_c(f"like_c_{number.name}", number)) == 128 + number
    assert capsys.readouterr().err.count("\n") == 1
    assert time.monotonic() - begun < 20  # and what follows it is, at once


def in_a_callback_of_the_collector():
    def callback(phase, info):
        gc.callbacks.remove(callback)
        signal.raise_signal(signal.SIGINT)

    gc.callbacks.append(callback)
    gc.collect()


def in_a_finalizer():
    class Finalized:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    Finalized()


@pytest.mark.parametrize("where", [in_a_callback_of_the_collector, in_a_finalizer])
def test_what_python_drops_comes_again(where, capsys):
    def command():
        where()
        wait()

    assert guarded(command) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_one_without_end_is(like_c, capsys, monkeypatch):
    monkeypatch.setattr(signals, "_PATIENCE", 0.2)
    begun = time.monotonic()
    assert guarded(like_c("endless", signal.SIGINT, seconds=30)) == 130
    assert time.monotonic() - begun < 15
    *inside, last = capsys.readouterr().err.splitlines()
    assert inside[-1] == "KeyboardInterrupt" and last.startswith("interrupted;")


@pytest.mark.parametrize(("presses", "seconds"), [(20, 0.5), (1, 0.0)])
def test_whoever_presses_often_interrupts_once(like_c, capsys, presses, seconds):
    """Neither sooner, in the middle of the import, nor again in what cleans up."""
    imports = like_c(f"pressed_{presses}", signal.SIGINT, seconds, presses)
    cleaned = []

    def command():
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(globals(), "wait", lambda: None)
            imports()
        try:
            signal.raise_signal(signal.SIGINT)
            wait()
        finally:
            for _ in range(10):
                time.sleep(0.05)
            cleaned.append(True)

    assert guarded(command) == 130 and cleaned
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_does_not_cut_short_what_is_told(capsys, monkeypatch, second):
    say = guard._say

    def interrupted(line):
        signal.raise_signal(second)
        say(line)

    monkeypatch.setattr(guard, "_say", interrupted)
    assert guarded(lambda: signal.raise_signal(signal.SIGTERM)) == 143
    assert capsys.readouterr().err.count("\n") == 1


def test_who_listens_for_what_python_drops_stays(capsys):
    """As checkpoints do while threads of a failed save are still at work."""
    outer = sys.unraisablehook

    def listener(unraisable):
        raise AssertionError

    def command():
        sys.unraisablehook = listener

    try:
        assert guarded(command) == 0 and sys.unraisablehook is listener
    finally:
        sys.unraisablehook = outer
    assert guarded(lambda: None) == 0 and sys.unraisablehook is outer


def test_a_command_that_ends_first_is_not_interrupted_afterwards(like_c):
    command = like_c("short", signal.SIGINT, seconds=0.0)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: None)
        assert guarded(command) == 0
    time.sleep(4 * signals._LOOK)  # KeyboardInterrupt, if one were on its way
    assert signal.getsignal(signal.SIGINT) is handler
