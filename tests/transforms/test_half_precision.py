# SPDX-License-Identifier: Apache-2.0
"""Moments and KLs of narrow numbers are those of the same numbers in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import all_settings, fit, options
from dropout_jax import theory, transforms
from dropout_jax.theory import propagation

X = jnp.linspace(-2.0, 3.0, 24).reshape(4, 2, 3)
NARROW = (jnp.float16, jnp.bfloat16, jnp.float8_e4m3fn, jnp.float8_e5m2)


def found(transform, example, x, dtype):
    """Moments and a covariance, with everything that is an array in one dtype."""
    given = options(example, x)
    for name in ("kernel", "previous"):
        if name in given:
            given[name] = jnp.asarray(given[name]).astype(dtype).astype(x.dtype)
    moments = transform.moments(x, *example.parameters, **given)
    at = (0,) * moments.mean.ndim
    covariance = moments.covariance and moments.covariance(at, at)
    return [*moments[:3], *([] if covariance is None else [covariance])]


@all_settings
def test_moments_of_narrow_numbers(transform, example):
    for dtype in NARROW:
        narrow = fit(transform, X).astype(dtype)
        wide = narrow.astype(jnp.float32)
        ours, right = (found(transform, example, x, dtype) for x in (narrow, wide))
        assert all(part.dtype == jnp.float32 for part in ours)
        for part, expected in zip(ours, right, strict=True):
            np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize("name", transforms.names())
def test_powers_are_taken_in_float32(name):
    """300**2 is beyond float16."""
    transform = transforms.get(name)
    example = transform.examples[0]
    x = jnp.full_like(fit(transform, X), 300.0, jnp.float16)
    parts = found(transform, example, x, jnp.float16)
    assert all(jnp.isfinite(part).all() for part in parts)
    if name == "dropout":
        assert float(transform.moments(x, 0.5).variance[0, 0, 0]) == 90_000.0


@pytest.mark.parametrize("name", transforms.names())
def test_moments_of_what_is_no_real_number_are_refused(name):
    transform = transforms.get(name)
    example = transform.examples[0]
    for dtype in (jnp.complex64, jnp.int32, jnp.bool_):
        x = fit(transform, X).astype(dtype)
        given = options(example, fit(transform, X))
        with pytest.raises(TypeError, match="x has dtype") as caught:
            transform.moments(x, *example.parameters, **given)
        assert "\n" not in str(caught.value)


@all_settings
def test_moments_in_float64_stay_there(transform, example):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        x = jnp.asarray(np.asarray(fit(transform, X)), jnp.float64)
        assert all(
            part.dtype == jnp.float64
            for part in found(transform, example, x, jnp.float64)
        )


@pytest.mark.parametrize("name", ["variational_dense", "dropconnect_dense"])
def test_a_complex_kernel_is_refused(name):
    """Its imaginary part would be cut off."""
    transform = transforms.get(name)
    example = transform.examples[0]
    kernel = jnp.ones((3, 3), jnp.complex64)
    with pytest.raises(TypeError, match="kernel has dtype complex64"):
        transform.apply(None, X, *example.parameters, kernel=kernel, deterministic=True)


def test_a_kl_of_narrow_numbers_is_summed_in_float32():
    kl = jnp.full(3, 100.0, jnp.float16)
    assert float(transforms.kl_per_example(kl, (2, 28, 28, 3))) == 235_200.0
    log_alpha = jnp.asarray([-3.0, 0.5], jnp.bfloat16)
    np.testing.assert_array_equal(
        transforms.kl_log_uniform(log_alpha),
        transforms.kl_log_uniform(log_alpha.astype(jnp.float32)),
    )
    with pytest.raises(TypeError, match=r"log_alpha is .* of dtype complex64"):
        transforms.kl_log_uniform(jnp.complex64(1j))


def test_theory_of_narrow_numbers():
    x, kernel = jnp.full(2, 300.0, jnp.float16), jnp.ones((2, 1), jnp.float16)
    assert float(theory.linear_dropout_moments(x, kernel, 0.5).covariance[0, 0]) == (
        180_000.0
    )
    assert theory.effective_l2(x[None], 0.5).tolist() == [90_000.0] * 2
    noisy = propagation.dropout(propagation.certain(x), 0.5)
    assert noisy.variance.tolist() == [90_000.0] * 2
    assert float(theory.variance_shift_ratio(jnp.float16(300), 1, 0.5)) > 0
    with pytest.raises(TypeError, match=r"x is .* of dtype complex64; it must be a re"):
        theory.linear_dropout_moments(x.astype(jnp.complex64), kernel, 0.5)
