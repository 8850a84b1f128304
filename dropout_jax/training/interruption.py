# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C, SIGTERM and SIGHUP as a request, honoured between two chunks."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from dropout_jax.config.signals import ending


class StopRequest:
    """Whether someone asked the run to stop.

    Attributes:
      number: of the signal that did; 0 as long as none has.
    """

    def __init__(self):
        self.number = 0

    @property
    def made(self) -> bool:
        """Whether a signal has come."""
        return self.number != 0


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turns the first signal that asks to end into a request; a second one kills.

    Outside the main thread, where Python delivers no signals, nothing changes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {int(number): signal.getsignal(number) for number in ending()}

    def ask(number: int, frame: object) -> None:
        del frame
        request.number = number
        restore()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    for number in previous:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        restore()
