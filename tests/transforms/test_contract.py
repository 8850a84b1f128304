# SPDX-License-Identifier: Apache-2.0
"""What holds for every transform of the registry, exactly."""

import functools

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ARGUMENTS, all_settings, apply, every, every_layer, fit, settings
from cases import moments as moments_of

from dropout_jax.transforms import dropout, get, names

pytestmark = pytest.mark.usefixtures("quick_compiler")

KEY = jax.random.key(11)
X = jnp.linspace(-2.0, 3.0, 24).reshape(4, 2, 3)

two = pytest.mark.parametrize(
    ARGUMENTS, settings(["dropout", "gaussian_dropout"], slice(1))
)


@every
def test_same_key_same_bits_other_key_other_bits(transform, example):
    x = fit(transform, X)
    first = apply(transform, example, KEY, x)
    np.testing.assert_array_equal(first, apply(transform, example, KEY, x))
    assert (first != apply(transform, example, jax.random.key(12), x)).any()


@every
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_dtype_stays_and_noise_is_float32(transform, example, dtype):
    x = fit(transform, X).astype(dtype)
    y = apply(transform, example, KEY, x)
    assert y.dtype == dtype
    wide = apply(transform, example, KEY, x.astype(jnp.float32))
    np.testing.assert_array_equal(y, wide.astype(dtype))
    still = apply(transform, example, None, x, deterministic=True)
    assert still.dtype == dtype


@two
def test_complex_input_takes_real_noise(transform, example):
    y = apply(transform, example, KEY, X + 1j * X)
    assert y.dtype == jnp.complex64
    real = apply(transform, example, KEY, X)
    np.testing.assert_allclose(y.real, real, rtol=1e-6)
    np.testing.assert_array_equal(y.real, y.imag)


@two
def test_float64_keeps_its_precision(transform, example):
    with jax.enable_x64(True):
        x = jnp.asarray(np.asarray(X), jnp.float64) * (1 + 2.0**-40)
        y = apply(transform, example, KEY, x)
        assert y.dtype == jnp.float64
        np.testing.assert_allclose(y, apply(transform, example, KEY, X), rtol=1e-6)


@all_settings
def test_deterministic_is_the_input_itself_or_the_mean(transform, example):
    x = fit(transform, X)
    y = apply(transform, example, None, x, deterministic=True)
    # A key makes no difference.
    np.testing.assert_array_equal(
        y, apply(transform, example, KEY, x, deterministic=True)
    )
    if transform.preserves != "population":
        mean = moments_of(transform, example, x).mean
        np.testing.assert_allclose(y, mean, rtol=1e-5, atol=1e-6)
    options = {"scaling", "rescale", "unbiased"} & set(example.options)
    assert (y is x) == (transform.preserves != "none" and not options)


@every_layer
def test_one_draw_along_shared_axes(transform, example):
    ones = jnp.ones((5, 6, 7))
    y = apply(transform, example, KEY, ones, shared_axes=(-3,))
    np.testing.assert_array_equal(y, jnp.broadcast_to(y[:1], y.shape))
    assert transform.name == "drop_path" or (y.min(-1) != y.max(-1)).any()
    alone = apply(transform, example, KEY, ones)
    assert (alone != alone[:1]).any()
    same = apply(transform, example, KEY, ones, shared_axes=(0,))
    np.testing.assert_array_equal(y, same)


@every_layer
def test_parameters_per_unit_equal_the_scalar(transform, example):
    arrays = [jnp.full(3, value) for value in example.parameters]
    for axes in ((), (0,)):
        y = transform.apply(KEY, X, *arrays, shared_axes=axes, **example.options)
        scalar = apply(transform, example, KEY, X, shared_axes=axes)
        np.testing.assert_allclose(y, scalar, rtol=1e-5, atol=1e-6)


@every
def test_an_empty_batch_passes(transform, example):
    x = fit(transform, X[:0])
    assert apply(transform, example, KEY, x).shape[0] == 0


@every_layer
def test_scalars_pass_where_no_axis_is_needed(transform, example):
    if transform.name in ("spatial_dropout", "drop_path", "dropblock"):
        with pytest.raises(ValueError, match="axes"):
            apply(transform, example, KEY, jnp.ones(()))
    else:
        y = apply(transform, example, KEY, jnp.ones(()))
        assert y.shape == () and jnp.isfinite(y)


@every
def test_a_longer_batch_begins_with_the_shorter(transform, example):
    y = apply(transform, example, KEY, fit(transform, jnp.concatenate([X, X, X])))
    short = apply(transform, example, KEY, fit(transform, X))
    if transform.layer:
        np.testing.assert_array_equal(y[:4], short)
    else:  # matrix products of another shape may round otherwise
        np.testing.assert_allclose(y[:4], short, rtol=1e-5, atol=1e-6)


@every_layer
def test_gradient_to_the_input_is_the_slope(transform, example):
    """With the noise fixed, every element is a straight line in its own input."""
    f = functools.partial(apply, transform, example, KEY)
    gradient = jax.grad(lambda x: f(x).sum())(X)
    np.testing.assert_allclose(gradient, f(X + 1.0) - f(X), rtol=1e-5, atol=1e-5)


FIXED = [name for name in names() if not get(name).learned]


@pytest.mark.parametrize("name", [n for n in FIXED if get(n).strength == "rate"])
def test_a_rate_gets_no_gradient_and_rate_zero_is_exact(name):
    transform = get(name)
    x = fit(transform, X)
    options = cases.options(transform.examples[0], x)

    def run(rate):
        return transform.apply(KEY, x, rate, **options)

    gradient = jax.jit(jax.grad(lambda rate: run(rate).sum()))
    assert gradient(0.0) == 0.0 and gradient(0.5) == 0.0
    clean = x @ options["kernel"] if "kernel" in options else x
    for quiet in (run(0.0), jax.jit(run)(0.0)):
        if transform.layer:
            np.testing.assert_array_equal(quiet, clean)
        np.testing.assert_allclose(quiet, clean, rtol=1e-6)


def test_a_traced_rate_compiles_once():
    traces = []

    @jax.jit
    def step(rate):
        traces.append(rate)
        return dropout(KEY, X, rate)

    for rate in (0.0, 0.25, 0.5, 1.0):
        np.testing.assert_array_equal(step(rate), dropout(KEY, X, rate))
    assert len(traces) == 1
