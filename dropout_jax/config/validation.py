# SPDX-License-Identifier: Apache-2.0
"""Is this configuration one that a run can mean? Asked before JAX is imported."""

import importlib.util
import itertools
import keyword
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.alike import hint
from dropout_jax.config.errors import UserError, seen_from
from dropout_jax.config.field import Values, WithoutEffect, increasing, refuse, show
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.config.nearest import nearest
from dropout_jax.config.noise_rules import check_noise
from dropout_jax.config.places import NOTHING, missing
from dropout_jax.config.schema import BY_PATH, DATA_SETS, FIELDS, GROUPS
from dropout_jax.config.steps import check_steps, known_images


def validate(config: ConfigDict | Mapping) -> None:
    """Checks every field, then how the fields go together.

    A field that would have no effect is refused, not ignored: a knob that does
    nothing is how wrong tables get published.

    Args:
      config: a configuration; nested mappings will do.

    Raises:
      UserError: naming the first problem: field, value, what is allowed, the fix.

    Example:
      >>> from dropout_jax.config.schema import defaults
      >>> validate(defaults())
    """
    values = check_fields(config)
    _check_places(values)
    _check_effects(values)
    _check_model(values)
    check_noise(values)
    _check_schedule(values)
    if (images := known_images(values)) is not None:
        check_steps(values, images)


def check_fields(config: ConfigDict | Mapping) -> Values:
    """Checks names, types and ranges, field by field.

    Args:
      config: a configuration; nested mappings will do.

    Returns:
      Every field's value in canonical form, by dotted path.

    Raises:
      UserError: a field is unknown, missing, or has a value it cannot have.
    """
    given = dict(_leaves(config))
    for path in given:
        if path not in BY_PATH:
            raise unknown(path)
    for path in BY_PATH:
        if path not in given:
            raise UserError(
                f"config.{path} is missing: start from dropout_jax.config.defaults(), "
                "which sets every field"
            )
    return {field.path: field.check(given[field.path]) for field in FIELDS}


def unknown(path: str, *value: Any) -> UserError:
    """The complaint about a field that does not exist, with the nearest that does."""
    if path in GROUPS:
        given = "".join(f"={show(v)}" for v in value)
        fields = ", ".join(p for p in BY_PATH if p.startswith(path + "."))
        return UserError(f"config.{path}{given}: is a group, not a field: set {fields}")
    parent = path.rpartition(".")[0]
    if parent in BY_PATH:
        return UserError(f"config.{path} does not exist: config.{parent} has no parts")
    return UserError(
        f"config.{path} does not exist: the nearest field is config.{nearest(path)} "
        "(--help lists all)"
    )


def _leaves(config: ConfigDict | Mapping) -> Iterator[tuple[str, Any]]:
    # to_dict resolves references and is many times faster than attribute access.
    plain = config.to_dict() if isinstance(config, ConfigDict) else config
    for name, value in plain.items():
        if isinstance(value, Mapping):
            if name not in GROUPS:
                raise BY_PATH[name].error(value) if name in BY_PATH else unknown(name)
            yield from ((f"{name}.{inner}", leaf) for inner, leaf in value.items())
        elif name in GROUPS:
            raise unknown(name, value)
        else:
            yield str(name), value


def _check_places(values: Values) -> None:
    """Files and directories that the configuration names are there."""
    name, plugin = values["data.name"], values["plugin"]
    if name not in DATA_SETS and (why := missing(name)):
        near = hint(name, DATA_SETS) or hint_of_path(name, "*.npz")
        refuse(
            values,
            "data.name",
            "must be fashion_mnist, synthetic, or the path of an .npz file or of a "
            f"directory of IDX files, and {why}{seen_from(name)}"
            f"{near if why == NOTHING else ''}",
        )
    source = values["data.source_dir"]
    # os.path answers False, not with an exception, to names no file can have.
    if source and not os.path.isdir(source):
        why = missing(source) or "it is a file"
        refuse(
            values,
            "data.source_dir",
            f"must be a directory, or empty; {why}{seen_from(source)}",
        )
    if plugin.endswith(".py") or "/" in plugin:
        if not os.path.isfile(plugin):
            why = missing(plugin) or "it is no file"
            refuse(
                values,
                "plugin",
                f"there is no such Python file; {why}{seen_from(plugin)}",
            )
    elif plugin:
        parts = plugin.split(".")
        if not all(
            part.isidentifier() and not keyword.iskeyword(part) for part in parts
        ):
            refuse(values, "plugin", "must be a Python file or the name of a module")
        # Looked for only: nothing is imported to find the first part of a name.
        if parts[0] not in sys.modules and importlib.util.find_spec(parts[0]) is None:
            refuse(values, "plugin", f"there is no module {parts[0]} on Python's path")


def _check_effects(values: Values) -> None:
    """Names that need a plugin have one, and no changed field is without effect."""
    for field in FIELDS:
        value = values[field.path]
        if field.extensible and value not in field.choices and not values["plugin"]:
            raise field.error(value)
        if field.only_with is None or value == field.check(field.default):
            continue
        other, needed = field.only_with
        # What a plugin's own model or noise reads is not known here.
        known = values[other] in BY_PATH[other].choices or not BY_PATH[other].extensible
        if values[other] in needed or not known:
            continue
        raise WithoutEffect(
            values,
            field.path,
            f"has no effect with config.{other}={values[other]}: leave it at "
            f"{show(field.default)}, or choose config.{other}={' or '.join(needed)}",
        )


def _check_model(values: Values) -> None:
    name = values["model.name"]
    if values["model.kernel_size"] % 2 == 0:
        refuse(values, "model.kernel_size", "must be odd: 1, 3, 5 or 7")
    if name == "cnn" and not values["model.channels"]:
        refuse(values, "model.channels", "a cnn needs at least one block, e.g. (32,)")
    widths = values["model.widths"]
    if values["model.residual"] and not any(
        a == b for a, b in itertools.pairwise(widths)
    ):
        raise WithoutEffect(
            values,
            "model.residual",
            f"has no effect with config.model.widths={show(widths)}: two neighbouring "
            "layers must have the same width, e.g. (256, 256)",
        )
    if name == "rnn" and not values["model.widths"]:
        refuse(values, "model.widths", "an rnn needs at least one layer, e.g. (128,)")


def _check_schedule(values: Values) -> None:
    epochs, warmup = values["train.epochs"], values["optimizer.warmup_epochs"]
    if warmup >= epochs:
        refuse(
            values,
            "optimizer.warmup_epochs",
            f"must be below config.train.epochs={epochs}",
        )
    if values["train.validations"] > epochs:
        refuse(
            values,
            "train.validations",
            f"must be at most config.train.epochs={epochs}; 0: after every epoch",
        )
    devices = values["train.devices"]
    if values["train.batch_size"] % devices:
        refuse(
            values,
            "train.batch_size",
            f"must be a multiple of config.train.devices={devices}, which share it",
        )
    stepped = values["optimizer.schedule"] == "step"
    if stepped and not increasing(values["optimizer.step_epochs"], warmup, epochs):
        refuse(
            values,
            "optimizer.step_epochs",
            "with config.optimizer.schedule=step must be one or more increasing "
            f"epochs after the warm-up ({warmup:g}) and before the end ({epochs})",
        )
