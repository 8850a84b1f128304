# SPDX-License-Identifier: Apache-2.0
"""Config files: Python files whose `get_config()` returns the configuration."""

import importlib.machinery
import importlib.util
import os
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.errors import UserError
from dropout_jax.config.field import show
from dropout_jax.config.near_files import nearest_config
from dropout_jax.config.schema import BY_PATH
from dropout_jax.config.validation import check_fields, unknown


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
    file = str(path).partition(":")[0]
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
    check_fields(config)
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
    file, colon, argument = str(path).partition(":")
    function = getattr(load_module(file), name, None)
    if not callable(function):
        raise UserError(f"{file} has no function {name}(): {duty}")
    arguments = [argument] if colon else []

    def run() -> Any:
        found = function(*arguments)
        return list(found) if isinstance(found, Iterator) else found

    return _attempt(file, run)


def load_module(path: str | Path) -> types.ModuleType:
    """Runs a Python file and returns it as a module.

    Args:
      path: a Python file. It is executed: never load a file you do not trust.

    Returns:
      The module, which is not entered into `sys.modules`.

    Raises:
      UserError: there is no such file, or it does not run; with the line.
    """
    file = Path(path)
    if not os.path.isfile(file):
        raise _no_file(file)
    # A loader chosen by hand: the file may have any suffix.
    loader = importlib.machinery.SourceFileLoader(f"config_file_{file.stem}", str(file))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    _attempt(str(file), lambda: loader.exec_module(module))
    return module


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
    near = nearest_config(file)
    hint = f"the nearest is {near}" if near else "there are no config files there"
    return UserError(f"there is no config file {show(str(file))}: {hint}")


def _attempt(file: str, action: Callable[[], Any]) -> Any:
    """Runs code of the user's file; whatever it raises becomes one line."""
    try:
        return action()
    except SyntaxError as error:
        where, what = error.lineno, f"does not run: {type(error).__name__}: {error.msg}"
    # A config file that calls sys.exit() is as broken as one that raises.
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = next((f.lineno for f in reversed(frames) if f.filename == file), None)
        what = f"does not run: {type(error).__name__}: {error}"
        if isinstance(error, UserError):  # the file itself says what is wrong
            what = str(error)
    line = f", line {where}" if where else ""
    raise UserError(f"{file}{line}: {what}")
