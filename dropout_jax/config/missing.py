# SPDX-License-Identifier: Apache-2.0
"""A package that is not installed, and the command that installs it here."""

import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

from dropout_jax.config.errors import UserError

ROOT = Path(__file__).parents[2]  # of a checkout
_OTHER_NAMES = {"sklearn": "scikit-learn"}  # modules called unlike their package


def is_required(module: str) -> bool:
    """Whether a module is of a package that the project asks for."""
    return _requirement(module) is not None


def missing(module: str, what: str) -> UserError:
    """Returns the complaint that a package is not there.

    Args:
      module: as it is imported, such as "optuna" or "orbax.checkpoint".
      what: what needs it, as the beginning of a sentence.
    """
    name = module.partition(".")[0]
    cure = install(*(_requirement(name) or (name, "")))
    return UserError(f"{what} needs {name}, which is not installed: {cure}")


def install(requirement: str, extra: str = "") -> str:
    """Returns the command that installs what a part of the project requires.

    Args:
      requirement: as pip takes it.
      extra: the part, a name of the project's optional dependencies; "" for its core.
    """
    environment = (ROOT / ".venv").resolve()
    if (ROOT / "Makefile").is_file() and Path(sys.prefix).resolve() == environment:
        # The locked versions, into the environment that `make` has made.
        place = [] if Path.cwd() == ROOT else ["-C", str(ROOT)]
        return shlex.join(["make", *place, f"setup-{extra}" if extra else "setup"])
    return shlex.join([sys.executable, "-m", "pip", "install", requirement])


def _requirement(module: str) -> tuple[str, str] | None:
    """Returns what the project requires of a module's package, and for which extra."""
    module = module.partition(".")[0]
    wanted = _OTHER_NAMES.get(module, module).lower().replace("_", "-")
    try:
        required = metadata.requires("dropout_jax") or []
    except metadata.PackageNotFoundError:  # a directory on Python's path
        return None
    for text in required:
        requirement, _, marker = (part.strip() for part in text.partition(";"))
        name = re.match(r"[\w.-]+", requirement)
        plain = name[0].lower().replace("_", "-") if name else ""
        if plain == wanted or plain.startswith(f"{wanted}-"):
            extra = re.search(r"extra == ['\"](.+?)['\"]", marker)
            return requirement, extra[1] if extra else ""
    return None
