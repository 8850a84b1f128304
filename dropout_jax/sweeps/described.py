# SPDX-License-Identifier: Apache-2.0
"""What a config file says of a study: its settings, and how to report them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dropout_jax import stored
from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import call, load_module, split
from dropout_jax.slow import told_if_slow
from dropout_jax.sweeps.chosen import chosen
from dropout_jax.sweeps.trials import ARM, Trial, across_seeds, plan

_LOG = logging.getLogger(__name__)
SEEDS = 3


def name_of(config_file: str) -> str:
    """Returns the name of the study that a config file describes.

    Args:
      config_file: as `--config` names it, "file.py" or "file.py:text".

    Example:
      >>> name_of("configs/sweeps/rates.py:cnn")
      'rates_cnn'
    """
    file, text = split(config_file)
    return Path(file).stem + (f"_{text}" if text else "")


def planned(
    config_file: str, base: Any, seeds: int, arms: Sequence[str] = ()
) -> list[Trial]:
    """Returns the trials of the study that a config file describes.

    The file has `get_config()` and `sweep()`, which yields a dict for each setting: its
    `arm` and the fields in which it differs. With "file.py:text" both are called with
    "text". Settings that name no seed are run with every seed.

    Args:
      config_file: as `--config` names it.
      base: what `get_config` returned, flags on top.
      seeds: number of seeds.
      arms: only these; all when empty.

    Raises:
      UserError: there is no `sweep`, no such arm, or a trial is wrong.
    """
    settings = call(
        config_file,
        "sweep",
        "it must yield a dict for each setting, with its arm and the fields in which "
        "it differs (docs/sweeps.md)",
    )
    wanted = chosen("arms", arms, dict.fromkeys(str(s.get(ARM)) for s in settings))
    settings = [s for s in settings if not arms or s.get(ARM) in wanted]
    with told_if_slow(_LOG.info, "checking every trial"):
        return plan(name_of(config_file), base, across_seeds(settings, seeds))


def reporting(config_file: str) -> dict[str, Any]:
    """Returns what the file says on how to report: all of it may be left out.

    `TITLE` heads the page, `BASELINE` is the arm to compare with (by default the
    first), `NOTES` are paragraphs, `PUBLISHED` others' numbers by arm, as text,
    `SEARCH_BUDGET` the candidates tried before, by arm. What depends on the text of
    "file.py:text" is a function of it instead, its name in lower case.

    Args:
      config_file: as `--config` names it.

    Raises:
      UserError: something else than that.
    """
    module = load_module(split(config_file)[0])
    functions = [  # its own: what it imports is not meant
        value
        for value in vars(module).values()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    found = {}
    for name in ("title", "baseline", "notes", "published", "search_budget"):
        if hasattr(module, name.upper()):
            found[name] = getattr(module, name.upper())
        elif getattr(module, name, None) in functions:
            found[name] = call(config_file, name, "it says how to report")
    check_reporting(config_file, found)
    return found


def check_reporting(place: object, told: Mapping[str, Any]) -> None:
    """Raises UserError unless it is what `reporting` returns, or that and a `command`.

    Args:
      place: where it stands, for the message.
      told: names and values, as Python or JSON has them.
    """
    for name, value in told.items():
        if name not in _TOLD or not _TOLD[name](value):
            raise UserError(
                f"{place}: {name}={value!r:.100} says nothing on how to report: "
                "expected a title, a baseline and a command (text), notes (a list of "
                "texts), published (text by arm) or search_budget (a whole number by "
                "arm)"
            )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _by_arm(kind: type) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            stored.is_name(arm) and type(found) is kind for arm, found in value.items()
        )

    return fits


_TOLD: dict[str, Callable[[Any], bool]] = {
    "title": _is_text,
    "command": _is_text,
    "baseline": stored.is_name,
    "notes": lambda v: isinstance(v, list | tuple) and all(map(_is_text, v)),
    "published": _by_arm(str),
    "search_budget": _by_arm(int),
}
