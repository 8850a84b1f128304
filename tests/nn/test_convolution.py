# SPDX-License-Identifier: Apache-2.0
"""The fast convolution and pooling compute what XLA's own compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dropout_jax.nn import convolution
from dropout_jax.nn.convolution import Conv, max_pool, patches_times_kernel


def normal(*shape):
    random = np.random.default_rng(shape)
    return jnp.asarray(random.normal(size=shape), jnp.float32)


def reference(x, kernel):
    return lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )


def pooled_reference(x, kernel):
    return max_pool(reference(x, kernel))


def pooled_patches(x, kernel):
    return patches_times_kernel(x, kernel, pool=True)


# Bytes: all six images at once, then one image at a time, then three.
@pytest.mark.parametrize("cache_bytes", [2**20, 1, 4 * 30 * (27 + 4) * 5])
@pytest.mark.parametrize("pool", [False, True], ids=["plain", "pool"])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_patches_times_kernel_is_the_same_convolution(
    size, pool, cache_bytes, monkeypatch
):
    monkeypatch.setattr(convolution, "CACHE_BYTES", cache_bytes)
    x, kernel = normal(6, 6, 5, 3), normal(size, size, 3, 4)
    weights = normal(6, 3, 2, 4) if pool else normal(6, 6, 5, 4)

    def value_and_gradients(convolve):
        def loss(x, kernel):
            y = convolve(x, kernel)
            return jnp.sum(weights * y), y

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(
            x, kernel
        )

    fast = pooled_patches if pool else patches_times_kernel
    slow = pooled_reference if pool else reference
    (_, ours), gradients = value_and_gradients(fast)
    (_, theirs), expected = value_and_gradients(slow)
    assert ours.shape == weights.shape
    # Sums of at most 75 products of order 1 in float32, and of 180 pixels.
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    for got, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-4)
    if size > 1 and not pool:  # a transposed kernel must not pass for the right one
        wrong = patches_times_kernel(x, kernel.transpose(1, 0, 2, 3))
        assert np.abs(np.asarray(wrong - theirs)).max() > 0.1


@pytest.mark.parametrize(
    "batch, fitting, size", [(128, 9, 8), (128, 0, 1), (127, 9, 1), (6, 99, 6)]
)
def test_slices_divide_the_batch(batch, fitting, size):
    assert convolution._slice_size(batch, fitting) == size


def test_pooling_before_the_bias_changes_nothing(variables_of):
    x = normal(2, 4, 4, 3)
    params = variables_of(Conv(5, 3), x)["params"]  # the biases are not zero
    apart = max_pool(Conv(5, 3).apply({"params": params}, x))
    together = Conv(5, 3, pool=True).apply({"params": params}, x)
    np.testing.assert_allclose(together, apart, rtol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_conv_layer(bias, variables_of):
    x = normal(2, 4, 4, 3)
    layer = Conv(5, 3, use_bias=bias)
    params = variables_of(layer, x)["params"]
    assert set(params) == ({"kernel", "bias"} if bias else {"kernel"})
    assert params["kernel"].shape == (3, 3, 3, 5)
    expected = reference(x, params["kernel"])
    if bias:
        params = {**params, "bias": jnp.arange(5.0)}
        expected = expected + jnp.arange(5.0).reshape(1, 1, 1, -1)
    np.testing.assert_allclose(layer.apply({"params": params}, x), expected, atol=2e-5)


def test_conv_kernels_start_at_he_scale():
    params = Conv(64, 3).init(jax.random.key(0), jnp.zeros((1, 4, 4, 32)))["params"]
    # Standard deviation sqrt(2 / fan_in), fan_in 9 * 32; 18,432 weights: 3 % is 5.7
    # sigma of the estimate.
    wanted = np.sqrt(2 / (9 * 32))
    np.testing.assert_allclose(np.std(params["kernel"]), wanted, rtol=0.03)
    assert not params["bias"].any()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("height, width", [(6, 4), (7, 5)])
def test_max_pool_is_a_valid_reduce_window(height, width, ties):
    x = normal(2, height, width, 3)
    if ties:  # the first of the largest has the gradient, there and here
        x = jnp.round(x)

    def window(x):
        ones = (1, 2, 2, 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, ones, ones, "VALID")

    def gradient(pool):
        return jax.grad(lambda x: jnp.sum(jnp.sin(pool(x))))(x)

    np.testing.assert_array_equal(max_pool(x), window(x))
    np.testing.assert_allclose(gradient(max_pool), gradient(window), rtol=1e-6)
