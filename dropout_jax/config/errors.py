# SPDX-License-Identifier: Apache-2.0
"""The exceptions that a command line turns into one line and an exit code."""

import signal
from pathlib import Path


class UserError(ValueError):
    """Bad input from outside: a flag, a file, a directory.

    Its message is one line that says what was wrong, the value, what is allowed
    and the fix. Command lines print it alone and exit with code 2.
    """


class InUse(UserError):
    """Another process is at work in the directory."""


class Interrupted(Exception):
    """The run was asked to stop and has saved itself.

    Args:
      workdir: the run directory, from which the same command resumes.
      number: of the signal that asked: SIGINT (Ctrl-C) or SIGTERM.

    Attributes:
      exit_code: as shells have it, 128 and the number: 130 or 143.
    """

    def __init__(self, workdir: str | Path, number: int = signal.SIGINT):
        super().__init__(f"interrupted; the run so far is in {workdir}")
        self.workdir, self.exit_code = Path(workdir), 128 + number
