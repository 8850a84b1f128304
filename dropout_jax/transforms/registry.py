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

from dropout_jax.transforms.bernoulli import dropout, dropout_moments
from dropout_jax.transforms.gaussian import gaussian_dropout, gaussian_dropout_moments
from dropout_jax.transforms.kl import kl_gaussian, kl_log_uniform
from dropout_jax.transforms.logit_normal import (
    logit_normal_dropout,
    logit_normal_dropout_moments,
)
from dropout_jax.transforms.moments import Moments
from dropout_jax.transforms.variational import (
    variational_dropout,
    variational_dropout_moments,
)


class Learned(NamedTuple):
    """A parameter that training learns, one value per unit.

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
      apply: `apply(key, x, *parameters, shared_axes=, deterministic=, **options)`.
        The parameters are `(rate,)` where nothing is learned, else one value per
        entry of `learned`, each a scalar or broadcastable to x.
      moments: `moments(x, *parameters, shared_axes=, **options)` -> Moments.
      learned: the learned parameters, in the order of `apply`.
      kl: None, or `kl(*parameters, **options)` -> elementwise KL, >= 0; the caller
        sums it.
      mean_preserving: whether E[y] = x with default options.
      summary: one line for tables and help.
      reference: where it comes from.
      examples: settings at which the tests check the moments.
    """

    name: str
    apply: Callable[..., jax.Array]
    moments: Callable[..., Moments]
    learned: tuple[Learned, ...] = ()
    kl: Callable[..., jax.Array] | None = None
    mean_preserving: bool = True
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


def _kl_logit_normal(mu: jax.Array, log_sigma: jax.Array) -> jax.Array:
    # The sigmoid is a bijection, so the KL of the factors is that of the logits.
    return kl_gaussian(mu, log_sigma, 0.0, 0.0)


register(
    Transform(
        name="dropout",
        apply=dropout,
        moments=dropout_moments,
        summary="each unit is dropped with probability rate, the rest rescaled",
        reference="Srivastava et al. 2014, JMLR 15, section 4",
        examples=(
            Example((0.1,)),
            Example((0.5,)),
            Example((0.8,)),
            Example((0.3,), {"scaling": "test"}),
        ),
    )
)
register(
    Transform(
        name="gaussian_dropout",
        apply=gaussian_dropout,
        moments=gaussian_dropout_moments,
        summary="each unit is multiplied by N(1, rate / (1 - rate))",
        reference="Srivastava et al. 2014, JMLR 15, section 10",
        examples=(Example((0.1,)), Example((0.5,)), Example((0.8,))),
    )
)
register(
    Transform(
        name="variational_dropout",
        apply=variational_dropout,
        moments=variational_dropout_moments,
        learned=(Learned("log_alpha", -3.0),),
        kl=kl_log_uniform,
        summary="each unit is multiplied by N(1, alpha), alpha learned per unit",
        reference="Kingma, Salimans, Welling 2015, NeurIPS, section 3.2",
        examples=(
            Example((-3.0,)),
            Example((0.5,)),
            Example((1.0,), {"max_log_alpha": 0.0}),
        ),
    )
)
register(
    Transform(
        name="logit_normal_dropout",
        apply=logit_normal_dropout,
        moments=logit_normal_dropout_moments,
        learned=(Learned("mu", 2.0), Learned("log_sigma", -1.0)),
        kl=_kl_logit_normal,
        summary="each unit is multiplied by a soft mask sigmoid(N(mu, ...)), learned",
        reference="textbook section 9.4, equation 9.4.14",
        examples=(
            Example((2.0, -1.0)),
            Example((-1.0, 1.5)),
            Example((0.0, 0.0), {"rescale": False}),
        ),
    )
)
