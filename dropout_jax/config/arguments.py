# SPDX-License-Identifier: Apache-2.0
"""Flags of the commands that train nothing."""

import argparse
import sys
from typing import NoReturn

from dropout_jax.config.errors import UserError


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, as everything here does."""

    def __init__(self, prog: str, description: str | None):
        """Makes the parser of a command, `python -m ...`."""
        super().__init__(prog=prog, description=description, allow_abbrev=False)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Ends after --help: with 2 where it could not be shown (`guarded`)."""
        del message
        sys.stdout.flush()
        raise SystemExit(status or (2 if getattr(sys.stdout, "unshown", "") else 0))

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{message}; see {self.prog} --help")
