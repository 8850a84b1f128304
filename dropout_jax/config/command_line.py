# SPDX-License-Identifier: Apache-2.0
"""What train.py and the commands share: flags in, one line and an exit code out.

absl and ml_collections parse; this file sees to it that whatever they, or the
user's config file, complain about reaches the user as one line.
"""

import gc
import os
import re
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from dropout_jax.config.alike import closest, hint
from dropout_jax.config.causes import unwritable
from dropout_jax.config.description import help_text
from dropout_jax.config.errors import UserError
from dropout_jax.config.field import WithoutEffect, show
from dropout_jax.config.guard import guarded
from dropout_jax.config.loading import load_config
from dropout_jax.config.nearest import nearest
from dropout_jax.config.places import refuse_place
from dropout_jax.config.schema import BY_PATH
from dropout_jax.config.together import together
from dropout_jax.config.validation import unknown, validate

# Allocations between two looks of Python's collector for cycles. Tracing a program
# allocates by the hundred thousand and leaves hardly any cycle: at the default of 700
# the collector looks for them again and again while a run starts.
_COLLECT_EVERY = 100_000

# A dict, a set or bytes, of which ml_collections would make a tuple.
_NO_TUPLE = re.compile(r"\s*(\{|[bB][rR]?['\"]|[rR][bB]['\"])")

_HELP = ("-h", "-help", "--help", "--helpfull", "--helpshort")


def main(
    run: Callable[[flags.FlagValues], int | None],
    *,
    description: str | None,
    default_config: str | Path,
    default_workdir: str = "",
    directory: str = "workdir",
    define: Callable[[flags.FlagValues], object] | None = None,
    shows: bool = False,
    argv: Sequence[str] | None = None,
) -> int:
    """Parses the command line, calls `run`, and turns its end into an exit code.

    Args:
      run: called with the parsed flags: `config` (locked and valid), `directory`,
        `device`, and those of `define`. Imports JAX only inside. May return an exit
        code.
      description: the head of --help; the script's `__doc__`.
      default_config: the file that --config names when it is left out.
      default_workdir: the same for the directory; empty: the flag must be given.
      directory: name of the flag for the directory of what is written.
      define: defines further flags in the FlagValues it is given.
      shows: as for `guarded`; --help shows always.
      argv: the command line, program first; by default that of the process.

    Returns:
      The exit code, as `guarded` says.
    """
    argv = sys.argv if argv is None else argv
    gc.set_threshold(_COLLECT_EVERY)
    wants_help = any(arg in _HELP for arg in argv[1:])

    def attempt() -> int | None:
        flag_values = flags.FlagValues()
        _define_shared(flag_values, default_config, directory, default_workdir)
        if define is not None:
            define(flag_values)
        if wants_help:
            print(help_text(description or "", flag_values))
            return 0
        parse(argv, flag_values)
        _check_directory(directory, str(flag_values[directory].value))
        _use_device(flag_values.device)
        return run(flag_values)

    return guarded(attempt, shows=shows or wants_help)


def parse(argv: Sequence[str], flag_values: flags.FlagValues) -> None:
    """Fills `flag_values` from the command line; `config` becomes a valid ConfigDict.

    Args:
      argv: the command line, program first. --config may stand anywhere: the file
        is read first and the other flags go on top of it.
      flag_values: the flag `config` and others; gets one more, `config_file`: what
        --config named.

    Raises:
      UserError: naming the flag or field, its value, and what is allowed.
    """
    given = _given(argv[1:], flag_values)
    path = flag_values["config"].default
    path = next((text for name, text in reversed(given) if name == "config"), path)
    config = load_config(path or "")
    del flag_values.config
    rest = [(name, _entries(name, text)) for name, text in given if name != "config"]
    args = [f"--{name}" if text is None else f"--{name}={text}" for name, text in rest]
    args.insert(0, argv[0])
    try:
        # Python warns about odd escapes in what it takes for a tuple's source.
        with warnings.catch_warnings(action="ignore"):
            config_flags.DEFINE_config_dict(
                "config", config, flag_values=flag_values, sys_argv=args
            )
            flag_values(args)
    except flags.IllegalFlagValueError as error:
        raise _illegal(str(error), rest, flag_values) from None
    flags.DEFINE_string("config_file", path, "", flag_values=flag_values)
    try:
        validate(flag_values.config)
    except WithoutEffect as error:
        raise together(error, flag_values.config, given) from None


def _near(path: str | Path) -> str:
    """Returns a path as seen from here; as it is where there is no here any more."""
    try:
        return os.path.relpath(path)
    except OSError:
        return str(path)


def _define_shared(
    flag_values: flags.FlagValues, config: str | Path, directory: str, default: str
) -> None:
    flags.DEFINE_string(
        "config",
        str(config),
        f"Config file; when left out, {_near(config)}.",
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        directory,
        default,
        "Directory for what is written; the same command again resumes it.",
        flag_values=flag_values,
    )
    flags.DEFINE_enum(
        "device",
        "auto",
        ["auto", "cpu", "gpu", "tpu"],
        "Where to compute: auto (what JAX finds), cpu, gpu or tpu.",
        flag_values=flag_values,
    )


def _given(
    args: Sequence[str], flag_values: flags.FlagValues
) -> list[tuple[str, str | None]]:
    """The flags as (name, text) in order, every name known; None: a bare boolean."""
    given: list[tuple[str, str | None]] = []
    queue = iter(args)
    for arg in queue:
        name, equals, text = arg.lstrip("-").partition("=")
        if not arg.startswith("-") or not name:
            raise UserError(
                f"{show(arg)} belongs to no flag: write --flag=value, with quotes "
                "around a value that has spaces or parentheses"
            )
        bare = _may_stand_bare(name, text, flag_values)
        if equals and name.startswith("no") and name not in flag_values:
            raise UserError(f"--{name}={show(text)}: takes no value; leave it bare")
        value = text if equals else None if bare else next(queue, None)
        if value is None and not bare:
            raise UserError(f"--{name} needs a value: --{name}=...")
        given.append((name, value))
    return given


def _entries(name: str, text: str | None) -> str | None:
    """Returns the text of a flag as ml_collections takes it; no entries are ()."""
    field = BY_PATH.get(name.removeprefix("config."))
    if field is None or not field.is_tuple:
        return text
    if _NO_TUPLE.match(text or ""):
        raise field.error(text)
    return text or "()"


def _may_stand_bare(name: str, text: str, flag_values: flags.FlagValues) -> bool:
    """Whether a flag is boolean; UserError when there is no such flag."""
    root, dot, path = name.partition(".")
    if root in ("config", "noconfig") and dot:
        field = BY_PATH.get(path)
        if field is None:
            raise unknown(path, *[text] * bool(text))
        if root == "noconfig" and field.of is not bool:
            raise field.error(False)
        return field.of is bool
    if name in flag_values:
        return bool(flag_values[name].boolean)
    positive = name.removeprefix("no")
    if positive in flag_values and flag_values[positive].boolean:
        return True
    near = None if dot else closest(name, flag_values)
    best = near or f"config.{nearest(path or name)}"
    raise UserError(f"--{name} is no flag: the nearest is --{best} (--help lists all)")


def _illegal(
    message: str, given: list[tuple[str, str | None]], flag_values: flags.FlagValues
) -> UserError:
    """Absl says "flag --name=value: reason"; a field says what it allows instead."""
    for name, text in given:
        # A bare --noname is reported under its positive name.
        positive = name if name in message else name.removeprefix("no")
        if message.startswith(f"flag --{positive}="):
            if positive.startswith("config."):
                return BY_PATH[positive.removeprefix("config.")].error(text)
            reason = message.removeprefix(f"flag --{positive}={text}: ")
            known = getattr(flag_values[positive].parser, "enum_values", ())
            near = hint(text or "", known)
            return UserError(f"--{positive}={show(text)}: {reason}{near}")
    return UserError(message)


def _check_directory(flag: str, path: str) -> None:
    if not path:
        raise UserError(
            f"--{flag} is missing: name a directory for what is written, e.g. "
            f"--{flag}=runs/a"
        )
    refuse_place(f"--{flag}", path)
    try:
        usable, why = stat.S_ISDIR(os.stat(path).st_mode), "it is a file"
    except FileNotFoundError:
        _check_room_for(flag, Path(path).absolute())
        return
    except (OSError, ValueError) as error:
        usable, why = False, getattr(error, "strerror", None) or error
    if not usable:
        raise UserError(f"--{flag}={show(path)}: must be a directory; {why}")


def _check_room_for(flag: str, path: Path) -> None:
    """Raises UserError if no directory can be made there: before JAX is imported."""
    try:
        nearest_there = next(parent for parent in path.parents if parent.exists())
        with tempfile.TemporaryDirectory(dir=nearest_there):
            pass
    except OSError as error:
        raise unwritable(f"--{flag}={show(str(path))}", error) from None


def _use_device(device: str) -> None:
    """Makes JAX compute on `device`, in this process and in those it starts."""
    if device == "auto":
        return
    # Naming "gpu" would make JAX insist on every vendor's GPU. An accelerator that
    # is there comes first by itself.
    os.environ["JAX_PLATFORMS"] = platforms = "cpu" if device == "cpu" else ""
    import jax

    jax.config.update("jax_platforms", platforms)
    if device == "cpu":
        return  # always there; how many devices it becomes is the configuration's
    try:
        jax.devices(device)
    except RuntimeError as error:
        raise UserError(
            f"--device={device}: JAX finds none here ({error}); choose --device=cpu, "
            f"or install JAX for the {device} as README says"
        ) from None
