# SPDX-License-Identifier: Apache-2.0
"""The fast draws are those of jax.random, bit for bit."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.transforms import bernoulli_mask, bits

pytestmark = pytest.mark.usefixtures("strict_promotion")

PAIRS = {
    "bits": (bits.bits, jax.random.bits),
    "uniform": (bits.uniform, jax.random.uniform),
    "normal": (bits.normal, jax.random.normal),
}
SHAPES = [(), (3, 0), (7, 11, 13), (300_001,)]
GOLDEN_MASKS = "4f2158d638baf07c3b053adf69ad7de1e9321a7d8280e22676564cc4695ca18b"


@pytest.fixture(autouse=True)
def _optimized(compile_as_users_do):
    compile_as_users_do()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equal_to_jax_random(shape):
    @jax.jit
    def both(key):
        return [
            (ours(key, shape), theirs(key, shape)) for ours, theirs in PAIRS.values()
        ]

    for seed in (0, 2**31 + 5):
        for drawn, expected in both(jax.random.key(seed)):
            assert drawn.dtype == expected.dtype
            np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_the_same_draws_in_every_program(name):
    """Compiled as users do; 2107 numbers leave a rest behind every vector width."""
    keys, shape = jax.random.split(jax.random.key(6), 3), (301, 7)

    def draw(key):
        return PAIRS[name][0](key, shape)

    def again(key):
        """The gradient of a sum of products: the draw, made in the backward pass."""
        dot = jax.checkpoint(lambda weights: jnp.sum(weights * draw(key)))
        return jax.grad(dot)(jnp.ones(shape))

    expected = jnp.stack([draw(key) for key in keys])
    programs = {
        "jit": lambda keys: jnp.stack([draw(key) for key in keys]),
        "scan": lambda keys: jax.lax.scan(lambda _, k: (None, draw(k)), None, keys)[1],
        "vmap": jax.vmap(draw),
        "remat": lambda keys: jnp.stack([again(key) for key in keys]),
    }
    for program, run in programs.items():
        found = jax.jit(run)(keys)
        np.testing.assert_array_equal(found, expected, err_msg=program)


def test_the_fast_path_is_taken():
    """Threefry must be written out: jax's own primitive lowers to slow loops."""
    key = jax.random.key(0)
    assert "threefry2x32" not in str(jax.make_jaxpr(lambda k: bits.bits(k, (4,)))(key))
    slow = str(jax.make_jaxpr(lambda k: jax.random.bits(k, (4,)))(key))
    assert "random_bits" in slow or "threefry2x32" in slow


@pytest.mark.parametrize("name", PAIRS)
def test_other_generators_fall_back(name):
    ours, theirs = PAIRS[name]
    key = jax.random.key(1, impl="rbg")
    np.testing.assert_array_equal(ours(key, (5, 3)), theirs(key, (5, 3)))
    key = jax.random.key(1)
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(ours(key, (5, 3)), theirs(key, (5, 3)))


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
@pytest.mark.parametrize("partitionable", [True, False])
def test_words_have_32_bits_whatever_the_precision(impl, partitionable):
    """`jax.random.bits` draws 64 of them under x64, unless it is told."""
    with jax.threefry_partitionable(partitionable):
        key = jax.random.key(3, impl=impl)
        wanted = bits.bits(key, (5, 3)), bernoulli_mask(key, 0.3, (5, 3))
        with jax.enable_x64(True):
            found = bits.bits(key, (5, 3)), bernoulli_mask(key, 0.3, (5, 3))
    assert found[0].dtype == jnp.uint32
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_more_than_a_32_bit_counter_falls_back():
    """2**33 words need the high counter word; traced only, never computed."""
    key = jax.random.key(0)
    program = str(jax.make_jaxpr(lambda k: bits.bits(k, (2**17, 2**16)))(key))
    assert "random_bits" in program


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0])
def test_mask_is_jax_random_bernoulli(rate):
    key = jax.random.key(4)
    theirs = jax.random.bernoulli(key, 1 - jnp.float32(rate), (1000, 333))
    np.testing.assert_array_equal(bernoulli_mask(key, rate, (1000, 333)), theirs)
    traced = jax.jit(lambda r: bernoulli_mask(key, r, (1000, 333)))(rate)
    np.testing.assert_array_equal(traced, theirs)


def test_masks_with_rates_per_unit():
    key, rates = jax.random.key(4), jnp.linspace(0.0, 1.0, 5)
    theirs = jax.random.bernoulli(key, 1 - rates[None], (100, 5))
    np.testing.assert_array_equal(bernoulli_mask(key, rates[None], (100, 5)), theirs)


def test_golden_masks():
    """A change of bits changes every published number: it must not pass unseen."""
    masks = [
        np.asarray(bernoulli_mask(jax.random.key(seed), rate, (64, 33)))
        for seed in (0, 1, 2)
        for rate in (0.1, 0.5, 0.8)
    ]
    digest = hashlib.sha256(np.packbits(np.stack(masks)).tobytes()).hexdigest()
    assert digest == GOLDEN_MASKS, (
        f"masks are other bits under jax {jax.__version__}: read its release notes "
        "(docs.jax.dev, Change log) on jax.random and jax_threefry_partitionable"
    )


def test_the_key_reuse_checker_sees_our_draws():
    def twice(key):
        return bits.uniform(key, (3,)) + bits.uniform(key, (3,))

    with jax.debug_key_reuse(True):
        jax.jit(lambda key: bits.uniform(key, (3,)))(jax.random.key(0))
        with pytest.raises(jax.errors.KeyReuseError):
            jax.jit(twice)(jax.random.key(0))
