# SPDX-License-Identifier: Apache-2.0
"""Standard output and error that end no command: what cannot be shown is dropped.

The rule of every command here: what it shows is not its work. A pipe whose reader has
gone, a full disk and a closed stream cost the display and nothing else.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any


class Forgiving:
    """A text stream to which writing never fails.

    After the first failure nothing more is written to it, also not by programs that
    were started with it. What its encoding lacks is escaped.

    Attributes:
      stream: the stream.
      lost: why it could not be written, None as long as it can be.
    """

    def __init__(self, stream: Any, tell: Callable[[str], object] | None = None):
        """Wraps a stream.

        Args:
          stream: a text stream; its other attributes are this one's.
          tell: called with one line after the first failure, unless only the reader of
            a pipe has gone, as that of `| head` does.
        """
        self.stream, self._tell = stream, tell
        self.lost: OSError | ValueError | None = None
        if getattr(stream, "errors", None) == "strict":
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Writes if that is possible; returns the number of characters."""
        if self.lost is None:
            try:
                self.stream.write(text)
            except (OSError, ValueError) as error:  # ValueError: it is closed
                self._lose(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Writes each line, as `write` does."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Sends on what is buffered, if that is possible."""
        if self.lost is None:
            try:
                self.stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def _lose(self, error: OSError | ValueError) -> None:
        self.lost = error
        # What is buffered is written once more as Python ends.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.stream.fileno())
            os.close(null)
        if self._tell is not None and self.unshown:
            self._tell(
                f"standard output cannot be written ({self.unshown}): nothing more is "
                "shown; the work itself goes on"
            )

    @property
    def unshown(self) -> str:
        """Why something is not shown that somebody waits for; "" if nothing is."""
        if self.lost is None or getattr(self.lost, "errno", None) == errno.EPIPE:
            return ""
        return getattr(self.lost, "strerror", None) or str(self.lost)


@contextlib.contextmanager
def forgiving() -> Iterator[Forgiving]:
    """Makes standard output and error forgiving; gives standard output."""
    _fill()
    before = sys.stdout, sys.stderr
    with contextlib.ExitStack() as opened:

        def there(stream: Any) -> Any:  # Python has None for what was closed
            null = opened.enter_context(open(os.devnull, "w", encoding="utf-8"))
            return null if stream is None else stream

        sys.stderr = error = Forgiving(there(before[1]))
        sys.stdout = output = Forgiving(
            there(before[0]), lambda line: error.write(f"{line}\n")
        )
        try:
            yield output
        finally:
            output.flush()
            error.flush()
            sys.stdout, sys.stderr = before


def _fill() -> None:
    """Opens what is closed of the first three file descriptors.

    The next file that is opened would have its number, and whatever writes to standard
    output would write into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
