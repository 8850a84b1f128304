# SPDX-License-Identifier: Apache-2.0
"""How every command ends: an exit code, and one line for what stopped it."""

import contextlib
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator

from dropout_jax.config.causes import reason
from dropout_jax.config.errors import Interrupted, UserError, one_line, told
from dropout_jax.config.places import here
from dropout_jax.config.signals import caught
from dropout_jax.config.streams import Forgiving, forgiving


def guarded(command: Callable[[], int | None], *, shows: bool = False) -> int:
    """Returns the exit code of a command; what stops it is told in one line.

    What it shows never stops it, and changes no exit code (`streams`).

    Args:
      command: the command. May return an exit code.
      shows: whether it does nothing but show. Then the code is 2 where that was
        impossible, unless the reader of a pipe has gone.

    Returns:
      0; 2 after a mistake of the user's; 130 after Ctrl-C, 143 after SIGTERM and 129
      after the end of the terminal (SIGHUP); or what `command` returned.
      An exception that is none of these passes through: it is a bug.
    """
    with forgiving() as output, _said(output):
        code = _ended(command)
        output.flush()
        return 2 if shows and not code and output.unshown else code


@contextlib.contextmanager
def _said(output: Forgiving) -> Iterator[None]:
    """Shows what rooms below say of what takes long (`slow`), which log it."""
    logger, handler = logging.getLogger("dropout_jax"), logging.Handler(logging.INFO)
    handler.emit = lambda record: print(
        one_line(record.getMessage()), file=output, flush=True
    )
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False  # absl may have given the root a handler
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _ended(command: Callable[[], int | None]) -> int:
    with caught() as signals:
        try:
            return command() or 0
        except BaseException as error:
            signals.active = False
            if isinstance(error, UserError):
                _say(f"error: {error}")
                return 2
            if isinstance(error, Interrupted):
                # As it was typed: of `python -m package` sys.argv does not know.
                typed = shlex.join(["python", *sys.orig_argv[1:]])
                _say(f"{error}; to go on: {typed}")
                return error.exit_code
            # An import that is interrupted may end with any exception.
            if signals.numbers:
                _say("interrupted; the same command goes on from the last checkpoint")
                return 128 + signals.numbers[0]
            if cause := _cause(error):
                _say(f"error: {cause}")
                return 2
            raise


def _cause(error: BaseException) -> str:
    """Returns what of this machine the exception comes from; "" if it is a bug."""
    if isinstance(error, ModuleNotFoundError):
        from dropout_jax.config.missing import is_required, missing

        if is_required(error.name or ""):
            return str(missing(error.name or "", "this command"))
    if why := _no_platform():
        return (
            f"JAX_PLATFORMS={os.environ['JAX_PLATFORMS']!r}: JAX finds no such device "
            f"here ({why}); unset JAX_PLATFORMS, or name one that it has"
        )
    if isinstance(error, OSError):
        return _of_a_place(error)
    if str(error).startswith("RESOURCE_EXHAUSTED"):  # JAX's words
        said = str(error).splitlines()[0].rstrip(".")
        return f"{said}; a smaller model or batch, or fewer lanes, take less memory"
    return ""


def _of_a_place(error: OSError) -> str:
    """Says what the system has against a file, or the working directory."""
    try:
        here()
    except UserError as lost:
        return str(lost)
    if error.filename is None:
        return ""
    return f"{os.fsdecode(error.filename)}: {reason(error)}"


def _no_platform() -> str:
    """Says why JAX_PLATFORMS leaves JAX without a device; "" if it does not."""
    if "jax" not in sys.modules or not os.environ.get("JAX_PLATFORMS"):
        return ""
    try:
        return "" if sys.modules["jax"].devices() else "it finds none"
    except Exception as error:
        return told(error)


def _say(line: str) -> None:
    print(" ".join(line.split()), file=sys.stderr)
