# SPDX-License-Identifier: Apache-2.0
"""Random orthogonal matrices: orthogonal, uniform, and those of Flax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dropout_jax.nn.orthogonal import orthogonal


@pytest.mark.parametrize("size", [1, 2, 64, 200])
def test_orthogonal(size):
    q = np.float64(orthogonal(jax.random.key(size), size))
    # One pass of Gram-Schmidt instead of two fails from 64 on.
    assert np.abs(q.T @ q - np.eye(size)).max() < 2e-6
    assert np.abs(q @ q.T - np.eye(size)).max() < 2e-6


@pytest.mark.parametrize("size", [2, 64])
def test_that_of_flax(size):
    key = jax.random.key(3)
    expected = nn.initializers.orthogonal()(key, (size, size))
    np.testing.assert_allclose(orthogonal(key, size), expected, atol=1e-5)


def test_uniform():
    # The first entry of a uniform one of size n is that of a point on the sphere:
    # (entry + 1) / 2 has the law Beta((n - 1) / 2, (n - 1) / 2). A wrong convention of
    # signs makes all diagonal entries negative or positive. False alarm: 1 in 10,000.
    size, count = 4, 2000
    keys = jax.random.split(jax.random.key(0), count)
    found = np.asarray(jax.jit(lambda k: jax.lax.map(draw, k))(keys))
    law = stats.beta((size - 1) / 2, (size - 1) / 2, loc=-1, scale=2)
    for entry in (found[:, 0, 0], found[:, -1, -1], found[:, 0, -1]):
        assert stats.kstest(entry, law.cdf).pvalue > 1e-4 / 3
    assert not np.all(np.linalg.det(found) > 0)


def draw(key: jax.Array) -> jax.Array:
    return orthogonal(key, 4)


def test_dtype():
    assert orthogonal(jax.random.key(0), 3).dtype == jnp.float32
