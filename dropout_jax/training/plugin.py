# SPDX-License-Identifier: Apache-2.0
"""A user's own module, imported so that it registers its models and transforms."""

from __future__ import annotations

import importlib
import sys

from dropout_jax.config.errors import UserError
from dropout_jax.config.modules import attempt, run_file
from dropout_jax.config.places import missing
from dropout_jax.training import plugin_source

# SHA-256 of the source (None: it has none) by plugin, as it was when it was imported.
_LOADED: dict[str, str | None] = {}


def import_plugin(plugin: str) -> None:
    """Imports the module or file that registers a user's own models or transforms.

    Raises:
      UserError: it cannot be imported, or its source has changed since this process
        imported it, which cannot be undone.
    """
    if not plugin:
        return
    source = plugin_source.sha256(plugin)
    if source is not None and (known := _LOADED.get(plugin, source)) != source:
        raise UserError(
            f"plugin {plugin!r} has changed since this process imported it (its "
            f"SHA-256 was {known!s:.12}, now {source:.12}); start a new process"
        )
    if plugin_source.is_path(plugin):
        if why := missing(plugin):
            raise UserError(f"plugin {plugin!r} cannot be imported: {why}")
        if plugin not in _LOADED:
            try:
                run_file(plugin)
            except UserError as error:
                raise UserError(f"plugin {plugin!r}: {error}") from error
    else:
        attempt(f"plugin {plugin!r}", lambda: _import_module(plugin))
    _LOADED[plugin] = source


def _import_module(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):  # one that it imports lacks
            raise
        raise UserError(
            f"cannot be imported ({error}); give the name of an importable module or "
            "the path of a .py file"
        ) from None


def refuse_unknown(plugin: str, place: object, consent: str) -> None:
    """Raises UserError for a plugin that stored data name and this process has not.

    What lies on a disk is data, and never a reason to run code.

    Args:
      plugin: of a configuration, may be empty.
      place: where it stands.
      consent: how a user says that it may be imported.
    """
    if plugin and plugin not in _LOADED and plugin not in sys.modules:
        raise UserError(
            f"{place} names the plugin {plugin!r}, Python code that would run as you; "
            f"if you trust it: {consent}"
        )
