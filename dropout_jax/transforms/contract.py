# SPDX-License-Identifier: Apache-2.0
"""What every transform demands of its arguments, said in one place.

Each check raises one line: what was wrong, the value, what is allowed.
"""

import math
from collections.abc import Sequence

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax import export
from jax.typing import ArrayLike

from dropout_jax.arguments import shown, whole_numbers

# The largest float32 below 1: a rate that would round to 1 is refused too.
BELOW_ONE = 1.0 - 2.0**-24


def check_call(
    key: jax.Array | None,
    x: ArrayLike,
    shared_axes: Sequence[int],
    deterministic: bool,
) -> tuple[int, ...]:
    """Checks the arguments that all transforms share, in every mode.

    Args:
      key: typed key of shape (), or a raw one that `jax.random` takes; may be None
        where `deterministic` is True.
      x: input; must be floating or complex, deterministic or not.
      shared_axes: axes of `x` that share one draw; one axis alone may be a number.
      deterministic: must be a Python bool or NumPy's.

    Returns:
      `shared_axes` as sorted non-negative integers.

    Raises:
      TypeError: integer `x`, an axis that is no whole number, traced `deterministic`,
        or no usable key.
      ValueError: an axis that does not exist or is named twice.
    """
    check_floating("x", x)
    axes = normalise_axes(shared_axes, jnp.ndim(x))
    if not _is_deterministic(deterministic):
        _check_key(key)
    return axes


def check_floating(name: str, value: ArrayLike) -> None:
    """Raises TypeError unless `value`, called `name`, is floating or complex."""
    if not hasattr(value, "dtype") and not isinstance(value, int | float | complex):
        raise TypeError(f"{name} is {shown(value)}; it must be an array: jnp.asarray")
    dtype = jnp.result_type(value)
    if not jnp.issubdtype(dtype, jnp.inexact):
        raise TypeError(
            f"{name} has dtype {dtype}; dropout needs a floating dtype: "
            f"convert it first, {name}.astype(jnp.float32)"
        )


def real(name: str, value: ArrayLike) -> jax.Array:
    """Returns `value`, called `name`, in float32 or wider: where moments are computed.

    Powers overflow in half precision: 300**2 is infinite in float16.

    Raises:
      TypeError: for integers, and for complex numbers, whose moments are not defined.
    """
    check_floating(name, value)
    array = jnp.asarray(value)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise TypeError(
            f"{name} has dtype {array.dtype}; it must be real: take {name}.real and "
            f"{name}.imag by themselves"
        )
    return array.astype(compute_dtype(array))


def sizes(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Returns a shape as a tuple of whole numbers, those of `jax.export` as they are.

    Raises:
      TypeError: a size that is no whole number.
      ValueError: a negative one.
    """
    if isinstance(shape, Sequence) and any(map(export.is_symbolic_dim, shape)):
        return tuple(shape)
    return whole_numbers(name, shape, 0)


def normalise_axes(
    given: Sequence[int] | int, ndim: int, name: str = "shared_axes"
) -> tuple[int, ...]:
    """Returns the axes sorted and non-negative; one axis alone may be a number.

    Raises:
      TypeError: for an axis that is no whole number.
      ValueError: for one that does not exist or is named twice.
    """
    axes = whole_numbers(name, given)
    if any(not -ndim <= axis < ndim for axis in axes):
        raise ValueError(
            f"{name} is {axes}; x has {ndim} axes, so each must be in "
            f"[{-ndim}, {ndim - 1}]"
        )
    positive = tuple(sorted(axis % ndim for axis in axes))
    if len(set(positive)) < len(positive):
        raise ValueError(f"{name} is {axes}; an axis may be named only once")
    return positive


def check_range(name: str, value: ArrayLike, low: float, high: float, text: str):
    """Raises unless every concrete entry is a number in [low, high].

    Traced values pass unseen: they have no value yet.

    Args:
      name: what the user calls the value.
      value: number or array.
      low: smallest value allowed.
      high: largest value allowed.
      text: the allowed range in words, for the message.

    Raises:
      TypeError: for what is no real number.
      ValueError: for a number out of range.
    """
    check_number(name, value, text)
    if isinstance(value, jax.core.Tracer):
        return
    # tolist() reads the values on the host, also while something is being traced.
    entries = value.tolist() if hasattr(value, "tolist") else value  # pyright: ignore
    for entry in jax.tree.leaves(entries):
        if not (math.isfinite(entry) and low <= entry <= high):
            raise ValueError(f"{name} is {entry}; it must be {text}")


def check_number(name: str, value: ArrayLike, text: str = "a real number"):
    """Raises TypeError unless `value` is a real number, or an array of such.

    A boolean is none: True for a rate would drop everything.
    """
    if type(value) is float:  # the usual case, at no cost
        return
    for entry in jax.tree.leaves(value, is_leaf=lambda leaf: leaf is None):
        dtype = getattr(entry, "dtype", None)
        if dtype is None:
            fine = isinstance(entry, int | float) and not isinstance(entry, bool)
        else:
            fine = jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(
                dtype, jnp.floating
            )
        if not fine:
            of = "" if dtype is None else f" of dtype {dtype}"
            raise TypeError(f"{name} is {shown(entry)}{of}; it must be {text}")


def number(name: str, value: float, low: float, high: float, text: str) -> float:
    """Returns a number that shapes the program, such as a temperature, as a float.

    Raises:
      TypeError: for what is no number, several, or a traced one.
      ValueError: for a number out of range.
    """
    check_range(name, value, low, high, text)
    if isinstance(value, jax.core.Tracer) or jnp.ndim(value):
        raise TypeError(f"{name} is {shown(value)}; it must be one number, {text}")
    return float(value)


def parameter(name: str, value: ArrayLike, x: ArrayLike, of: str = "x") -> jax.Array:
    """Returns `value` in float32, with leading axes of size 1 to match `x`.

    Args:
      name: what the user calls the value.
      value: scalar, or array that broadcasts against `x` without enlarging it;
        every concrete entry must be finite.
      x: the array that the value belongs to.
      of: what the user calls that array.

    Raises:
      TypeError: if it is no real number.
      ValueError: if the value is not finite, or does not broadcast to the shape of
        `x`.
    """
    check_number(name, value, "a finite number, or an array of such")
    array = jnp.asarray(value, jnp.float32)
    _check_finite(name, value)
    shape = jnp.shape(x)
    padded = (1,) * (len(shape) - array.ndim) + array.shape
    if len(padded) != len(shape) or any(
        size not in (1, full) for size, full in zip(padded, shape, strict=True)
    ):
        raise ValueError(
            f"{name} has shape {array.shape}; it must broadcast to the shape of {of}, "
            f"{shape}"
        )
    return array if array.ndim == 0 else array.reshape(padded)


def _check_finite(name: str, value: ArrayLike) -> None:
    """Raises ValueError unless every concrete entry is finite in float32."""
    unwrap = getattr(value, "__jax_array__", None)  # of nnx.Param and its like
    value = unwrap() if unwrap is not None else value
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
        return
    if isinstance(value, jax.Array):
        # On the device: a kernel's worth of numbers need not come to the host.
        with jax.ensure_compile_time_eval():
            fine = bool(jnp.isfinite(value.astype(jnp.float32)).all())
    else:
        with np.errstate(over="ignore"):
            fine = bool(np.isfinite(np.asarray(value, np.float32)).all())
    if not fine:
        entries = np.asarray(value, np.float64).ravel()
        wrong = ~(np.abs(entries) <= np.finfo(np.float32).max)
        raise ValueError(f"{name} is {entries[wrong][0]}; it must be finite")


def drop_rate(rate: ArrayLike, x: ArrayLike) -> jax.Array:
    """Returns the rate of a mask as a `parameter` of `x`, without gradient.

    Raises:
      ValueError: for a concrete rate outside [0, 1], or one that does not broadcast.
    """
    check_range("rate", rate, 0.0, 1.0, "a probability in [0, 1]")
    return jax.lax.stop_gradient(parameter("rate", rate, x))


def draw_shape(shape: Sequence[int], shared_axes: tuple[int, ...]) -> tuple[int, ...]:
    """Returns `shape` with size 1 along the shared axes: the draws to make."""
    return tuple(1 if i in shared_axes else n for i, n in enumerate(shape))


def compute_dtype(x: jax.Array) -> jnp.dtype:
    """Returns the dtype to compute in: that of `x`, but never below float32."""
    narrow = x.dtype.itemsize < 4
    return jnp.dtype(jnp.float32) if narrow else x.dtype


def _is_deterministic(deterministic: bool) -> bool:
    if isinstance(deterministic, jax.core.Tracer):
        raise TypeError(
            "deterministic is a traced value; it must be a Python bool, so pass it "
            "through static_argnames, or trace the rate instead (rate 0 drops nothing)"
        )
    if not isinstance(deterministic, bool | np.bool_):
        raise TypeError(f"deterministic is {deterministic!r}; it must be True or False")
    return bool(deterministic)


def _check_key(key: jax.Array | None) -> None:
    """Raises TypeError unless `jax.random` takes `key` for one key."""
    if key is None:
        got = "None; only deterministic=True needs no key"
    elif not hasattr(key, "dtype"):
        got = f"{key!r}"
    elif jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        if key.shape == ():
            return
        got = f"an array of {key.shape} keys; use one key, or jax.vmap over them"
    else:
        try:
            if jax.random.wrap_key_data(jnp.asarray(key)).shape == ():
                return  # a raw key, as of jax.random.PRNGKey
        except TypeError:  # of another dtype, or too long
            pass
        got = f"a {key.dtype} array of shape {key.shape}"
    raise TypeError(f"key must be one key, as jax.random.key(0), but is {got}")
