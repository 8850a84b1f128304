# SPDX-License-Identifier: Apache-2.0
"""What holds for every transform of the registry, exactly."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cases
from cases import ARGUMENTS, all_settings, apply, every, every_sharing, fit, settings
from cases import moments as moments_of
from dropout_jax.transforms import dropout, get, names

KEY = jax.random.key(11)
X = jnp.linspace(-2.0, 3.0, 24).reshape(4, 2, 3)


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


@every
def test_complex_input_takes_real_noise_or_is_refused(transform, example):
    """Both parts get the same factor; what is added is real."""
    x = fit(transform, X)
    f = functools.partial(apply, transform, example, KEY)
    if "kernel" in example.options:
        with pytest.raises(TypeError) as caught:
            f(jax.lax.complex(x, 2 * x))
        message = "x has dtype complex64; a noisy layer needs a real dtype"
        assert str(caught.value) == message
        return
    y = f(jax.lax.complex(x, 2 * x))
    assert y.dtype == jnp.complex64
    np.testing.assert_allclose(y.real, f(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y.imag, f(3 * x) - f(x), rtol=1e-5, atol=1e-5)


@every
def test_float64_keeps_its_precision(transform, example):
    """The noise is that of float32; what it multiplies is not rounded to it."""
    tiny = 2.0**-40
    with jax.enable_x64(True):
        x = jnp.asarray(np.asarray(fit(transform, X)), jnp.float64)
        once, twice, more = (
            np.asarray(apply(transform, example, KEY, size * x))
            for size in (1.0, 2.0, 1.0 + tiny)
        )
    assert once.dtype == np.float64
    narrow = apply(transform, example, KEY, fit(transform, X))
    np.testing.assert_allclose(once, narrow, rtol=1e-5, atol=1e-6)
    # y is straight along every ray from x = 0, so its rise is known to the last digit.
    np.testing.assert_allclose(more - once, tiny * (twice - once), 1e-3, 1e-3 * tiny)


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


@every
def test_a_key_is_used_once(transform, example):
    """JAX's checker lets one call pass and stops a second one with the same key."""
    x = fit(transform, X)
    draw = functools.partial(apply, transform, example, x=x)
    with jax.debug_key_reuse(True):
        once = jax.jit(draw)(jax.random.key(0))
        with pytest.raises(jax.errors.KeyReuseError):
            jax.jit(lambda key: draw(key) + draw(key))(jax.random.key(0))
    np.testing.assert_array_equal(once, jax.jit(draw)(jax.random.key(0)))


@every_sharing
def test_one_draw_along_shared_axes(transform, example):
    ones = jnp.ones((5, 6, 7))
    y = apply(transform, example, KEY, ones, shared_axes=(-3,))
    np.testing.assert_array_equal(y, jnp.broadcast_to(y[:1], y.shape))
    assert transform.name == "drop_path" or (y.min(-1) != y.max(-1)).any()
    alone = apply(transform, example, KEY, ones)
    assert (alone != alone[:1]).any()
    same = apply(transform, example, KEY, ones, shared_axes=(0,))
    np.testing.assert_array_equal(y, same)


@every_sharing
def test_parameters_per_unit_equal_the_scalar(transform, example):
    arrays = [jnp.full(3, value) for value in example.parameters]
    for axes in ((), (0,)):
        given = cases.options(example, X)
        y = transform.apply(KEY, X, *arrays, shared_axes=axes, **given)
        scalar = apply(transform, example, KEY, X, shared_axes=axes)
        np.testing.assert_allclose(y, scalar, rtol=1e-5, atol=1e-6)


@every
def test_an_empty_batch_passes(transform, example):
    x = fit(transform, X[:0])
    assert apply(transform, example, KEY, x).shape[0] == 0


@every_sharing
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


@every_sharing
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


LOCAL = [
    e for e in get("dropconnect_dense").examples if e.options["sampling"] == "local"
]


@pytest.mark.parametrize(
    ARGUMENTS,
    [
        *settings(["gaussian_dropout", "lognormal_dropout"], slice(1)),
        pytest.param(get("dropconnect_dense"), LOCAL[0], id="dropconnect_dense-local"),
    ],
)
def test_normal_noise_of_a_traced_rate_one_is_not_finite(transform, example):
    """The number 1 is refused; a traced 1 must not pass for noise either."""

    def run(rate):
        # A 0 in the input, as behind a ReLU, hides no row.
        return transform.apply(KEY, X.at[..., 0].set(0.0), rate, **example.options)

    assert jnp.isfinite(jax.jit(run)(0.9)).all()
    assert not jnp.isfinite(jax.jit(run)(1.0)).any()
    with pytest.raises(ValueError, match=r"rate is 1\.0"):
        run(1.0)


def test_a_traced_rate_compiles_once():
    traces = []

    @jax.jit
    def step(rate):
        traces.append(rate)
        return dropout(KEY, X, rate)

    for rate in (0.0, 0.25, 0.5, 1.0):
        np.testing.assert_array_equal(step(rate), dropout(KEY, X, rate))
    assert len(traces) == 1
