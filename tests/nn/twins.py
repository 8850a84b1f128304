# SPDX-License-Identifier: Apache-2.0
"""Scenes that are played with Flax's layer and with ours, and must end alike."""

import functools

import jax
import numpy as np
from flax import nnx

from dropout_jax.nn import NNXNoise

X = jax.random.uniform(jax.random.key(9), (4, 10), minval=0.5, maxval=1.5)
OURS = functools.partial(NNXNoise, "dropout")


class Block(nnx.Module):
    """A linear layer, a batch normalization and a dropout."""

    def __init__(self, dropout, rngs, size=3, **options):
        self.linear = nnx.Linear(size, size, rngs=rngs)
        self.norm = nnx.BatchNorm(size, rngs=rngs)
        self.dropout = dropout(0.5, rngs=rngs, **options)

    def __call__(self, x):
        return self.dropout(self.norm(self.linear(x)))


def check(play):
    """Asserts that `play(dropout)` returns the same numbers for both layers."""
    theirs, ours = play(nnx.Dropout), play(OURS)
    assert jax.tree.structure(theirs) == jax.tree.structure(ours)
    for a, b in zip(jax.tree.leaves(theirs), jax.tree.leaves(ours), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
