# SPDX-License-Identifier: Apache-2.0
"""Names that a comma-separated flag chooses, whatever commas are in the names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dropout_jax.config.alike import hint
from dropout_jax.config.errors import UserError


def chosen(flag: str, given: Sequence[str], known: Iterable[str]) -> list[str]:
    """Returns which of the known names a flag has, in their order.

    Args:
      flag: its name, for the message.
      given: what stood between its commas. A name with commas in it stands in several
        entries, or in one if it was quoted; of two readings the longer name counts.
      known: the names that there are.

    Raises:
      UserError: an entry belongs to no known name.

    Example:
      >>> chosen("arms", ["none", "10 epochs", "none"], ["none", "none, 10 epochs"])
      ['none', 'none, 10 epochs']
    """
    names = {_parts([name]): name for name in known}
    parts, found = _parts(given), set()
    while parts:
        sizes = range(len(parts), 0, -1)
        size = next((size for size in sizes if parts[:size] in names), None)
        if size is None:
            raise UserError(
                f"--{flag}: {parts[0]!r} is none of {', '.join(names.values())}"
                f"{hint(parts[0], names.values())}"
            )
        found.add(names[parts[:size]])
        parts = parts[size:]
    return [name for name in names.values() if name in found]


def _parts(entries: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.strip() for entry in entries for part in entry.split(","))
