# SPDX-License-Identifier: Apache-2.0
"""The registry: every transform by name, with all that a layer or a test needs.

A transform of your own becomes a choice of every model, config and test here by one
call of `register`.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax

from dropout_jax.transforms.moments import Moments


class Learned(NamedTuple):
    """A parameter that training learns: one value per feature, or per weight.

    Attributes:
      name: name of the parameter.
      initial: value it starts from.
    """

    name: str
    initial: float


class Example(NamedTuple):
    """One setting at which the tests check a transform against its moments.

    Attributes:
      parameters: the rate, or one value per learned parameter.
      options: keyword arguments for `apply` and `moments` alike.
    """

    parameters: tuple[float, ...]
    options: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Transform:
    """What the rest of the package knows of a transform.

    Attributes:
      name: name in the registry.
      apply: `apply(key, x, *parameters, deterministic=, **options)`. The parameters
        are `(rate,)` (or another `strength`) where nothing is learned, else one value
        per entry of `learned`.
      moments: `moments(x, *parameters, **options)` -> Moments.
      layer: whether it maps any x to its own shape, given no more than parameters
        that broadcast to x, and takes `shared_axes`: what the `Noise` layer can use.
        The others need arrays among their options, such as a kernel.
      strength: what the parameter is where nothing is learned: "rate" or "std".
      learned: the learned parameters, in the order of `apply`.
      kl: None, or `kl(*parameters, **options)` -> KL of one factor with these
        parameters, elementwise, >= 0, with options of its own (`kernel` for weights).
        `kl_per_example` sums it over the factors of units; that of weights is summed
        over the kernel.
      preserves: what stays on average, and so what `deterministic=True` returns:
        "mean" (E[y] = x; x itself), "population" (mean 0 and variance 1 over x of
        mean 0 and variance 1; x itself), or "none" (E[y]).
      summary: one line for tables and help.
      reference: where it comes from.
      examples: settings at which the tests check the moments.
    """

    name: str
    apply: Callable[..., jax.Array]
    moments: Callable[..., Moments]
    layer: bool = True
    strength: str = "rate"
    learned: tuple[Learned, ...] = ()
    kl: Callable[..., jax.Array] | None = None
    preserves: str = "mean"
    summary: str = ""
    reference: str = ""
    examples: tuple[Example, ...] = field(default=())


_TRANSFORMS: dict[str, Transform] = {}


def register(transform: Transform) -> Transform:
    """Adds a transform to the registry and returns it.

    Raises:
      ValueError: if the name is taken.

    Example:
      >>> register(get("dropout"))
      Traceback (most recent call last):
      ValueError: transform 'dropout' is registered already; choose another name
    """
    if transform.name in _TRANSFORMS:
        raise ValueError(
            f"transform {transform.name!r} is registered already; choose another name"
        )
    _TRANSFORMS[transform.name] = transform
    return transform


def get(name: str) -> Transform:
    """Returns the transform of that name.

    Raises:
      ValueError: if there is none; the message names the nearest one.

    Example:
      >>> get("dropuot")
      Traceback (most recent call last):
      ValueError: no transform 'dropuot'; did you mean 'dropout'?
    """
    if name in _TRANSFORMS:
        return _TRANSFORMS[name]
    near = difflib.get_close_matches(name, _TRANSFORMS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}"
    raise ValueError(f"no transform {name!r}; {hint}")


def names() -> tuple[str, ...]:
    """Returns the names of all transforms, in order of registration.

    Example:
      >>> names()[0]
      'dropout'
    """
    return tuple(_TRANSFORMS)
