# SPDX-License-Identifier: Apache-2.0
"""A Python file of the user's, run as a module; what it raises becomes one line."""

import hashlib
import importlib.machinery
import importlib.util
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

from dropout_jax.config.errors import UserError, told


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles what the file holds now.

    Python's cache knows a file by size and second of writing: of two versions that are
    written at once it would run the first. It would also write beside the file.
    """

    def get_code(self, fullname: str) -> types.CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def run_file(file: str) -> types.ModuleType:
    """Runs a Python file and returns it as a module.

    It stands in `sys.modules`, where dataclasses, enums, annotations and pickle look
    for it, under a private name of its path: it hides no module of its file's name.

    Args:
      file: of any suffix. It is executed: never run a file you do not trust.

    Raises:
      UserError: it does not run, or ends the process; with the line.
    """
    place = hashlib.sha256(os.fsencode(os.path.abspath(file))).hexdigest()[:16]
    # A loader chosen by hand: the file may have any suffix.
    loader = _Loader(f"_dropout_jax_file_{place}", file)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(loader.name)
    sys.modules[loader.name] = module
    try:
        attempt(file, lambda: loader.exec_module(module))
    except BaseException:
        del sys.modules[loader.name]
        if before is not None:
            sys.modules[loader.name] = before
        raise
    return module


def attempt(file: str, action: Callable[[], Any]) -> Any:
    """Returns what code of the user's file returns.

    Raises:
      UserError: instead of whatever it raises, an end of the process too; names the
        line of the file.
    """
    try:
        return action()
    except KeyboardInterrupt:  # it is the user's, whatever was running
        raise
    except SyntaxError as error:
        own = error.filename == file
        where = error.lineno if own else _line(file, error)
        said = error.msg if own else error
        what, told_itself = f"{type(error).__name__}: {said}", False
    # A file that calls sys.exit() is as broken as one that raises.
    except BaseException as error:
        where, told_itself = _line(file, error), isinstance(error, UserError)
        what = str(error) if told_itself else told(error)
    if where:
        raise UserError(f"{file}, line {where}: {what}")
    raise UserError(f"{file}: {what if told_itself else f'does not run: {what}'}")


def _line(file: str, error: BaseException) -> int | None:
    """Returns the last line of a file on the way to an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if f.filename == file), None)
