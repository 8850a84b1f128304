# SPDX-License-Identifier: Apache-2.0
"""What a search looks through: for each arm, its fields and their distributions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from dropout_jax import stored
from dropout_jax.config import validate
from dropout_jax.config.errors import UserError
from dropout_jax.config.field import show
from dropout_jax.config.flat import flat
from dropout_jax.config.loading import override
from dropout_jax.config.schema import BY_PATH
from dropout_jax.config.validation import unknown
from dropout_jax.sweeps.distributions import Choice, Distribution, Range

Parameters = dict[str, float | int]  # a sampler's numbers, by name

# What belongs to all arms of a search alike.
_SHARED = {
    "seed": "a seed is never chosen: all trials of a search have that of get_config()",
    "train.epochs": "all trials of a search are equally long; set it in get_config()",
    "train.validations": "all trials of a search meet the same rungs; set it in "
    "get_config()",
}


@dataclasses.dataclass(frozen=True)
class Arm:
    """A method, and where its settings are looked for.

    Attributes:
      name: of the arm.
      fields: by dotted path a value, a distribution, or for a field of many entries a
        tuple of either, whose distributions are searched jointly.
    """

    name: str
    fields: Mapping[str, Any]

    @property
    def searched(self) -> dict[str, Distribution]:
        """The distributions by the names of their parameters: a path, or path[i].

        Example:
          >>> from dropout_jax.sweeps.distributions import uniform
          >>> rates = (uniform(0, 0.3), 0.5)
          >>> list(Arm("dropout", {"noise.rates": rates}).searched)
          ['noise.rates[0]']
        """
        named = (item for path in self.fields for item in self._parts(path))
        return {name: part for name, part in named if isinstance(part, Range | Choice)}

    def _parts(self, path: str) -> Iterator[tuple[str, Any]]:
        value = self.fields[path]
        if _many(value):
            yield from ((f"{path}[{i}]", entry) for i, entry in enumerate(value))
        else:
            yield path, value

    def setting(self, parameters: Parameters) -> dict[str, Any]:
        """Returns the override dict that a sampler's numbers stand for.

        Example:
          >>> from dropout_jax.sweeps.distributions import choice
          >>> Arm("wide", {"model.widths": choice((8,), (16,))}).setting(
          ...     {"model.widths": 1}
          ... )
          {'model.widths': (16,)}
        """
        return self._filled(
            {
                name: found.from_parameter(parameters[name])  # pyright: ignore
                for name, found in self.searched.items()
            }
        )

    def _filled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the fields with a value in the place of each distribution."""
        setting: dict[str, Any] = {}
        for path, given in self.fields.items():
            parts = [values.get(name, part) for name, part in self._parts(path)]
            setting[path] = tuple(parts) if _many(given) else parts[0]
        return setting

    def parameters(self, config: Mapping[str, Any]) -> Parameters:
        """Returns a sampler's numbers for a trial's configuration.

        Args:
          config: nested, as `Trial.values` has it.
        """
        values = flat(config)
        found: Parameters = {}
        for name, distribution in self.searched.items():
            path, bracket, place = name.partition("[")
            value = values[path][int(place[:-1])] if bracket else values[path]
            found[name] = distribution.to_parameter(value)
        return found

    @property
    def size(self) -> float:
        """Number of different settings; infinite where a range is searched."""
        return math.prod(
            len(found.options) if isinstance(found, Choice) else math.inf
            for found in self.searched.values()
        )

    def probes(self) -> Iterator[dict[str, Any]]:
        """Yields settings at the ends: each end alone, and all the far ends at once."""
        ends = {name: found.probes() for name, found in self.searched.items()}
        near = {name: found[0] for name, found in ends.items()}
        yield self._filled(near)
        yield self._filled({name: found[-1] for name, found in ends.items()})
        for name, found in ends.items():
            yield from (self._filled({**near, name: end}) for end in found[1:])


def arms_of(space: Any, base: Any) -> tuple[Arm, ...]:
    """Returns the arms that a config file's `space()` returned, all of them checked.

    Args:
      space: for each arm's name a mapping from dotted paths to values, distributions,
        or tuples of them.
      base: configuration that all trials start from.

    Raises:
      UserError: a field is unknown or not an arm's to set, or an end of a distribution
        makes no valid configuration. The message names arm and field.

    Example:
      >>> from dropout_jax.config import defaults
      >>> from dropout_jax.sweeps.distributions import log_uniform
      >>> plain = {"optimizer.learning_rate": log_uniform(1e-4, 1e-2)}
      >>> [arm.name for arm in arms_of({"none": plain}, defaults())]
      ['none']
    """
    if not isinstance(space, Mapping) or not space:
        raise UserError(
            "space() must return a dict with an entry for each arm: its name, and a "
            f"dict of its fields; it returned {show(space)}"
        )
    for name in space:
        if not stored.is_name(name):
            raise UserError(
                f"space(): {name!r:.80} is no name of an arm; give 1 to "
                f"{stored.MOST_LETTERS} characters that can be printed"
            )
    return tuple(_checked(name, fields, base) for name, fields in space.items())


def _checked(name: str, fields: Any, base: Any) -> Arm:
    try:
        if not name or not isinstance(fields, Mapping):
            raise UserError(f"must be a dict of fields, not {show(fields)}")
        arm = Arm(name, dict(fields))
        for path in fields:
            _check_path(path)
        if not arm.searched:
            raise UserError("has no distribution: there is nothing to search")
        for parameter, found in arm.searched.items():
            field = BY_PATH[parameter.partition("[")[0]]
            if isinstance(found, Range) and field.of is not float:
                kind = field.of.__name__
                raise UserError(
                    f"config.{field.path} is of type {kind}: list its values with "
                    f"choice(...) instead of {found.word}"
                )
        for setting in arm.probes():
            validate(override(base, setting))
    except UserError as error:
        raise UserError(f"space(), arm {name!r}: {error}") from error
    return arm


def _check_path(path: str) -> None:
    if path in _SHARED:
        raise UserError(f"config.{path} cannot be an arm's: {_SHARED[path]}")
    if path not in BY_PATH:
        raise unknown(path)
    if not BY_PATH[path].identity:
        raise UserError(f"config.{path} changes no result: there is nothing to search")


def _many(value: Any) -> bool:
    return isinstance(value, tuple | list)
