# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM while a command runs: one exception, at a moment that bears it."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# An import is given this long to end, in looks of so many seconds: interrupted sooner,
# it may swallow the interrupt.
_LOOKS, _SECONDS = 600, 0.05


@contextlib.contextmanager
def caught() -> Iterator[list[int]]:
    """Makes SIGTERM end a command as Ctrl-C does; gives the signals that came.

    Raises:
      KeyboardInterrupt: inside, for either; in the middle of an import after it, since
        C extensions print a traceback where theirs is interrupted; and once more where
        Python drops it, in a finalizer or in what JAX has the collector call.
    """
    received: list[int] = []
    looks: list[threading.Timer] = []
    report, here = sys.unraisablehook, threading.get_ident()

    def again(number: int) -> None:
        # To this thread: sent to the process, another one may take it, and what this
        # one waits for is not cut short.
        look = threading.Timer(_SECONDS, signal.pthread_kill, (here, number))
        look.daemon = True
        look.start()
        looks.append(look)

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) < _LOOKS and _importing(frame):
            again(number)
        else:
            raise KeyboardInterrupt

    def dropped(unraisable: Any) -> None:
        if received and issubclass(unraisable.exc_type, KeyboardInterrupt):
            again(received[-1])
        else:
            report(unraisable)

    try:
        previous = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    except ValueError:  # not the main thread, to which Python delivers none
        previous = {}
    sys.unraisablehook = dropped
    try:
        yield received
    finally:
        for look in looks:
            look.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)
        sys.unraisablehook = report


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
