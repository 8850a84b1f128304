# SPDX-License-Identifier: Apache-2.0
"""Reads the noise of a model: what each of its noise layers multiplies ones with."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.nn import Noise


def fill(model, *args, **kwargs):
    """Variables of the right shapes with random numbers, and nothing to compile."""
    shapes = jax.eval_shape(
        lambda key: model.init(key, *args, **kwargs), jax.random.key(0)
    )
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(0, 0.5, leaf.shape), leaf.dtype), shapes
    )


def _reader(model, shape):
    images = jnp.asarray(np.random.default_rng(1).random(shape), jnp.float32)
    blank = jnp.zeros(len(model.sites))
    variables = fill(model, images, blank, train=False)

    @jax.jit
    def read(rates, key):
        found = {}

        def factors(next_function, args, kwargs, context):
            if not (isinstance(context.module, Noise) and len(args) == 2):
                return next_function(*args, **kwargs)
            y = next_function(jnp.ones_like(args[0]), args[1], **kwargs)
            found[context.module.name] = y
            return y

        with nn.intercept_methods(factors):
            model.apply(
                variables,
                images,
                rates,
                train=True,
                rngs={"dropout": key},
                mutable=["kl", "batch_stats"],
            )
        return found

    return read


@pytest.fixture(scope="session")
def variables_of():
    """Returns `fill`."""
    return fill


@pytest.fixture(scope="session")
def masks_of():
    """Returns a function from model, images' shape, rates, key to {layer: factors}."""

    compiled = {}

    def read(model, shape=(3, 8, 8), rates=None, seed=1):
        rates = [0.5] * len(model.sites) if rates is None else rates
        name = repr(model), shape
        if name not in compiled:
            compiled[name] = _reader(model, shape)
        found = compiled[name](jnp.asarray(rates), jax.random.key(seed))
        return {name: np.asarray(mask) for name, mask in found.items()}

    return read
