# SPDX-License-Identifier: Apache-2.0
"""What a result is made of besides its configuration: its inputs, by content.

Inputs are the SHA-256 of the data, the SHA-256 of the plugin's source, and the settings
of JAX that change numbers. The id of a trial is the hash of its configuration alone; so
inputs are compared wherever results meet, and what differs is refused, or kept apart.
An input that one side does not know, as older results do, is compatible with any value.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

# The flag, and the parameter of the same name, that accepts changed inputs.
ACCEPT = "--accept_changes"
DATA, PLUGIN = "data", "plugin"
Inputs = Mapping[str, Any]


def differences(one: Inputs, other: Inputs) -> dict[str, tuple[Any, Any]]:
    """Returns the inputs that both sides know and that differ, with both values.

    Example:
      >>> differences({"data": "ab", "jax_enable_x64": False}, {"data": "cd"})
      {'data': ('ab', 'cd')}
    """
    return {
        name: (value, other[name])
        for name, value in one.items()
        if name in other and other[name] != value
    }


def scoped(inputs: Inputs, data: str, plugin: str) -> dict[str, Any]:
    """Returns inputs under names that are comparable between configurations.

    Two methods may use two data sets on purpose: data compare with data of the same
    name, plugins with plugins of the same name, settings always.

    Args:
      inputs: of a run.
      data: `data.name` of its configuration.
      plugin: its `plugin`.

    Example:
      >>> scoped({"data": "ab", "jax_enable_x64": False}, "mine.npz", "")
      {'data mine.npz': 'ab', 'jax_enable_x64': False}
    """
    names = {DATA: f"{DATA} {data}", PLUGIN: f"{PLUGIN} {plugin}"}
    return {names.get(name, name): value for name, value in inputs.items()}


def conflicts(many: Iterable[Inputs]) -> dict[str, list[Any]]:
    """Returns the inputs that have several values, with these in order.

    Example:
      >>> conflicts([{"data": "ab"}, {}, {"data": "cd"}, {"data": "ab"}])
      {'data': ['ab', 'cd']}
    """
    values: dict[str, list[Any]] = {}
    for inputs in many:
        for name, value in inputs.items():
            known = values.setdefault(name, [])
            if value not in known:
                known.append(value)
    return {name: found for name, found in values.items() if len(found) > 1}


def show(name: str, value: Any) -> str:
    """Returns an input as a message names it.

    Example:
      >>> show("data mine.npz", "0123456789abcdef"), show("jax_enable_x64", False)
      ('data mine.npz 0123456789ab...', 'jax_enable_x64=False')
    """
    if is_content(name):
        shown = f"{value:.12}..." if isinstance(value, str) and value else "unknown"
        return f"{name} {shown}"
    return f"{name}={value}"


def is_content(name: str) -> bool:
    """Whether an input is the SHA-256 of a content, and no setting."""
    return name.partition(" ")[0] in (DATA, PLUGIN)


def described(differing: Mapping[str, tuple[Any, Any]]) -> tuple[str, str]:
    """Returns what was and what is, each in a few words."""
    was = ", ".join(show(name, old) for name, (old, _) in differing.items())
    now = ", ".join(show(name, new) for name, (_, new) in differing.items())
    return was, now


def cure(differing: Mapping[str, tuple[Any, Any]]) -> str:
    """Returns what to do to have the inputs that were.

    Example:
      >>> cure({"data": ("ab", "cd"), "jax_threefry_partitionable": (True, False)})
      'restore the data and set JAX_THREEFRY_PARTITIONABLE=True'
    """
    return " and ".join(_cure(name, old) for name, (old, _) in differing.items())


def _cure(name: str, old: Any) -> str:
    if is_content(name):
        return f"restore the {name}"
    variable = name.upper()
    if old in (None, ""):
        given = f" ({os.environ[variable]!r})" if variable in os.environ else ""
        return f"unset {variable}{given}"
    return f"set {variable}={old}"
