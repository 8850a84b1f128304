# SPDX-License-Identifier: Apache-2.0
"""What the KL of learned noise counts: one term for every factor of one example."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.transforms import get, kl_bernoulli, kl_per_example, names

FEATURES = 3
KL = np.array([0.5, 1.0, 4.0], "f4")
MAP, SEQUENCE = (6, 4, 5, FEATURES), (6, 7, FEATURES)


@pytest.mark.parametrize(
    ("shape", "shared_axes", "batch_axis", "copies"),
    [
        ((6, FEATURES), (), 0, 1),
        ((FEATURES,), (), 0, 1),
        ((FEATURES,), (), None, 1),
        (MAP, (), 0, 4 * 5),
        (MAP, (1, 2), 0, 1),
        (MAP, (-3, -2), 0, 1),
        (MAP, (1,), 0, 5),
        (MAP, (0,), 0, 4 * 5),
        (MAP, (0, 1, 2), 0, 1),
        (MAP[1:], (), None, 4 * 5),
        (MAP[1:], (-2,), None, 4),
        (SEQUENCE, (), 0, 7),
        (SEQUENCE, (1,), 0, 1),
        (SEQUENCE, (), 1, 6),  # time first
        (SEQUENCE, (0,), -2, 1),
        ((0, *MAP[1:]), (), 0, 4 * 5),
    ],
)
def test_a_term_for_each_draw_of_one_example(shape, shared_axes, batch_axis, copies):
    settings = {"shared_axes": shared_axes, "batch_axis": batch_axis}
    found = kl_per_example(KL, shape, **settings)
    np.testing.assert_allclose(found, copies * KL.sum(), rtol=1e-6)
    ranked = KL.reshape((1,) * (len(shape) - 1) + KL.shape)
    np.testing.assert_array_equal(kl_per_example(ranked, shape, **settings), found)
    scalar = kl_per_example(2.0, shape, **settings)
    np.testing.assert_allclose(scalar, 2.0 * copies * FEATURES, rtol=1e-6)


def test_a_value_per_element_is_summed_as_it_is():
    kl = np.random.default_rng(0).random(MAP[1:]).astype("f4")
    np.testing.assert_allclose(kl_per_example(kl, MAP), kl.sum(), rtol=1e-6)
    rows = kl[:, :1, :1]
    found = kl_per_example(rows, MAP, shared_axes=(-1,))
    np.testing.assert_allclose(found, 5 * rows.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("kl", "settings", "match"),
    [
        (KL, {"shared_axes": (-1,)}, "kl varies along axis 3"),
        (KL, {"batch_axis": 3}, "kl varies along axis 3"),
        (np.ones((6, 1, 1, 1)), {}, "kl varies along axis 0"),
        (np.ones(4), {}, "must broadcast to"),
        (np.ones((1, *MAP)), {}, "must broadcast to"),
        (KL, {"shared_axes": (4,)}, "shared_axes is"),
        (KL, {"batch_axis": 4}, "batch_axis is"),
    ],
)
def test_what_has_no_kl_is_refused(kl, settings, match):
    with pytest.raises(ValueError, match=match):
        kl_per_example(kl, MAP, **settings)


def test_more_factors_than_an_integer_holds():
    found = kl_per_example(jnp.ones(1), (2, 2**20, 2**20, 1))
    assert float(found) == 2.0**40


# Options under which the factors of a learned kind are continuous, so that two draws
# are never equal.
SOFT = {"concrete_dropout": {"temperature": 2.0}}
KINDS = [name for name in names() if get(name).layer and get(name).learned]
SHARED = [
    axes for count in range(4) for axes in itertools.combinations(range(3), count)
]


@pytest.mark.parametrize("shared_axes", SHARED)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_sum_over_the_factors_that_are_drawn(kind, shared_axes):
    """Each different factor of an example counts, with the KL of its own law."""
    transform = get(kind)
    values = [
        np.linspace(-1.0, 1.0, FEATURES, dtype="f4") + leaf.initial / 4
        for leaf in transform.learned
    ]
    shape = (5, 3, 4, FEATURES)
    ranked = [value.reshape(1, 1, 1, -1) for value in values]
    factors = transform.apply(
        jax.random.key(1),
        jnp.ones(shape),
        *ranked,
        shared_axes=shared_axes,
        **SOFT.get(kind, {}),
    )
    expected = sum(
        len(np.unique(factors[2, :, :, feature]))
        * float(transform.kl(*(value[feature] for value in values)))
        for feature in range(FEATURES)
    )
    kl = transform.kl(*ranked)
    found = kl_per_example(kl, shape, shared_axes=shared_axes)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


PIXELS, EXAMPLES = 6, 4
MASKS = np.array(list(itertools.product((0.0, 1.0), repeat=PIXELS)))


def likelihoods():
    """log p(y | x, mask) of all examples, per mask; y is the sum of all pixels."""
    random = np.random.default_rng(3)
    x, noise = random.normal(size=(EXAMPLES, PIXELS)), random.normal(size=EXAMPLES)
    y = x.sum(1) + 0.3 * noise
    errors = y[:, None] - x @ MASKS.T
    return -0.5 * np.sum((errors / 0.3) ** 2, 0)


def bound_less_evidence(copies):
    """The largest excess of the bound over the evidence, for any learned rate."""
    given = likelihoods()
    evidence = np.logaddexp.reduce(given) - PIXELS * np.log(2.0)
    excess = []
    for logit in np.linspace(-8.0, 8.0, 33):
        rate = 1.0 / (1.0 + np.exp(-logit))
        kept = MASKS.sum(1)
        weights = rate ** (PIXELS - kept) * (1.0 - rate) ** kept
        excess.append(weights @ given - copies * float(kl_bernoulli(logit)) - evidence)
    return max(excess)


def test_it_makes_a_lower_bound_of_the_evidence():
    """By enumeration of all masks of a map, one rate for its only channel.

    The masks are the latent variables of all examples, each with prior 1/2.
    """
    shape = (EXAMPLES, 2, 3, 1)
    kl = kl_per_example(kl_bernoulli(jnp.zeros(1) - 1.0), shape)
    copies = float(kl) / float(kl_bernoulli(-1.0))
    np.testing.assert_allclose(copies, PIXELS, rtol=1e-6)
    # Tight, because the posterior is nearly that of one rate: no pixel is dropped.
    assert -1.0 < bound_less_evidence(copies) < 0.0
    assert bound_less_evidence(1) > 1.0  # once per channel
    assert bound_less_evidence(EXAMPLES * PIXELS) < -10.0  # the batch counted
