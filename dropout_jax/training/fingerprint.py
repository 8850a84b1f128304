# SPDX-License-Identifier: Apache-2.0
"""What a result is made of besides its configuration: its inputs, by content.

Inputs are the SHA-256 of the data, the rule by which own data are split, the SHA-256 of
the plugin's source, and the settings of JAX that change numbers. The id of a trial is
the hash of its configuration alone; so inputs are compared wherever results meet, and
what differs is refused, or kept apart. An input that one side does not know is
compatible with any value; for what older results do not say, see `completed`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from dropout_jax.config.schema import DATA_SETS

# The flag, and the parameter of the same name, that accepts changed inputs.
ACCEPT = "--accept_changes"
DATA, SPLIT, PLUGIN = "data", "split", "plugin"
# What held for older results, which do not say it: own data were split in the order of
# the file; the settings were JAX's own.
FORMER_SPLIT = "in the order of the file"
FORMER_SETTINGS = {
    "jax_enable_x64": False,
    "jax_threefry_partitionable": True,
    "jax_default_prng_impl": "threefry2x32",
    "jax_random_seed_offset": 0,
    "jax_default_matmul_precision": None,
    "jax_disable_jit": False,
}
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
      >>> scoped({"data": "ab", "jax_enable_x64": False}, "synthetic", "")
      {'data synthetic': 'ab', 'jax_enable_x64': False}
    """
    names = {name: f"{name} {data}" for name in (DATA, SPLIT)}
    names[PLUGIN] = f"{PLUGIN} {plugin}"
    known = completed(inputs, data)
    return {names.get(name, name): value for name, value in known.items()}


def completed(inputs: Inputs, data: str) -> dict[str, Any]:
    """Returns inputs with what older results do not say, and held for them.

    A result of format 1 counts as computed with JAX's own settings.

    Args:
      inputs: of a run; empty if nothing is known.
      data: `data.name` of its configuration.

    Example:
      >>> completed({"data": "ab", "jax_enable_x64": False}, "mine.npz")
      {'data': 'ab', 'jax_enable_x64': False, 'split': 'in the order of the file'}
    """
    if DATA not in inputs:
        return dict(inputs)
    found = dict(inputs)
    if data not in DATA_SETS:
        found.setdefault(SPLIT, FORMER_SPLIT)
    return found if "jax_enable_x64" in found else FORMER_SETTINGS | found


def acceptable(name: str) -> bool:
    """Whether what was begun with another value of an input can go on.

    Arrays of another precision are those of another program.
    """
    return name != "jax_enable_x64"


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
    return f"{name} {value}" if _is_split(name) else f"{name}={value}"


def is_content(name: str) -> bool:
    """Whether an input is the SHA-256 of a content, and no setting."""
    return name.partition(" ")[0] in (DATA, PLUGIN)


def is_scoped(name: str) -> bool:
    """Whether an input belongs to one data set or plugin, and is no setting."""
    return is_content(name) or _is_split(name)


def _is_split(name: str) -> bool:
    return name.partition(" ")[0] == SPLIT


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
    if _is_split(name):
        return "use the version of dropout_jax that split them so"
    variable = name.upper()
    if old in (None, ""):
        given = f" ({os.environ[variable]!r})" if variable in os.environ else ""
        return f"unset {variable}{given}"
    return f"set {variable}={old}"
