# SPDX-License-Identifier: Apache-2.0
"""Nested dicts as flat tables of dotted names."""

from collections.abc import Mapping
from typing import Any


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns a nested configuration as dotted names.

    Example:
      >>> flat({"seed": 0, "model": {"name": "mlp"}})
      {'seed': 0, 'model.name': 'mlp'}
    """
    result: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[prefix + name] = value
    return result
