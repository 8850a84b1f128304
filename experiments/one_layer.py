# SPDX-License-Identifier: Apache-2.0
"""The gradient of one linear layer with noise on its weights: drawn, and by formula."""

import jax
import jax.numpy as jnp
import numpy as np

from dropout_jax.transforms import variational_dense
from experiments.intervals import sigmas

ALPHA = 0.5  # variance of the noise over the square of the weight
NOISY = ("local", "separate", "weight")


def in_proportion(kernel):
    """Logarithm of sigma**2, of noise of variance ALPHA kernel**2."""
    return jnp.log(ALPHA * jnp.square(kernel))


def by_formula(x, kernel, targets):
    """Variances of the gradient of half the mean squared error by log sigma**2.

    Of one linear layer of one output, y = x w, w ~ N(kernel, sigma**2) independently.
    With a = x sigma, S = a a' and r the residual at the mean weights, by hand from the
    moments of normal variables up to the fourth. Returns those of NOISY, and the mean.
    """
    a = x * jnp.exp(0.5 * in_proportion(kernel))[:, 0]
    shared, residual = a @ a.T, (x @ kernel)[:, 0] - targets
    own, square = jnp.diag(shared)[:, None], jnp.square(residual)[:, None]
    pairs = jnp.einsum("mi,ni->mni", a, a)
    products = jnp.outer(residual, residual)[..., None] + shared[..., None] + pairs
    sums = (
        square * a**4 / own + 2.0 * a**4,
        (square + own) * a**2 + a**4,
        products * pairs,
    )
    scale = 2 * len(x)
    return [total.sum() / scale**2 for total in sums], jnp.square(a).sum(0) / scale


def errors(x, targets, draws):
    """Errors of variances and means, drawn NOISY ways, from those by formula.

    In standard errors, of inputs [n, features] and targets [n].
    """
    features = x.shape[1]
    kernel = jax.random.normal(jax.random.key(8), (features, 1)) / np.sqrt(features)
    noise = in_proportion(kernel)

    def error(noise, key, sampling):
        y = variational_dense(key, x, noise, kernel=kernel, sampling=sampling)
        return 0.5 * jnp.square(y[:, 0] - targets).mean()

    def draw(key):
        pairs = zip(jax.random.split(key, len(NOISY)), NOISY, strict=True)
        return [jax.grad(error)(noise, *pair)[:, 0] for pair in pairs]

    keys = jax.random.split(jax.random.key(20), draws)
    found = jax.jit(lambda keys: jax.lax.map(draw, keys))(keys)
    variances, mean = by_formula(x, kernel, targets)
    for variance, slopes in zip(variances, found, strict=True):
        yield float(sigmas(jnp.square(slopes - mean).sum(1) - variance))
        yield float(sigmas((slopes - mean).sum(1)))
