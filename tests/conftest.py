# SPDX-License-Identifier: Apache-2.0
"""For every test: no silent broadcasting, quick compiling, registries as before."""

import jax
import pytest

from dropout_jax.nn import models
from dropout_jax.training import plugin
from dropout_jax.transforms import registry

jax.config.update("jax_numpy_rank_promotion", "raise")


def _compile(*, quickly):
    jax.config.update("jax_disable_most_optimizations", quickly)


_compile(quickly=True)  # what fixtures of a module or of the session run


@pytest.fixture(autouse=True)
def quick_compiler():
    """Most programs are tiny and run once: compiling takes longer than they do."""
    _compile(quickly=True)


@pytest.fixture(autouse=True)
def _registries_are_restored():
    kept = [registry._TRANSFORMS, models._MODELS, plugin._LOADED]
    before = [table.copy() for table in kept]
    yield
    for table, entries in zip(kept, before, strict=True):
        table.clear()
        table.update(entries)


@pytest.fixture
def optimizing_compiler(quick_compiler):
    """Programs compiled as those of a user; those of other tests are forgotten."""
    jax.clear_caches()
    _compile(quickly=False)
