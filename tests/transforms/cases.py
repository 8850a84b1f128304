# SPDX-License-Identifier: Apache-2.0
"""What the tests of the registry share: its settings, and inputs that fit them."""

import inspect

import pytest

from dropout_jax.transforms import get, names

# One setting of each where a setting costs a compilation; all of them elsewhere.
ARGUMENTS = ("transform", "example")


def settings(chosen=None, examples=slice(None)):
    """Returns a parameter (transform, example) per setting of the chosen transforms."""
    return [
        pytest.param(get(name), example, id=f"{name}-{index}")
        for name in chosen or names()
        for index, example in enumerate(get(name).examples[examples])
    ]


def layers():
    """Returns the names of the transforms that map any x to its own shape."""
    return [name for name in names() if get(name).layer]


def sharing():
    """Returns the names of those that can share a draw: the layers, and zoneout."""
    return [
        n
        for n in names()
        if "shared_axes" in inspect.signature(get(n).apply).parameters
    ]


def distinct(chosen=None):
    """Returns the first setting of each, and all that take another path to the noise.

    How a layer's weights are sampled, or a mask rounded, decides over dtypes, keys and
    compilation as much as the transform does.
    """
    found = settings(chosen, slice(1))
    for name in chosen or names():
        for index, example in list(enumerate(get(name).examples))[1:]:
            if {"sampling", "hard"} & set(example.options):
                found.append(pytest.param(get(name), example, id=f"{name}-{index}"))
    return found


every = pytest.mark.parametrize(ARGUMENTS, distinct())
every_sharing = pytest.mark.parametrize(ARGUMENTS, settings(sharing(), slice(1)))
all_settings = pytest.mark.parametrize(ARGUMENTS, settings())


def fit(transform, x):
    """Returns `x` [batch, time, 3] with the axes that the transform needs."""
    return x[:, None] if transform.name == "variational_conv" else x


def options(example, x):
    """Returns the example's options, with arrays that must look like `x`."""
    found = dict(example.options)
    if "previous" in found:
        found["previous"] = -0.5 * x
    return found


def apply(transform, example, key, x, **further):
    """Applies the transform with the example's parameters and options."""
    given = {**options(example, x), **further}
    return transform.apply(key, x, *example.parameters, **given)


def moments(transform, example, x, **further):
    """Returns the analytic moments for the same arguments."""
    given = {**options(example, x), **further}
    return transform.moments(x, *example.parameters, **given)
