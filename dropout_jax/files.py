# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole, and JSON that is JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path, text: str) -> None:
    """Writes `text` so that a reader sees the old file or the whole new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def to_json(value: Any) -> str:
    """Returns `value` as indented JSON; NaN is refused, it is not JSON."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
