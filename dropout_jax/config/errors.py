# SPDX-License-Identifier: Apache-2.0
"""The exceptions that a command line turns into one line and an exit code."""

import os
import signal
from pathlib import Path


class UserError(ValueError):
    """Bad input from outside: a flag, a file, a directory.

    Its message is one line that says what was wrong, the value, what is allowed
    and the fix. Command lines print it alone and exit with code 2.

    Args:
      message: the line. White space in it, as the line break of a strange file's name,
        becomes a space; what else cannot be printed is escaped.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    r"""Returns text as one line that no terminal takes for anything but text.

    Example:
      >>> print(one_line("two\nlines and a bell \a"))
      two lines and a bell \x07
    """
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else repr(character)[1:-1]


def told(error: BaseException) -> str:
    """Returns an exception as part of a line: its type, and what it says.

    Of a group, what its first ones say.

    Example:
      >>> told(KeyError("rate")), told(SystemExit())
      ("KeyError: 'rate'", 'SystemExit')
    """
    said = str(error)
    if isinstance(error, BaseExceptionGroup):
        said = f"{error.message}: {'; '.join(map(told, error.exceptions[:3]))}"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def seen_from(path: str) -> str:
    """Returns where a relative path begins, for a message; "" for an absolute one."""
    try:
        return "" if os.path.isabs(path) else f" (seen from {os.getcwd()})"
    except OSError:  # the directory is gone
        return ""


class OtherVersion(UserError):
    """What a file holds is of a version of the package that this one cannot read."""


class InUse(UserError):
    """Another process is at work in the directory."""


class Interrupted(Exception):
    """The run was asked to stop and has saved itself.

    Args:
      workdir: the run directory, from which the same command resumes.
      number: of the signal that asked: SIGINT (Ctrl-C), SIGTERM or SIGHUP.

    Attributes:
      exit_code: as shells have it, 128 and the number: 130, 143 or 129.
    """

    def __init__(self, workdir: str | Path, number: int = signal.SIGINT):
        super().__init__(f"interrupted; the run so far is in {workdir}")
        self.workdir, self.exit_code = Path(workdir), 128 + number
