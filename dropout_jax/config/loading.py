# SPDX-License-Identifier: Apache-2.0
"""Config files: Python files whose `get_config()` returns the configuration."""

import inspect
import os
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict
from ml_collections.config_dict import FrozenConfigDict

from dropout_jax.config.errors import UserError, told
from dropout_jax.config.field import show
from dropout_jax.config.modules import attempt, run_file
from dropout_jax.config.near_files import nearest_config
from dropout_jax.config.places import NOTHING, missing
from dropout_jax.config.schema import BY_PATH
from dropout_jax.config.validation import check_fields, unknown


def split(path: str | Path) -> tuple[str, str | None]:
    """Returns the file that `--config` names, and the text for its functions.

    A path may have colons itself: the text begins after the first one that a file
    stands in front of.

    Args:
      path: "file.py" or "file.py:text".

    Returns:
      The file, which need not be there, and the text; None without a colon for it.

    Example:
      >>> split("no/such.py:cnn"), split("no/such:1/file.py")
      (('no/such.py', 'cnn'), ('no/such:1/file.py', None))
    """
    whole = str(path)
    colons = [place for place, letter in enumerate(whole) if letter == ":"]
    if not os.path.isfile(whole):
        for place in colons:
            if os.path.isfile(whole[:place]):
                return whole[:place], whole[place + 1 :]
        for place in [] if whole.endswith(".py") else reversed(colons):
            if whole[:place].endswith(".py"):  # it would be the file
                return whole[:place], whole[place + 1 :]
    return whole, None


def load_config(path: str | Path) -> ConfigDict:
    """Returns what `get_config()` of the file returns, its fields checked.

    Args:
      path: a Python file; "file.py:text" calls `get_config("text")`.

    Returns:
      A locked ConfigDict with exactly the fields of the schema.

    Raises:
      UserError: there is no such file, it does not run, or it returns something
        else than a configuration.
    """
    file, _ = split(path)
    config = call(
        path,
        "get_config",
        "it must return a configuration made from dropout_jax.config.defaults()",
    )
    if not isinstance(config, ConfigDict):
        raise UserError(
            f"get_config() of {file} returned {show(config)}: it must return a "
            "configuration made from dropout_jax.config.defaults()"
        )
    try:
        check_fields(config)
    except UserError:
        raise
    except Exception as error:  # such as a placeholder without a value
        raise UserError(
            f"get_config() of {file} returned a configuration that cannot be read: "
            f"{told(error)}"
        ) from error
    if isinstance(config, FrozenConfigDict):  # flags go on top of it
        config = ConfigDict(config)
    return config.lock()


def call(path: str | Path, name: str, duty: str) -> Any:
    """Returns what a function of a config file returns, a generator's items as a list.

    Args:
      path: a Python file; "file.py:text" calls the function with "text".
      name: of the function.
      duty: what it must do, for the message where there is none.

    Raises:
      UserError: there is no such file or function, or it does not run.
    """
    file, text = split(path)
    function = getattr(load_module(file), name, None)
    if not callable(function):
        raise UserError(f"{file} has no function {name}(): {duty}")
    arguments = [] if text is None else [text]
    if not _takes(function, *arguments):
        if text is None and _takes(function, ""):
            raise UserError(f"{file}: {name}() needs a text: {file}:TEXT")
        if text is not None and _takes(function):
            raise UserError(f"{file}: {name}() takes no text: leave out {show(text)}")

    def run() -> Any:
        found = function(*arguments)
        return list(found) if isinstance(found, Iterator) else found

    return attempt(file, run)


def _takes(function: Any, *arguments: str) -> bool:
    """Whether a function can be called so, as far as can be known without a call."""
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it does not say
        pass
    return True


def load_module(path: str | Path) -> types.ModuleType:
    """Runs a Python file and returns it as a module, as `run_file` does.

    Args:
      path: a Python file. It is executed: never load a file you do not trust.

    Raises:
      UserError: there is no such file, or it does not run; with the line.
    """
    if not os.path.isfile(path):
        raise _no_file(Path(path))
    return run_file(str(path))


def override(config: ConfigDict, values: Mapping[str, Any]) -> ConfigDict:
    """A copy of the configuration with some fields changed.

    Args:
      config: a configuration, which stays as it is.
      values: new values by dotted path, e.g. {"noise.rates": (0.3,)}.

    Returns:
      A locked ConfigDict. How the fields go together is for `validate` to say.

    Raises:
      UserError: an unknown field, or a value that it cannot have.
    """
    checked = {}
    for path, value in values.items():
        if path not in BY_PATH:
            raise unknown(path, value)
        checked[path] = BY_PATH[path].check(value)
    changed = ConfigDict(config.to_dict())
    changed.update_from_flattened_dict(checked)
    return changed.lock()


def _no_file(file: Path) -> UserError:
    if os.path.isdir(file):
        return UserError(f"{file} is a directory: name a config file in it")
    if os.path.exists(file):
        return UserError(f"{file} is a pipe or a device: name a config file")
    if (why := missing(file)) != NOTHING or os.path.islink(file):
        return UserError(f"config file {show(str(file))}: {why}")
    near = nearest_config(file)
    hint = f"the nearest is {near}" if near else "there are no config files there"
    return UserError(f"there is no config file {show(str(file))}: {hint}")
