# SPDX-License-Identifier: Apache-2.0
"""One table of what every transform refuses, each in one line that names the value."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import fit, options
from dropout_jax.transforms import get, names

KEY = jax.random.key(11)
X = jnp.linspace(-2.0, 3.0, 24).reshape(4, 2, 3)
NAN, INF = float("nan"), float("inf")


class Mistake(NamedTuple):
    """One way to call a transform wrongly.

    Attributes:
      error: type of the exception.
      says: pattern of its message; {strength} is the transform's own name for it.
      change: returns the arguments to replace, given the right ones.
      fits: whether the transform can be called so at all.
    """

    error: type[Exception]
    says: str
    change: Callable[[dict], dict]
    fits: Callable = lambda transform: True


def takes(*wanted):
    """Those transforms that have these arguments."""
    return lambda transform: (
        set(wanted) <= set(inspect.signature(transform.apply).parameters)
    )


def strength(value):
    """One parameter replaced by `value`; the table's message names which."""
    return lambda right: {"parameters": (value, *right["parameters"][1:])}


def kernel_like(dtype):
    return lambda right: {"kernel": jnp.asarray(right["kernel"]).astype(dtype)}


def fixed(transform):
    return not transform.learned


def rated(transform):
    return fixed(transform) and transform.strength == "rate"


def layer(transform):
    return transform.layer


MISTAKES = {
    "integers": Mistake(
        TypeError,
        r"x has dtype int32; .*x\.astype",
        lambda right: {"x": right["x"].astype(jnp.int32)},
    ),
    "booleans": Mistake(
        TypeError, "x has dtype bool", lambda right: {"x": right["x"] > 0}
    ),
    "no key": Mistake(
        TypeError,
        "is None; only deterministic=True needs no key",
        lambda right: {"key": None},
    ),
    "a raw key of another length": Mistake(
        TypeError,
        r"is a uint32 array of shape \(3,\)",
        lambda right: {"key": jnp.zeros(3, jnp.uint32)},
    ),
    "many raw keys": Mistake(
        TypeError,
        r"is a uint32 array of shape \(3, 2\)",
        lambda right: {"key": jnp.zeros((3, 2), jnp.uint32)},
    ),
    "numbers for a key": Mistake(
        TypeError,
        r"is a int32 array of shape \(2,\)",
        lambda right: {"key": jnp.zeros(2, jnp.int32)},
    ),
    "many keys": Mistake(
        TypeError,
        r"array of \(3,\) keys; .*vmap",
        lambda right: {"key": jax.random.split(KEY, 3)},
    ),
    "a seed": Mistake(TypeError, "is 0$", lambda right: {"key": 0}),
    "deterministic a number": Mistake(
        TypeError, "must be True or False", lambda right: {"deterministic": 1}
    ),
    "below the range": Mistake(
        ValueError, "{strength} is -0.1; it must be", strength(-0.1), fixed
    ),
    "above the range": Mistake(
        ValueError, "{strength} is 1.1; it must be", strength(1.1), rated
    ),
    "nan": Mistake(ValueError, "{strength} is nan; it must be", strength(NAN)),
    "inf": Mistake(ValueError, "{strength} is inf; it must be", strength(INF)),
    "nan among others": Mistake(
        ValueError,
        "{strength} is nan; it must be",
        strength(np.array([0.5, 0.5, NAN], np.float32)),
    ),
    "nan on the device": Mistake(
        ValueError, "{strength} is nan; it must be", strength(jnp.float32(NAN))
    ),
    "too many values": Mistake(
        ValueError, "must broadcast to the shape of", strength(jnp.full(5, 0.2))
    ),
    "too many axes": Mistake(
        ValueError,
        "must broadcast to the shape of",
        strength(jnp.full((2, 1, 1, 1, 3), 0.2)),
    ),
    "an axis that is not": Mistake(
        ValueError,
        r"shared_axes is \(3,\); x has 3 axes",
        lambda right: {"shared_axes": (3,)},
        takes("shared_axes"),
    ),
    "an axis that is not, from behind": Mistake(
        ValueError,
        r"shared_axes is \(-4,\)",
        lambda right: {"shared_axes": (-4,)},
        takes("shared_axes"),
    ),
    "an axis twice": Mistake(
        ValueError,
        r"shared_axes is \(2, -1\); an axis may be named only once",
        lambda right: {"shared_axes": (2, -1)},
        takes("shared_axes"),
    ),
    "a kernel of integers": Mistake(
        TypeError, "kernel has dtype int32", kernel_like(jnp.int32), takes("kernel")
    ),
    "a kernel of another shape": Mistake(
        ValueError,
        "x has shape .* and kernel",
        lambda right: {"kernel": jnp.ones((7, 7))},
        takes("kernel"),
    ),
    "complex input of a layer": Mistake(
        TypeError,
        "complex64; a noisy layer needs a real dtype",
        lambda right: {"x": right["x"] + 0j},
        takes("kernel"),
    ),
    "an unknown sampling": Mistake(
        ValueError,
        "sampling is 'global'; it must be",
        lambda right: {"sampling": "global"},
        takes("sampling"),
    ),
    "a threshold of nan": Mistake(
        ValueError,
        "threshold is nan",
        lambda right: {"threshold": NAN, "deterministic": True},
        takes("threshold"),
    ),
    "an unknown padding": Mistake(
        ValueError,
        "padding is 'FULL'; it must be",
        lambda right: {"padding": "FULL"},
        takes("padding"),
    ),
    "a stride of nothing": Mistake(
        ValueError,
        r"strides is \(0, 1\); it must be",
        lambda right: {"strides": (0, 1)},
        takes("strides"),
    ),
    "previous of integers": Mistake(
        TypeError,
        "previous has dtype int32",
        lambda right: {"previous": jnp.ones(X.shape, jnp.int32)},
        takes("previous"),
    ),
    "previous of another shape": Mistake(
        ValueError,
        r"previous has shape \(2, 3\); it must have that of x",
        lambda right: {"previous": jnp.ones((2, 3))},
        takes("previous"),
    ),
    "a block larger than the map": Mistake(
        ValueError,
        r"block_size is 3; it must be in \[1, 2\]",
        lambda right: {"block_size": 3},
        takes("block_size"),
    ),
    "a block of nothing": Mistake(
        ValueError,
        "block_size is 0; it must be in",
        lambda right: {"block_size": 0},
        takes("block_size"),
    ),
    "half a block": Mistake(
        TypeError,
        r"block_size is 1\.5; it must be a whole number",
        lambda right: {"block_size": 1.5},
        takes("block_size"),
    ),
    "an unknown seed rate": Mistake(
        ValueError,
        "seed_rate is 'near'; it must be",
        lambda right: {"seed_rate": "near"},
        takes("seed_rate"),
    ),
    "an unknown rescale": Mistake(
        ValueError,
        "rescale is 'none'; it must be",
        lambda right: {"rescale": "none"},
        takes("block_size"),
    ),
    "an unknown scaling": Mistake(
        ValueError,
        "scaling is 'none'; it must be",
        lambda right: {"scaling": "none"},
        takes("scaling"),
    ),
    "no such channel axis": Mistake(
        ValueError,
        "channel_axis is 3; x has 3 axes",
        lambda right: {"channel_axis": 3},
        takes("channel_axis"),
    ),
    "no such batch axis": Mistake(
        ValueError,
        "batch_axis is 3.*; x has 3 axes",
        lambda right: {"batch_axis": 3},
        takes("batch_axis"),
    ),
    "a temperature of zero": Mistake(
        ValueError,
        "temperature is 0.0; it must be",
        lambda right: {"temperature": 0.0},
        takes("temperature"),
    ),
    "a map without axes": Mistake(
        ValueError,
        r"axes is \(\) and shared_axes \(\); a map needs at least one axis",
        lambda right: {"axes": ()},
        takes("axes"),
    ),
    "a mean of nan": Mistake(
        ValueError,
        "mean is nan; it must be",
        lambda right: {"parameters": (), "mean": NAN, "std": 0.5},
        takes("mean"),
    ),
    "a negative std": Mistake(
        ValueError,
        "std is -0.5; it must be",
        lambda right: {"parameters": (), "std": -0.5},
        takes("mean", "std"),
    ),
    "both a rate and a std": Mistake(
        ValueError, "rate .* std", lambda right: {"std": 0.5}, takes("mean", "std")
    ),
    "a negative epsilon_std": Mistake(
        ValueError,
        "epsilon_std is -1.0; it must be",
        lambda right: {"epsilon_std": -1.0},
        takes("epsilon_std"),
    ),
    "a bound of nan": Mistake(
        ValueError,
        "max_log_alpha is nan; it must be finite",
        lambda right: {"max_log_alpha": NAN},
        takes("max_log_alpha"),
    ),
}

ROWS = [
    pytest.param(get(name), mistake, id=f"{name}-{what}")
    for what, mistake in MISTAKES.items()
    for name in names()
    if mistake.fits(get(name))
]


def call(transform, mistake):
    """Calls the transform rightly but for one mistake."""
    example = transform.examples[0]
    x = fit(transform, X)
    right = {
        "key": KEY,
        "x": x,
        "parameters": example.parameters,
        "deterministic": False,
        **options(example, x),
    }
    given = {**right, **mistake.change(right)}
    key, x, parameters = (given.pop(name) for name in ("key", "x", "parameters"))
    return lambda **further: transform.apply(key, x, *parameters, **given, **further)


@pytest.mark.parametrize(("transform", "mistake"), ROWS)
def test_one_clear_sentence(transform, mistake):
    learned = transform.learned
    name = learned[0].name if learned else transform.strength
    with pytest.raises(mistake.error, match=mistake.says.format(strength=name)) as e:
        call(transform, mistake)()
    message = str(e.value)
    assert "\n" not in message and len(message) < 200


@pytest.mark.parametrize("name", names())
def test_numbers_are_refused_in_evaluation_and_inside_jit_too(name):
    transform = get(name)
    example = transform.examples[0]
    x = fit(transform, X)
    given = options(example, x)
    bad = (NAN, *example.parameters[1:])
    with pytest.raises(ValueError, match="is nan; it must be"):
        transform.apply(None, x, *bad, deterministic=True, **given)
    with pytest.raises(ValueError, match="is nan; it must be"):
        jax.jit(lambda x: transform.apply(KEY, x, *bad, **given))(x)
    with pytest.raises(TypeError, match="x has dtype"):
        transform.apply(
            None,
            jnp.ones(x.shape, jnp.int32),
            *example.parameters,
            deterministic=True,
            **given,
        )


@pytest.mark.parametrize("name", names())
def test_a_traced_deterministic_is_refused_with_a_recipe(name):
    transform = get(name)
    example = transform.examples[0]
    x = fit(transform, X)

    def run(flag):
        given = options(example, x)
        return transform.apply(KEY, x, *example.parameters, deterministic=flag, **given)

    with pytest.raises(TypeError, match="static_argnames"):
        jax.jit(run)(True)


# Flags, of which either value means something, and a function.
FREE = {"hard", "unbiased", "rescale", "convolve"}


@pytest.mark.parametrize("name", names())
def test_every_argument_that_can_be_wrong_has_a_row(name):
    """A new option of a transform wants a row here."""
    transform = get(name)
    texts = [m.says for m in MISTAKES.values() if m.fits(transform)]
    for argument in inspect.signature(transform.apply).parameters:
        strengths = {transform.strength, *(leaf.name for leaf in transform.learned)}
        listed = argument in strengths or any(
            text.startswith(f"{argument} ") for text in texts
        )
        assert listed or argument in FREE | {"key", "deterministic"}, argument
