# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C, SIGTERM and SIGHUP in a command: one exception, at a moment that bears it."""

import contextlib
import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# An import is given this long to end, with a look so often, in seconds: interrupted
# sooner, it may swallow the interrupt.
_PATIENCE, _LOOK = 30.0, 0.05


def ending() -> tuple[signal.Signals, ...]:
    """Returns the signals that ask a command to end.

    SIGHUP, which comes when a terminal is closed, is one, unless it is ignored: so
    `nohup` wants it.
    """
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return _SIGNALS[: 2 if ignored else 3]


@dataclasses.dataclass
class Signals:
    """What came.

    Attributes:
      numbers: of the signals, in order.
      active: whether they interrupt; set to False by who tells of the first, which a
        second one must not cut short.
    """

    numbers: list[int] = dataclasses.field(default_factory=list)
    active: bool = True


@contextlib.contextmanager
def caught() -> Iterator[Signals]:
    """Makes SIGTERM and SIGHUP end a command as Ctrl-C does; gives what came.

    Raises:
      KeyboardInterrupt: inside, for each; in the middle of an import after it, since
        C extensions print a traceback where theirs is interrupted; and once more where
        Python drops it, in a finalizer or in what JAX has the collector call.
    """
    signals, looks = Signals(), _Looks(threading.get_ident())
    report = sys.unraisablehook

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not looks.arrived():
            signals.numbers.append(number)
        if looks.under_way or not signals.active:
            return
        if looks.patient() and _importing(frame):
            looks.send(number)
        else:
            raise KeyboardInterrupt

    def dropped(unraisable: Any) -> None:
        interrupted = issubclass(unraisable.exc_type, KeyboardInterrupt)
        if signals.numbers and signals.active and interrupted:
            looks.send(signals.numbers[-1])
        else:
            report(unraisable)

    try:
        previous = {number: signal.signal(number, interrupt) for number in ending()}
    except ValueError:  # not the main thread, to which Python delivers none
        previous = {}
    sys.unraisablehook = dropped
    try:
        yield signals
    finally:
        signals.active = False
        looks.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)
        if sys.unraisablehook is dropped:  # else who came after it goes on to report
            sys.unraisablehook = report


class _Looks:
    """Signals that a thread is sent later, one under way at a time."""

    def __init__(self, thread: int):
        # To the thread: sent to the process, another one may take it, and what this
        # one waits for is not cut short.
        self.thread = thread
        self.under_way = False
        self._fired = False
        self._until = None
        self._timer = None

    def patient(self) -> bool:
        """Whether there is still time to wait; it begins with the first question."""
        now = time.monotonic()
        self._until = self._until or now + _PATIENCE
        return now < self._until

    def send(self, number: int) -> None:
        """Has a signal come in a moment, unless one is to come already."""
        if self.under_way:
            return
        self.under_way = True
        self._timer = threading.Timer(_LOOK, self._fire, (number,))
        self._timer.daemon = True
        self._timer.start()

    def arrived(self) -> bool:
        """Whether the signal that is handled is the one that was under way."""
        if not self._fired:
            return False
        self._fired = self.under_way = False
        return True

    def cancel(self) -> None:
        """Sends none any more; one that is sent already still arrives."""
        if self._timer:
            self._timer.cancel()

    def _fire(self, number: int) -> None:
        self._fired = True
        signal.pthread_kill(self.thread, number)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
