# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM as a request, honoured between two chunks."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


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
    """Turns the first SIGINT or SIGTERM into a request; a second one kills.

    Outside the main thread, where Python delivers no signals, nothing changes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = {int(number): signal.getsignal(number) for number in signals}

    def ask(number: int, frame: object) -> None:
        del frame
        request.number = number
        restore()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    for number in signals:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        restore()
