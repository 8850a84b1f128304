# SPDX-License-Identifier: Apache-2.0
"""For every test: no silent broadcasting, quick compiling, registries as before.

And the real data set.
"""

import os
from pathlib import Path

import jax
import numpy as np
import pytest
from jax._src import compiler

from dropout_jax.data import Dataset, idx, load
from dropout_jax.nn import models
from dropout_jax.training import plugin, portable
from dropout_jax.transforms import registry

# Before JAX compiles: a run in this process has the bits of one of the command line.
portable.enable()
jax.config.update("jax_numpy_rank_promotion", "raise")


# Most programs here are tiny and run once: compiling them takes longer than they do.
jax.config.update("jax_disable_most_optimizations", True)


_OLD_EMITTERS = ("xla_cpu_use_fusion_emitters", False)


def _has_old_emitters() -> bool:
    """Whether this JAX's compiler can do without the new ones, which take their time.

    Those of a GPU never can, and those for a CPU of jaxlib 0.12 no longer.
    """
    try:
        program = jax.jit(lambda: 0).lower()
        program.compile(compiler_options=dict([_OLD_EMITTERS]))
    except jax.errors.JaxRuntimeError:
        return False
    return True


OLD_EMITTERS = _has_old_emitters()


def _with_old_emitters(get_compile_options):
    """JAX has no setting for it but for a process."""

    def get(*args, **kwargs):
        options = get_compile_options(*args, **kwargs)
        if OLD_EMITTERS and jax.config.values["jax_disable_most_optimizations"]:
            options.env_option_overrides += [_OLD_EMITTERS]
        return options

    return get


compiler.get_compile_options = _with_old_emitters(compiler.get_compile_options)


@pytest.fixture(autouse=True)
def _registries_are_restored():
    kept = [registry._TRANSFORMS, models._MODELS, plugin._LOADED]
    before = [table.copy() for table in kept]
    yield
    for table, entries in zip(kept, before, strict=True):
        table.clear()
        table.update(entries)


# No test here reads what another process compiled.
jax.config.update("jax_enable_compilation_cache", False)


@pytest.fixture(scope="session")
def quick_environment(tmp_path_factory):
    """The environment of a new process that compiles as quickly as this one."""
    flags = {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false" if OLD_EMITTERS else "",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("programs")),
    }
    return {**os.environ, **flags}


@pytest.fixture
def compile_as_users_do():
    """Returns a function: from its call to the end of the test, all optimizations."""
    yield lambda: jax.config.update("jax_disable_most_optimizations", False)
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture
def strict_promotion():
    """JAX refuses what it would cast by itself; the program is that of every user."""
    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture(scope="session")
def fashion() -> Dataset:
    """Fashion-MNIST itself: no test here makes do with less."""
    return load()


@pytest.fixture(scope="session")
def idx_files(fashion, tmp_path_factory) -> Path:
    """A directory with its four IDX files, unpacked. To be read only."""
    directory = tmp_path_factory.mktemp("idx")
    for name, array in {
        "train-images-idx3": (fashion.train_images, fashion.validation_images),
        "train-labels-idx1": (fashion.train_labels, fashion.validation_labels),
        "t10k-images-idx3": (fashion.test_images,),
        "t10k-labels-idx1": (fashion.test_labels,),
    }.items():
        idx.write(directory / f"{name}-ubyte", np.concatenate(array))
    return directory
