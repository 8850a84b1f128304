# SPDX-License-Identifier: Apache-2.0
"""A configuration as JSON and back, and the id by which a trial is known."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.errors import UserError
from dropout_jax.config.field import show
from dropout_jax.config.flat import flat
from dropout_jax.config.schema import BY_PATH, defaults
from dropout_jax.config.validation import check_fields, unknown

_DEFAULTS = check_fields(defaults())


def canonical(config: ConfigDict | Mapping) -> dict[str, Any]:
    """The configuration as JSON knows it: nested dicts in the schema's order.

    Equal settings give equal results: 1 and 1.0 for a number, a list and a tuple.

    Args:
      config: a configuration whose fields are valid one by one.

    Returns:
      A dict of dicts of numbers, strings, booleans and lists.

    Raises:
      UserError: an unknown, missing or impossible field.
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
      UserError: a field that does not exist any more.

    Example:
      >>> stored_id(canonical(defaults())) == config_id(defaults())
      True
    """
    values = flat(stored)
    for path in values.keys() - BY_PATH.keys():
        raise unknown(path, values[path])
    return _digest({**_DEFAULTS, **values})


def _digest(values: Mapping[str, Any]) -> str:
    kept = {path: values[path] for path, field in BY_PATH.items() if field.identity}
    text = json.dumps(kept, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def from_json(given: Mapping) -> ConfigDict:
    """Rebuilds the configuration that `canonical` wrote.

    JSON has no tuples; the schema knows where they belong. The result need not be
    one that `validate` accepts here: a path in it may belong to another machine.

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
    config = defaults()
    config.update_from_flattened_dict(check_fields(given))
    return config
