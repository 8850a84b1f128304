# SPDX-License-Identifier: Apache-2.0
"""What a user probably meant by a name that does not exist: one rule for all names."""

import difflib
from collections.abc import Iterable

LEAST = 0.6  # likeness below which a name is no help


def likeness(word: str, name: str) -> float:
    """Returns how much a word is like a name, from 0 to 1 (equal but for case).

    Initials count as equal (lr, bs, wd are everybody's abbreviations), the beginning of
    a name as nearly so, another part of it as almost.

    Example:
      >>> likeness("LR", "learning_rate"), likeness("gauss", "gaussian_dropout")
      (1.0, 0.9)
    """
    word, name = word.lower(), name.lower()
    if word == "".join(part[:1] for part in name.split("_")) or word == name:
        return 1.0
    part = 0.0
    if len(word) >= 3 and name.startswith(word):
        part = 0.9
    elif len(word) >= 4 and word in name:
        part = 0.8
    return max(difflib.SequenceMatcher(None, word, name).ratio(), part)


def closest(word: str, known: Iterable[str], least: float = LEAST) -> str | None:
    """Returns the name most like a word, the first of equals; None below `least`.

    Example:
      >>> closest("droput", ["none", "dropout"]), closest("7", ["none", "dropout"])
      ('dropout', None)
    """
    found = max(known, key=lambda name: likeness(word, name), default=None)
    return found if found and likeness(word, found) >= least else None


def hint(word: str, known: Iterable[str]) -> str:
    """Returns the end of a message about a word that is no known name; may be empty.

    Example:
      >>> hint("adam", ["adamw", "sgd"]), hint("zzz", ["adamw", "sgd"])
      ('; did you mean adamw?', '')
    """
    found = closest(word, known)
    return f"; did you mean {found}?" if found else ""
