# SPDX-License-Identifier: Apache-2.0
"""For every test: no silent broadcasting, and registries as they were before."""

import jax
import pytest

from dropout_jax.nn import models
from dropout_jax.training import plugin
from dropout_jax.transforms import registry

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True)
def _registries_are_restored():
    kept = [registry._TRANSFORMS, models._MODELS, plugin._LOADED]
    before = [table.copy() for table in kept]
    yield
    for table, entries in zip(kept, before, strict=True):
        table.clear()
        table.update(entries)


@pytest.fixture
def quick_compiler():
    """Tiny programs run once: compiling them takes longer than they do."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
