# SPDX-License-Identifier: Apache-2.0
"""Whatever takes over two seconds says what it does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

SECONDS = 2.0  # of silence


@contextlib.contextmanager
def told_if_slow(
    tell: Callable[[str], object], what: str, seconds: float = SECONDS
) -> Iterator[None]:
    """Says what goes on inside, once that has taken some seconds.

    Args:
      tell: called with one line, from another thread.
      what: the line.
      seconds: of silence.

    Example:
      >>> with told_if_slow(print, "adding"):
      ...     1 + 1
      2
    """
    timer = threading.Timer(seconds, tell, (what,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
