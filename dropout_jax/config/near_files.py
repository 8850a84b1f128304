# SPDX-License-Identifier: Apache-2.0
"""The file or directory that a user probably meant by a path that leads nowhere."""

from collections.abc import Iterable
from pathlib import Path

from dropout_jax.config.alike import LEAST, likeness

_CONFIGS = Path(__file__).parents[2] / "configs"  # of a checkout


def nearest_path(wanted: Path, there: Iterable[Path]) -> Path | None:
    """Returns the path of some that is most like another; None where there is none.

    The name counts without its suffix, and only between equals the directories.
    """

    def alike(path: Path) -> tuple[float, float]:
        return likeness(wanted.stem, path.stem), likeness(str(wanted), str(path))

    return max(there, key=alike, default=None)


def nearest_config(wanted: Path) -> Path | None:
    """Returns the config file most like one that does not exist.

    It lies beside it, in `configs` of the working directory, or in that of a checkout.
    """
    beside = [wanted.parent] if wanted.parent.is_dir() else []
    files = [path for place in beside for path in sorted(place.glob("*.py"))]
    shared = [p for c in (Path("configs"), _CONFIGS) for p in sorted(c.rglob("*.py"))]
    found = nearest_path(wanted, [*shared, *files])
    if found is not None and likeness(wanted.stem, found.stem) >= LEAST:
        return found
    return nearest_path(wanted, files)


def hint_of_path(wanted: str | Path, pattern: str) -> str:
    """Returns the end of a message about a path that is not there; may be empty.

    Args:
      wanted: the path.
      pattern: of what may be meant, beside it: a file's name, or the name of a file in
        a directory, such as "*.jsonl" or "*/study.json".
    """
    wanted = Path(wanted)
    try:
        found = sorted(wanted.parent.glob(pattern))
    except OSError:
        return ""
    if "/" in pattern:
        found = [path.parent for path in found]
    near = nearest_path(wanted, [path for path in found if path != wanted])
    if near is None or likeness(wanted.stem, near.stem) < LEAST:
        return ""
    return f"; did you mean {near}?"
