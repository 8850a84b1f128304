# SPDX-License-Identifier: Apache-2.0
"""A configuration as JSON and back, and the id by which a trial is known."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.errors import OtherVersion, UserError
from dropout_jax.config.field import show
from dropout_jax.config.flat import flat
from dropout_jax.config.nearest import nearest
from dropout_jax.config.schema import BY_PATH, defaults
from dropout_jax.config.validation import check_fields

_DEFAULTS = check_fields(defaults())


def canonical(config: ConfigDict | Mapping) -> dict[str, Any]:
    """The configuration as JSON knows it: nested dicts in the schema's order.

    Equal settings give equal results: 1 and 1.0 for a number, a list and a tuple.

    Args:
      config: a configuration whose fields are valid one by one.

    Returns:
      A dict of dicts of numbers, strings, booleans and lists.

    Raises:
      UserError: an impossible field, or (`OtherVersion`) an unknown one.
    """
    result: dict[str, Any] = {}
    for path, value in check_fields(config).items():
        *group, name = path.split(".")
        place = result.setdefault(group[0], {}) if group else result
        place[name] = list(value) if isinstance(value, tuple) else value
    return result


def config_id(config: ConfigDict | Mapping) -> str:
    """The id of a trial: SHA-256 of the canonical JSON, as 64 hex digits.

    Fields that say where a run reads, how often it saves and how many devices it has
    are left out: another machine must find the same trial done.

    Args:
      config: a configuration whose fields are valid one by one.

    Returns:
      64 hex digits.
    """
    return _digest(check_fields(config))


def stored_id(stored: Mapping[str, Any]) -> str:
    """The id of a trial from what `canonical` wrote, perhaps some versions ago.

    A field that it does not know takes its default: a new field leaves old results in
    place. Values are not checked again: ledgers have thousands of lines.

    Args:
      stored: the parsed JSON of a canonical configuration.

    Returns:
      64 hex digits.

    Raises:
      OtherVersion: a field that this version does not have.

    Example:
      >>> stored_id(canonical(defaults())) == config_id(defaults())
      True
    """
    values = flat(stored)
    _refuse_newer(values)
    return _digest({**_DEFAULTS, **values})


def _refuse_newer(values: Mapping[str, Any]) -> None:
    """Raises OtherVersion if a stored configuration has a field that is none here."""
    for path in values.keys() - BY_PATH.keys():
        raise OtherVersion(
            f"config.{path}={show(values[path])} is no field of this version of "
            "dropout_jax: a newer version wrote it (update dropout_jax), or it is a "
            f"mistake for config.{nearest(path)}"
        )


def _digest(values: Mapping[str, Any]) -> str:
    kept = {path: values[path] for path, field in BY_PATH.items() if field.identity}
    text = json.dumps(kept, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def from_json(given: Mapping) -> ConfigDict:
    """Rebuilds the configuration that `canonical` wrote.

    JSON has no tuples; the schema knows where they belong. A field that it does not
    have, because it is newer, takes its default. The result need not be one that
    `validate` accepts here: a path in it may belong to another machine.

    Args:
      given: the parsed content of a config.json.

    Returns:
      A locked ConfigDict equal to the one written.

    Raises:
      UserError: an unknown, missing or impossible field.

    Example:
      >>> from_json(canonical(defaults())) == defaults()
      True
    """
    if not isinstance(given, Mapping):
        raise UserError(f"a configuration must be a JSON object, not {show(given)}")
    values = flat(given)
    _refuse_newer(values)
    if "seed" not in values:  # as old as configurations are
        raise UserError("config.seed is missing: this is no stored configuration")
    config = defaults()
    for path, value in {**_DEFAULTS, **values}.items():
        values[path] = BY_PATH[path].check(value)
    config.update_from_flattened_dict(values)
    return config
