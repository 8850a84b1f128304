# SPDX-License-Identifier: Apache-2.0
"""The flags of XLA, which its variable holds, or a file that it names."""

from __future__ import annotations

import os
from pathlib import Path

from dropout_jax.config.errors import UserError

VARIABLE = "XLA_FLAGS"


def given() -> list[str]:
    """Returns the flags that XLA is given, in order.

    As XLA reads it: a value that does not begin with "-" is the name of a file.

    Raises:
      UserError: there is no such file; XLA would end the process.
    """
    value = os.environ.get(VARIABLE, "")
    if value and not value.lstrip().startswith("-"):
        try:
            if Path(value).exists() and not Path(value).is_file():  # without an end
                raise ValueError
            value = Path(value).read_text()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text file"
            raise UserError(
                f"{VARIABLE}={value!r}: names a file of flags that cannot be read "
                f"({reason}); give flags, which begin with --, or unset it"
            ) from None
    return value.split()


def values() -> dict[str, str]:
    """Returns the flags with their values; a bare flag is true."""
    found = {}
    for flag in given():
        name, equals, value = flag.partition("=")
        value = value.lower() if equals else "true"
        found[name] = {"1": "true", "0": "false"}.get(value, value)
    return found
