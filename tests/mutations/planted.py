# SPDX-License-Identifier: Apache-2.0
"""The mistakes that `run.py` plants, one at a time, and the tests that must notice.

They stand in planted/*.toml, one table [[mistake]] each.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple


class Mutation(NamedTuple):
    """One mistake.

    Attributes:
      what: the mistake, in words.
      file: where it is planted.
      old: text that occurs there once.
      new: what stands there instead.
      tests: test files that are run, under tests/.
      public: the code in which the mistake was found, if it was published.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    public: str = ""


def read() -> tuple[Mutation, ...]:
    """Returns all mistakes."""
    tables = sorted((Path(__file__).parent / "planted").glob("*.toml"))
    return tuple(
        Mutation(**{**mistake, "tests": tuple(mistake["tests"])})
        for table in tables
        for mistake in tomllib.loads(table.read_text("utf-8"))["mistake"]
    )


MUTATIONS = read()
