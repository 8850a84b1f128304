# SPDX-License-Identifier: Apache-2.0
"""JSON from the disk, which may be damaged, or written by someone who means harm.

Whatever a file holds, reading it gives the values that are asked for or `Damaged`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dropout_jax.config.causes import of_content, reason, unreadable
from dropout_jax.config.errors import OtherVersion, UserError
from dropout_jax.files import content, to_json

FORMAT = 2  # of the files written here; those of format 1 do not carry a number
SEAL = "sha256"
MOST_LETTERS = 100  # of a name
MOST_NESTED = 50  # nothing here is deeper than 5; readers may use recursion
_HUGE = re.compile(r"\d{300}")  # near the largest float, which an integer may exceed


class Damaged(UserError):
    """A file does not hold what this package writes into it."""


def check_format(place: object, found: Any) -> int:
    """Returns the format of a JSON object that was read from a file.

    Args:
      place: where it stands, for the message.
      found: the object; without a number it is of format 1.

    Raises:
      OtherVersion: a newer version of the package wrote it.
      Damaged: its format is not the number of one.

    Example:
      >>> check_format("a.json", {"seed": 3}), check_format("a.json", {"format": 2})
      (1, 2)
    """
    number = expect(place, found, "format", int, 1)
    if number > FORMAT:
        raise OtherVersion(
            f"{place} was written by a newer version of dropout_jax: format is "
            f"{number}, this version reads formats 1 to {FORMAT}; update dropout_jax"
        )
    if number < 1:
        raise Damaged(f"{place}: format is {number}: expected 1 to {FORMAT}")
    return number


def check_seed(place: object, found: Any) -> None:
    """Raises Damaged for a result whose seed is not that of its configuration.

    Results are paired by the one, and known by the other.

    Args:
      place: where it stands, for the message.
      found: the result, with its `config`; its own `seed` may lack.

    Example:
      >>> check_seed("a.jsonl line 1", {"seed": 3, "config": {"seed": 3}})
    """
    seed = expect(place, found, "seed", int, None)
    of_config = expect(place, found, "config", dict).get("seed")
    if seed is not None and seed != of_config:
        raise Damaged(
            f"{place}: seed is {seed}, and that of its configuration "
            f"{of_config!r:.40}: they must be the same"
        )


def parse(text: str | bytes, place: object) -> Any:
    """Returns the value of a JSON text.

    Args:
      text: the text.
      place: where it stands, for the message.

    Raises:
      Damaged: it is no JSON, or nested beyond all measure.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        value = json.loads(text)
        if "\\u" in text:  # half a character, which cannot be written anywhere
            json.dumps(value, ensure_ascii=False).encode()
        if _HUGE.search(text):
            raise ValueError("a number in it has hundreds of digits")
        if text.count("[") + text.count("{") > MOST_NESTED and _deep(value):
            raise RecursionError
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise Damaged(f"{place} is not JSON ({reason})") from error
    return value


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_NESTED):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [v for values in inner for v in values if isinstance(v, dict | list)]
        if not level:
            return False
    return True


@contextlib.contextmanager
def damage(path: Path) -> Iterator[None]:
    """Turns what the system has against reading there into one line.

    Raises:
      Damaged: instead of an OSError that what lies there may be the cause of.
      Unreadable: instead of any other: it may all be whole.
    """
    try:
        yield
    except OSError as error:
        if of_content(error):
            raise Damaged(f"{path} cannot be read ({reason(error)})") from error
        raise unreadable(path, error) from error


def written(path: Path) -> bytes | None:
    """Returns what a file holds; None where there is none.

    Raises:
      Damaged: it is no file.
      Unreadable: the system does not let it be read, which is no damage.
    """
    with damage(path):
        return content(path)


def read_if_there(path: Path) -> dict[str, Any] | None:
    """Returns the object in a JSON file; None where there is no file.

    Raises:
      Damaged: it holds anything else.
      Unreadable: the system does not let it be read.
    """
    found = written(path)
    return None if found is None else record(found, path)


def read(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file, as `read_if_there`; none is `Damaged`."""
    if (found := read_if_there(path)) is None:
        raise Damaged(f"{path} cannot be read (there is no such file)")
    return found


def sealed(values: dict[str, Any]) -> str:
    """Returns `values` as indented JSON that carries the SHA-256 of its own text."""
    digest = hashlib.sha256(to_json(values).encode()).hexdigest()
    return to_json({**values, SEAL: digest})


def read_sealed(path: Path) -> dict[str, Any]:
    """Returns what `sealed` was given, to the last bit.

    Raises:
      Damaged: a byte of the file has changed, or there is none.
      Unreadable: the system does not let it be read.
    """
    text = written(path)
    if text is None:
        raise Damaged(f"{path} cannot be read (there is no such file)")
    found = record(text, path)
    values = {name: value for name, value in found.items() if name != SEAL}
    try:
        same = sealed(values).encode() == text
    except ValueError:  # an infinite number, which is never written
        same = False
    if not same:
        raise Damaged(f"{path} is not what was written: its {SEAL} is that of another")
    return values


def record(text: str | bytes, place: object) -> dict[str, Any]:
    """Returns the object that a JSON text is; as `parse`."""
    found = parse(text, place)
    if not isinstance(found, dict):
        raise Damaged(f"{place} is not a JSON object")
    return found


def is_name(value: Any) -> bool:
    r"""Whether a value is text that can stand in a line of a terminal or of a page.

    Example:
      >>> is_name("dropout"), is_name(""), is_name("two\nlines"), is_name(3)
      (True, False, False, False)
    """
    return (
        isinstance(value, str)
        and bool(value.strip())
        and value.isprintable()
        and len(value) <= MOST_LETTERS
    )


def whole_lines(content: bytes) -> list[bytes]:
    r"""Returns the lines that end; what a crash left of a last one is not among them.

    Example:
      >>> whole_lines(b'{"a": 1}\n{"a"')
      [b'{"a": 1}']
    """
    return content.split(b"\n")[:-1]


def expect(place: object, found: Any, name: str, kind: Any, default: Any = ...) -> Any:
    """Returns `found[name]`, which must be of a type.

    Args:
      place: where it stands, for the message.
      found: what should be a JSON object.
      name: of the entry.
      kind: its type or types; bool is no number here.
      default: returned when there is no entry, or null; an error when left out.

    Raises:
      Damaged: it is of another type, or missing.

    Example:
      >>> expect("a.json", {"seed": 3}, "seed", int)
      3
    """
    value = found.get(name) if isinstance(found, dict) else None
    if value is None and default is not ...:
        return default
    wrong = isinstance(value, bool) and kind is not bool
    if wrong or not isinstance(value, kind):
        names = getattr(kind, "__name__", "a number")
        raise Damaged(f"{place}: {name} is {value!r:.100}: expected {names}")
    return value
