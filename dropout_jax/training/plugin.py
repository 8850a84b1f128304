# SPDX-License-Identifier: Apache-2.0
"""A user's own module, imported so that it registers its models and transforms."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from dropout_jax.config.errors import UserError

_LOADED: set[str] = set()


def import_plugin(plugin: str) -> None:
    """Imports the module or file that registers a user's own models or transforms.

    Raises:
      UserError: it cannot be imported.
    """
    if not plugin:
        return
    try:
        if plugin.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(plugin).stem, plugin)
            if spec is None or spec.loader is None or not Path(plugin).is_file():
                raise ImportError("no such file")
            if plugin not in _LOADED:
                spec.loader.exec_module(importlib.util.module_from_spec(spec))
                _LOADED.add(plugin)
        else:
            importlib.import_module(plugin)
    except Exception as error:
        raise UserError(
            f"plugin {plugin!r} cannot be imported ({type(error).__name__}: {error}); "
            "give the name of an importable module or the path of a .py file"
        ) from error
