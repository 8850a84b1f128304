# SPDX-License-Identifier: Apache-2.0
"""Asked to end, a command ends in one line, imports or not."""

import gc
import signal
import time

import pytest

from dropout_jax.config import signals
from dropout_jax.config.command_line import guarded

# As a C extension does whose own import of another one is interrupted.
LIKE_C = """
import os, time, traceback
try:
    os.kill(os.getpid(), {number})
    until = time.monotonic() + {seconds}
    while time.monotonic() < until:
        pass
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

    def command(name, number, seconds=0.2):
        content = LIKE_C.format(number=int(number), seconds=seconds)
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
    monkeypatch.setattr(signals, "_LOOKS", 3)
    command = like_c("endless", signal.SIGINT, seconds=60)
    assert guarded(command) == 130
    assert "no attribute" not in capsys.readouterr().err.splitlines()[-1]


def test_a_command_that_ends_first_is_not_interrupted_afterwards(like_c):
    command = like_c("short", signal.SIGINT, seconds=0.0)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: None)
        assert guarded(command) == 0
    time.sleep(4 * signals._SECONDS)  # KeyboardInterrupt, if one were on its way
    assert signal.getsignal(signal.SIGINT) is handler
