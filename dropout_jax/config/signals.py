# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM while a command runs: one exception, at a moment that bears it."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# What must not be interrupted is given this long, in looks of so many seconds; who
# presses Ctrl-C again shortens it.
_LOOKS, _SECONDS = 100, 0.05


@contextlib.contextmanager
def caught() -> Iterator[list[int]]:
    """Makes SIGTERM end a command as Ctrl-C does; gives the signals that came.

    Raises:
      KeyboardInterrupt: inside, for either; in the middle of an import after it, since
        C extensions print a traceback where theirs is interrupted, and so after what
        JAX has Python's collector call, where it would be lost.
    """
    received: list[int] = []
    looks: list[threading.Timer] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) < _LOOKS and _deaf(frame):
            look = threading.Timer(_SECONDS, os.kill, (os.getpid(), number))
            look.daemon = True
            look.start()
            looks.append(look)
            return
        raise KeyboardInterrupt

    try:
        previous = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    except ValueError:  # not the main thread, to which Python delivers none
        previous = {}
    try:
        yield received
    finally:
        for look in looks:
            look.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _deaf(frame: FrameType | None) -> bool:
    """Whether the main thread is where an exception would be printed, and lost.

    That is in an import, and in what JAX has Python's collector call.
    """
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        if frame.f_code.co_name == "_xla_gc_callback":
            return True
        frame = frame.f_back
    return False
