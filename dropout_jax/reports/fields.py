# SPDX-License-Identifier: Apache-2.0
"""Where flat configurations differ."""

from collections.abc import Sequence
from typing import Any


def differing_fields(configs: Sequence[dict[str, Any]]) -> list[str]:
    """Names whose values are not the same in all flat configurations."""
    names = dict.fromkeys(name for config in configs for name in config)
    absent = object()
    return [
        name
        for name in names
        if any(
            config.get(name, absent) != configs[0].get(name, absent)
            for config in configs
        )
    ]
