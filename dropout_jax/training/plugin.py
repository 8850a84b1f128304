# SPDX-License-Identifier: Apache-2.0
"""A user's own module, imported so that it registers its models and transforms."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

from dropout_jax.config.errors import UserError, seen_from
from dropout_jax.config.modules import attempt, run_file
from dropout_jax.config.places import missing
from dropout_jax.training import plugin_source, settings

# By plugin (`_key`): the SHA-256 of the source as it was when it was imported (None: it
# has none), and the settings of JAX that the import changed, before and after.
_LOADED: dict[str, str | None] = {}
_SET: dict[str, dict[str, tuple[Any, Any]]] = {}


def _key(plugin: str) -> str:
    """Returns what a plugin is known by: a file has one path, however it is named."""
    return os.path.realpath(plugin) if plugin_source.is_path(plugin) else plugin


def import_plugin(plugin: str) -> None:
    """Imports the module or file that registers a user's own models or transforms.

    Raises:
      UserError: it cannot be imported, or its source has changed since this process
        imported it, which cannot be undone.
    """
    if not plugin:
        return
    key, source = _key(plugin), plugin_source.sha256(plugin)
    if source is not None and (known := _LOADED.get(key, source)) != source:
        raise UserError(
            f"plugin {plugin!r} has changed since this process imported it (its "
            f"SHA-256 was {known!s:.12}, now {source:.12}); start a new process"
        )
    before = settings.numbers()
    if plugin_source.is_path(plugin):
        if why := missing(plugin):
            raise UserError(
                f"plugin {plugin!r} cannot be imported: {why}{seen_from(plugin)}"
            )
        if key not in _LOADED:
            try:
                run_file(plugin)
            except UserError as error:
                raise UserError(f"plugin {plugin!r}: {error}") from error
    else:
        attempt(f"plugin {plugin!r}", lambda: _import_module(plugin))
    if key not in _LOADED:
        after = settings.numbers()
        changed = {n: (before[n], after[n]) for n in after if after[n] != before[n]}
        _SET.setdefault(key, {}).update(changed)
    _LOADED[key] = source


def told(plugin: str, error: BaseException) -> UserError | None:
    """Returns in one line what a plugin's code raised, and where; None: not its own.

    Args:
      plugin: of a configuration, may be empty.
      error: that was raised by this process.
    """
    files = (plugin_source.files(plugin) or {}) if plugin else {}
    own = {os.path.realpath(path) for path in files.values()}
    frames = reversed(traceback.extract_tb(error.__traceback__))
    place = next((f for f in frames if os.path.realpath(f.filename) in own), None)
    if place is None:
        return None
    said = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    where = f"{place.filename}, line {place.lineno}"
    return UserError(f"plugin {plugin!r}: {where}: {said}")


def changed_settings(plugin: str) -> dict[str, tuple[Any, Any]]:
    """Returns the settings of JAX that a plugin changed as it was imported here.

    Such a change belongs to the source of the plugin, and is no other input.

    Args:
      plugin: of a configuration, may be empty.

    Returns:
      Value before and after, by name as in `settings.numbers`.
    """
    return _SET.get(_key(plugin), {})


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
    if plugin and _key(plugin) not in _LOADED and plugin not in sys.modules:
        raise UserError(
            f"{place} names the plugin {plugin!r}, Python code that would run as you; "
            f"if you trust it: {consent}"
        )
