# SPDX-License-Identifier: Apache-2.0
"""Fields that a flag leaves without effect: all of them in one line, and the cure."""

import shlex
import sys
from collections.abc import Sequence

from ml_collections import ConfigDict

from dropout_jax.config.errors import UserError
from dropout_jax.config.field import WithoutEffect, show
from dropout_jax.config.flat import flat
from dropout_jax.config.loading import override
from dropout_jax.config.schema import BY_PATH
from dropout_jax.config.validation import validate


def together(
    first: WithoutEffect, config: ConfigDict, given: Sequence[tuple[str, str | None]]
) -> UserError:
    """Returns the complaint about every field that has no effect, with a command.

    `--config.noise.kind=none` on top of a file that sets rates is one thought, and it
    is answered at once.

    Args:
      first: the complaint about one field.
      config: the configuration.
      given: the flags of the command line as (name, text); None: a bare boolean.
    """
    lost, rest = _lost(first, config)
    names = {f"config.{error.path}" for error in lost}
    if len(lost) == 1 and any(name in names for name, _ in given):
        return first  # it was asked for: only the user knows which of the two is meant
    values = flat(config.to_dict())
    fields = "; ".join(
        f"config.{e.path}={show(values[e.path])} {e.why.partition(':')[0]}"
        for e in lost
    )
    them = "it" if len(lost) == 1 else "them"
    also = f"; and then {rest}" if rest else ""
    cure = _command(given, [e.path for e in lost])
    return UserError(f"{fields}; to set {them} back: {cure}{also}")


def _lost(
    first: WithoutEffect, config: ConfigDict
) -> tuple[list[WithoutEffect], UserError | None]:
    """Returns the complaints that defaults cure, in order, and what is left then."""
    lost: list[WithoutEffect] = []
    error: UserError | None = first
    while isinstance(error, WithoutEffect) and len(lost) < len(BY_PATH):
        lost.append(error)
        config = override(config, {error.path: BY_PATH[error.path].default})
        try:
            validate(config)
            error = None
        except UserError as found:
            error = found
    return lost, error


def _command(given: Sequence[tuple[str, str | None]], paths: Sequence[str]) -> str:
    """Returns the command as it was typed, but with the defaults of some fields."""
    words = sys.orig_argv[1:]
    program = words[: next((n for n, w in enumerate(words) if w[:2] == "--"), None)]
    flags = [
        f"--{name}" if text is None else f"--{name}={text}"
        for name, text in given
        if name.removeprefix("config.") not in paths
    ]
    flags += [f"--config.{path}={_plain(path)}" for path in paths]
    return shlex.join(["python", *program, *flags])


def _plain(path: str) -> str:
    default = BY_PATH[path].default
    return default if isinstance(default, str) else show(default)
