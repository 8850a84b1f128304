# SPDX-License-Identifier: Apache-2.0
"""Products of dense layers: their values, their gradients, and who computes them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.nn.products import product, summed_over_rows

SHAPES = [(50, 784, 512), (50, 512, 10), (300, 9, 16), (1, 3, 2)]


def draw(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradients_are_those_of_the_plain_product(shape):
    rows, inputs, outputs = shape
    x, kernel, dy = draw(rows, inputs), draw(inputs, outputs), draw(rows, outputs)
    y, pull = jax.vjp(product, x, kernel)
    expected = [np.float64(a) @ b for a, b in ((x, kernel), (dy, kernel.T), (x.T, dy))]
    for found, right in zip([y, *pull(jnp.asarray(dy))], expected, strict=True):
        np.testing.assert_allclose(found, right, atol=2e-5 * np.sqrt(inputs + rows))


def test_leading_axes():
    x, kernel = draw(2, 3, 4), draw(4, 5)
    np.testing.assert_allclose(product(x, kernel), x @ kernel, atol=1e-5)
    assert product(x, kernel).shape == (2, 3, 5)


def dots(program) -> list[str]:
    """The products of a program that are no YNNPACK's, by their dimension numbers."""
    text = program.compile().as_text()
    found, computation = [], ""
    for line in text.splitlines():
        if line.endswith("{"):
            computation = line.split()[0].lstrip("%")
        if " dot(" in line and not re.search(rf"ynn_fusion.*{computation}\b", text):
            found.append(line.strip())
    return found


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_all_products_are_ynnpacks(shape, compile_as_users_do):
    # What Eigen computes depends on the sizes of the caches.
    compile_as_users_do()
    rows, inputs, outputs = shape

    def plain(x, kernel):
        return x @ kernel

    for function, expected in ((product, 0), (plain, 1)):

        def step(x, kernel, dy, function=function):
            y, pull = jax.vjp(function, x, kernel)
            return y, pull(dy)

        arguments = draw(rows, inputs), draw(inputs, outputs), draw(rows, outputs)
        assert len(dots(jax.jit(step).lower(*arguments))) == expected


@pytest.mark.parametrize("inputs, outputs", [(8, 3), (3, 8), (600, 2)])
def test_sum_over_rows_transposes_either_factor(inputs, outputs):
    x, y = draw(5, inputs), draw(5, outputs)
    np.testing.assert_allclose(summed_over_rows(x, y), x.T @ y, atol=1e-5)


def test_together_under_vmap():
    x, kernels = draw(4, 6, 5), draw(4, 5, 3)
    found = jax.vmap(jax.grad(lambda k, x: product(x, k).sum()))(kernels, x)
    np.testing.assert_allclose(found, x.sum(1)[:, :, None] * np.ones(3), atol=1e-5)
