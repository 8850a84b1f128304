# SPDX-License-Identifier: Apache-2.0
"""Trials of a ledger once more, here: does each give the same bits?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dropout_jax.config import defaults
from dropout_jax.config.flat import flat
from dropout_jax.config.loading import override
from dropout_jax.terminal import Console
from dropout_jax.training import TerminalProgress, run
from dropout_jax.training.outcome import TIMES

Line = Mapping[str, Any]  # of a ledger


def spread(lines: Sequence[Line], count: int) -> list[Line]:
    """Returns `count` of the lines, spread evenly from the first to the last.

    Example:
      >>> [line["seed"] for line in spread([{"seed": seed} for seed in range(9)], 3)]
      [0, 4, 8]
    """
    last = len(lines) - 1
    if count >= len(lines):
        return list(lines)
    return [lines[round(i * last / max(1, count - 1))] for i in range(count)]


def repeat(line: Line) -> dict[str, tuple[Any, Any]]:
    """Trains the trial of a line again, in a directory that is removed afterwards.

    It looks at the test set if the first run did.

    Returns:
      What differs of its result: digests of parameters and metrics, and every number
      but the times; by name, with both values.

    Raises:
      UserError: the trial cannot run here.
      Interrupted: Ctrl-C or SIGTERM.

    Example:
      >>> differing = repeat(line)  # doctest: +SKIP
    """
    config = override(defaults(), flat(line["config"]))
    quiet = TerminalProgress(console=Console(quiet=True))
    with tempfile.TemporaryDirectory() as place:
        tested = "test" in line["result"]
        found = run(config, Path(place) / "run", test=tested, progress=quiet).values
    was = {**line["result"], "sets": line["sets"]}
    return dict(_differences(was, found))


def _differences(
    was: Mapping[str, Any], now: Mapping[str, Any], place: str = ""
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yields the entries of `was` that `now` has otherwise, or not at all."""
    for name, value in was.items():
        if name in (*TIMES, "reliability"):  # rounded in a ledger
            continue
        other = now.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from _differences(value, other, f"{place}{name}.")
        elif value != other:
            yield place + name, (value, other)
