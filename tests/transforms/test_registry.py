# SPDX-License-Identifier: Apache-2.0
"""The registry: complete entries, clear errors, and a place for one's own."""

import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import test_contract
import test_moments
from cases import fit, layers, moments
from dropout_jax import transforms
from dropout_jax.transforms import Moments, get, names, register


@pytest.mark.parametrize("name", names())
def test_entries_are_complete(name):
    entry = get(name)
    assert entry.apply is getattr(transforms, name)
    assert entry.name == name and entry.summary and entry.reference and entry.examples
    count = max(len(entry.learned), 1)
    assert all(len(example.parameters) == count for example in entry.examples)
    assert (entry.kl is not None) == bool(entry.learned)
    documentation = inspect.getdoc(entry.apply)
    for section in ("Args:", "Returns:", "Raises:", "Example:", "References:"):
        assert section in documentation
    strength = [learned.name for learned in entry.learned] or [entry.strength]
    signature = list(inspect.signature(entry.apply).parameters)
    assert signature[: 2 + count] == ["key", "x", *strength]
    assert signature[-1] == "deterministic"
    assert ("shared_axes" in signature) or not entry.layer
    assert entry.preserves in ("mean", "population", "none")


@pytest.mark.parametrize("name", [n for n in layers() if get(n).learned])
def test_learned_parameters_start_finite_and_can_be_learned(name):
    entry = get(name)
    start = [jnp.full(6, learned.initial) for learned in entry.learned]
    x = jax.random.normal(jax.random.key(0), (32, 6))

    def loss(*values):
        noisy = entry.apply(jax.random.key(1), x, *values)
        return jnp.mean(noisy**2) + entry.kl(*values).sum() / 1000

    gradients = jax.jit(jax.grad(loss, tuple(range(len(start)))))(*start)
    for gradient in gradients:
        assert gradient.shape == (6,)
        assert jnp.isfinite(gradient).all() and (gradient != 0).all()
    kl = entry.kl(*start)
    assert kl.shape == (6,) and (kl >= 0).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dropuot", "no transform 'dropuot'; did you mean 'dropout'?"),
        (
            "gausian_dropout",
            "no transform 'gausian_dropout'; did you mean 'gaussian_dropout'?",
        ),
        ("zzz", "no transform 'zzz'; there are dropout, spatial_dropout, "),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(name, message):
    with pytest.raises(ValueError) as caught:
        get(name)
    assert str(caught.value).startswith(message)


OWN = Path(__file__).parents[2] / "examples" / "own_transform.py"


@pytest.fixture
def mine():
    """The transform of examples/own_transform.py, registered."""
    runpy.run_path(str(OWN))
    return get("uniform_noise")


def test_a_transform_of_ones_own(mine):
    """It is found, cannot be registered twice, and passes the same tests."""
    assert names()[-1] == "uniform_noise"
    with pytest.raises(ValueError, match="is registered already"):
        register(mine)
    example = mine.examples[0]
    test_moments.test_moments_hold_and_planted_mistakes_are_caught(mine, example)
    test_moments.test_shared_draws_have_their_covariance_and_no_other(mine, example)
    test_contract.test_one_draw_along_shared_axes(mine, example)


def test_wrong_moments_of_ones_own_are_caught(mine):
    def wrong(x, rate, *, shared_axes=()):
        right = mine.moments(x, rate, shared_axes=shared_axes)
        return Moments(right.mean, 1.05 * right.variance, right.fourth)

    example = mine.examples[0]
    y = test_moments.draw(mine, example, jax.random.key(0))
    x = test_moments.X
    assert test_moments.violations(y, mine.moments(x, 0.5)) == set()
    assert test_moments.violations(y, wrong(x, 0.5)) == {"variance"}


def test_transforms_need_jax_and_nothing_else():
    program = (
        "import sys, dropout_jax.transforms, dropout_jax.keys; "
        "print([m for m in ('flax', 'optax', 'scipy.stats', 'matplotlib', "
        "'tensorflow_datasets', 'ml_collections') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("name", names())
def test_moments_have_the_shape_of_the_output(name):
    entry = get(name)
    for example in entry.examples:
        x = fit(entry, jnp.ones((2, 2, 3)))
        found = moments(entry, example, x)
        assert all(part.shape == x.shape for part in found[:3])
