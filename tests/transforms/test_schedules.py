# SPDX-License-Identifier: Apache-2.0
"""Schedules: the rate at every step, and one compilation for all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.transforms import dropout, schedules

STEPS = jnp.arange(0, 101)


def rates(schedule):
    return np.asarray(schedule(STEPS))


def test_values():
    np.testing.assert_array_equal(rates(schedules.constant(0.25)), 0.25)
    up = rates(schedules.linear(0.1, 0.5, 50))
    np.testing.assert_allclose(up[:51], np.linspace(0.1, 0.5, 51), rtol=1e-5)
    np.testing.assert_allclose(up[50:], 0.5, rtol=1e-6)
    fall = rates(schedules.early(0.5, 20))
    np.testing.assert_allclose(fall[:21], np.linspace(0.5, 0, 21), atol=1e-6)
    assert (fall[20:] == 0).all()
    flat = rates(schedules.early(0.5, 20, "constant"))
    np.testing.assert_array_equal(flat, np.where(np.arange(101) < 20, 0.5, 0))
    late = rates(schedules.late(0.5, 20))
    np.testing.assert_array_equal(late, np.where(np.arange(101) < 20, 0, 0.5))
    stairs = rates(schedules.piecewise((0.5, 0.25, 0.0), (10, 30)))
    expected = np.select([np.arange(101) < 10, np.arange(101) < 30], [0.5, 0.25], 0)
    np.testing.assert_array_equal(stairs, expected)


def test_curriculum_is_the_published_curve():
    """Keep probability (1 - k) exp(-gamma t) + k, and its annealed mirror image."""
    keep, gamma = 0.5, 0.05
    published = (1 - keep) * np.exp(-gamma * np.arange(101)) + keep
    rising = rates(schedules.curriculum(1 - keep, gamma))
    np.testing.assert_allclose(1 - rising, published, rtol=1e-5)
    annealed = 1 - (1 - keep) * np.exp(-gamma * np.arange(101))
    falling = rates(schedules.annealed(1 - keep, gamma))
    np.testing.assert_allclose(1 - falling, annealed, rtol=1e-5)


def test_schedules_are_the_published_arrays():
    """facebookresearch/dropout fills arrays per iteration; DropBlock uses linspace."""
    rate, cutoff, total = 0.1, 50, 80
    steps = np.arange(total)
    after = np.zeros(total - cutoff)
    linear = np.concatenate([np.linspace(rate, 0, cutoff), after])
    ours = schedules.early(rate, cutoff - 1)(steps)
    np.testing.assert_allclose(ours, linear, atol=1e-7)
    constant = np.concatenate([np.full(cutoff, rate), after])
    ours = schedules.early(rate, cutoff, "constant")(steps)
    np.testing.assert_allclose(ours, constant, rtol=1e-6)
    late = np.concatenate([np.zeros(cutoff), np.full(total - cutoff, rate)])
    np.testing.assert_allclose(schedules.late(rate, cutoff)(steps), late, rtol=1e-6)
    dropblock = np.linspace(0.0, 0.25, 40)
    ours = schedules.linear(0.0, 0.25, 39)(np.arange(40))
    np.testing.assert_allclose(ours, dropblock, rtol=1e-6)


EVERY = [
    schedules.constant(0.5),
    schedules.linear(0.0, 0.5, 10),
    schedules.early(0.5, 10),
    schedules.late(0.5, 10),
    schedules.curriculum(0.5, 0.1),
    schedules.annealed(0.5, 0.1),
    schedules.piecewise((0.1, 0.3), (5,)),
]


@pytest.mark.parametrize("schedule", EVERY)
def test_one_compilation_for_the_whole_schedule(schedule):
    traces = []

    @jax.jit
    def step(number):
        traces.append(number)
        return dropout(jax.random.key(0), jnp.ones(1000), schedule(number))

    for number in (0, 5, 20):
        rate = float(schedule(number))
        expected = dropout(jax.random.key(0), jnp.ones(1000), rate)
        np.testing.assert_allclose(step(number), expected, rtol=1e-5)
    assert len(traces) == 1
    assert schedule(jnp.int32(3)).dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: schedules.constant(1.5), "rate is 1.5; it must be a probability"),
        (lambda: schedules.linear(0.1, -0.5, 10), "last is -0.5"),
        (lambda: schedules.linear(0.1, 0.5, 0), "steps is 0; it must be at least"),
        (lambda: schedules.early(0.5, 10, "cosine"), "shape is 'cosine'"),
        (lambda: schedules.early(0.5, 0, "constant"), "steps is 0"),
        (lambda: schedules.early(2.0, 5, "constant"), "rate is 2.0"),
        (lambda: schedules.late(0.5, 0), "start is 0; it must be at least 1"),
        (lambda: schedules.curriculum(0.5, 0.0), "gamma is 0.0; it must be finite"),
        (lambda: schedules.annealed(0.5, float("inf")), "gamma is inf"),
        (lambda: schedules.annealed(float("nan"), 0.1), "rate is nan"),
        (lambda: schedules.piecewise((0.1,), (5,)), "one rate more than boundaries"),
        (lambda: schedules.piecewise((0.1, 0.2, 0.3), (9, 5)), "must ascend"),
    ],
)
def test_impossible_schedules_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
