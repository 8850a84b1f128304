# SPDX-License-Identifier: Apache-2.0
"""Counts, axes and flags: what passes, and that nothing else does, everywhere."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import keys, theory, transforms
from dropout_jax.arguments import flag, whole, whole_numbers
from dropout_jax.evaluation import (
    detection,
    expected_best,
    mc_dropout,
    metrics,
    power,
    statistics,
)
from dropout_jax.theory import propagation
from dropout_jax.transforms import concrete_regularizer, schedules

# What compares and multiplies like a number, and is none that can be counted with.
NO_COUNTS = (1.5, 1.0, np.float64(1.0), "1", b"1", True, np.True_, None)
NO_COUNTS += (jnp.float32(1.0), jnp.bool_(True), np.ones(1, int), 1j)
NO_FLAGS = ("False", "True", "", 0, 1, None, np.array([True]), 0.0, (False,))
X = jnp.ones((2, 4, 4, 3))
KEY = jax.random.key(0)
LOGITS, LABELS = jnp.zeros((4, 3)), jnp.zeros(4, jnp.int32)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_every_integer_counts(value):
    assert whole("n", value) == 3 and type(whole("n", value)) is int
    assert whole("n", jnp.int32(3)) == 3


@pytest.mark.parametrize("value", [True, np.False_, np.bool_(True)])
def test_every_boolean_is_a_flag(value):
    assert flag("f", value) is bool(value)


def test_one_number_stands_for_a_sequence_of_one():
    assert whole_numbers("n", 2) == (2,) == whole_numbers("n", np.array([2]))


def mask(axes):
    return transforms.dropout(KEY, X, 0.5, shared_axes=axes)


WHOLE = {
    "shared_axes": lambda n: mask((n,)),
    "shared_axes of moments": lambda n: transforms.dropout_moments(
        X, 0.5, shared_axes=(n,)
    ),
    "batch_axis of drop_path": lambda n: transforms.drop_path(
        KEY, X, 0.5, batch_axis=n
    ),
    "channel_axis": lambda n: transforms.spatial_dropout(KEY, X, 0.5, channel_axis=n),
    "channel_axis of moments": lambda n: transforms.spatial_dropout_moments(
        X, 0.5, channel_axis=n
    ),
    "axes": lambda n: transforms.dropblock(KEY, X, 0.5, block_size=2, axes=(n, 2)),
    "block_size": lambda n: transforms.dropblock(KEY, X, 0.5, block_size=n),
    "map_shape": lambda n: transforms.dropblock_seed_rate(0.1, (7, n), 1),
    "shape": lambda n: transforms.bernoulli_mask(KEY, 0.5, (2, n)),
    "depth": lambda n: transforms.linear_depth_rates(0.5, n),
    "strides": lambda n: transforms.variational_conv(
        KEY, X, -3.0, kernel=jnp.ones((1, 1, 3, 1)), strides=(1, n)
    ),
    "batch_axis of the KL": lambda n: (
        transforms.kl_per_example(jnp.ones(3), (2, 3), batch_axis=n)
        if n is not None
        else whole("batch_axis", None)
    ),
    "shape of the KL": lambda n: transforms.kl_per_example(jnp.ones(3), (n, 3)),
    "steps": lambda n: schedules.linear(0.0, 0.5, n),
    "start": lambda n: schedules.late(0.5, n),
    "boundaries": lambda n: schedules.piecewise((0.1, 0.2), (n,)),
    "examples": lambda n: concrete_regularizer(
        jnp.ones((3, 2)), jnp.zeros(3), examples=n
    ),
    "seed": keys.root_key,
    "step": lambda n: keys.step_key(keys.root_key(0), n),
    "bins": lambda n: metrics.ece(LOGITS, LABELS, n),
    "bins of reliability": lambda n: metrics.reliability(LOGITS, LABELS, bins=n),
    "bins of equal counts": lambda n: metrics.adaptive_ece(LOGITS, LABELS, n),
    "n_samples": lambda n: mc_dropout.mc_predict(
        lambda v, x, key: x, (), LOGITS, KEY, n
    ),
    "chunk": lambda n: mc_dropout.mc_predict(
        lambda v, x, key: x, (), LOGITS, KEY, 1, chunk=n
    ),
    "pairs": lambda n: power.paired_power(0.5, n),
    "pairs of an effect": lambda n: power.minimum_detectable_effect(1.0, n),
    "count": lambda n: (
        statistics.percent_right(0.5, n) if n is not None else whole("count", None)
    ),
    "units": theory.all_masks,
    "axis": lambda n: propagation.max_pool(propagation.Normal(X, X), n),
}


@pytest.mark.parametrize("what", WHOLE)
def test_what_counts_is_a_whole_number(what):
    for value in NO_COUNTS:
        with pytest.raises(TypeError) as caught:
            WHOLE[what](value)
        message = str(caught.value)
        assert "\n" not in message and message.startswith(f"{what.split()[0]} is ")
        assert "whole number" in message or "one integer" in message


def test_an_axis_that_is_traced_is_told_as_one():
    with pytest.raises(TypeError, match=r"shared_axes is .*it must be a whole number"):
        jax.jit(lambda axis: mask((axis,)))(1)


@pytest.mark.parametrize("axes", [1.5, "12", "1", None, {"axis": 1}, (0, 0.5), (True,)])
def test_axes_are_whole_numbers_or_refused(axes):
    with pytest.raises(TypeError, match=r"shared_axes is .*it must be a whole number"):
        mask(axes)


def test_one_axis_may_be_a_number_as_in_numpy():
    np.testing.assert_array_equal(mask(1), mask((1,)))
    np.testing.assert_array_equal(mask(np.int64(0)), mask([0]))
    assert (mask(0) != mask(())).any()


FLAGS = {
    "hard": lambda f: transforms.concrete_dropout(KEY, X, 0.0, hard=f),
    "unbiased": lambda f: transforms.concrete_dropout(KEY, X, 0.0, unbiased=f),
    "hard of moments": lambda f: transforms.concrete_dropout_moments(X, 0.0, hard=f),
    "rescale": lambda f: transforms.logit_normal_dropout(KEY, X, 0.0, 0.0, rescale=f),
    "rescale of moments": lambda f: transforms.logit_normal_dropout_moments(
        X, 0.0, 0.0, rescale=f
    ),
    "rising": lambda f: expected_best.expected_best([1.0, 2.0], rising=f),
}


@pytest.mark.parametrize("what", FLAGS)
def test_a_flag_is_a_boolean(what):
    for value in NO_FLAGS:
        with pytest.raises(TypeError) as caught:
            FLAGS[what](value)
        message = str(caught.value)
        assert "\n" not in message and message.startswith(f"{what.split()[0]} is ")
        assert "True or False" in message
    FLAGS[what](np.True_)


def test_right_and_wrong_are_flags_too():
    for correct in (["False", "True"], [0.3, 1.0], [2, 1], [None, True]):
        with pytest.raises(TypeError, match=r"correct has dtype .*True or False"):
            detection.risk_coverage([0.1, 0.2], correct)
    assert detection.risk_coverage([0.1, 0.2], [1, 0]).risk.tolist() == [0.0, 0.5]


@pytest.mark.parametrize("seed", [jnp.float32(1.5), jnp.ones(2, jnp.int32), True])
def test_a_seed_that_would_be_cut_is_refused(seed):
    with pytest.raises(TypeError, match=r"seed is .*(one integer|whole number)"):
        keys.root_key(seed)


def test_a_step_out_of_range_and_a_stream_without_a_name():
    root = keys.root_key(0)
    for step in (-1, 2**32):
        with pytest.raises(ValueError, match=f"step is {step}; it must be in"):
            keys.step_key(root, step)
    with pytest.raises(TypeError, match="name is 3; it must be a string"):
        keys.stream(root, 3)  # pyright: ignore[reportArgumentType]


NO_RATES = (True, np.True_, "0.5", None, 0.5j, jnp.bool_(True), jnp.complex64(0.5))


@pytest.mark.parametrize("value", NO_RATES, ids=repr)
def test_a_strength_is_a_real_number(value):
    """True for a rate would drop everything: it is what other libraries call train."""
    for name in transforms.names():
        transform = transforms.get(name)
        example = transform.examples[0]
        given = dict(example.options)
        x = X if name == "variational_conv" else X[:, 0]
        if "previous" in given:
            given["previous"] = x
        both = (value, *example.parameters[1:])
        for call in (
            lambda t=transform, x=x, b=both, g=given: t.apply(KEY, x, *b, **g),
            lambda t=transform, x=x, b=both, g=given: t.moments(x, *b, **g),
        ):
            if value is None and name == "gaussian_dropout":
                with pytest.raises(ValueError, match="give one of them"):
                    call()
                continue
            with pytest.raises(TypeError, match=r" is .*; it must be ") as caught:
                call()
            assert "\n" not in str(caught.value)


def test_a_temperature_is_one_number():
    def traced(temperature):
        return transforms.concrete_dropout(KEY, X, 0.0, temperature=temperature)

    with pytest.raises(TypeError, match=r"temperature is .*it must be one number"):
        jax.jit(traced)(0.1)
    with pytest.raises(TypeError, match="temperature is an array of shape"):
        traced(np.full(3, 0.1))
    np.testing.assert_array_equal(traced(np.float64(0.1)), traced(0.1))
    np.testing.assert_array_equal(traced(jnp.float32(0.5)), traced(0.5))


def test_every_axis_and_size_of_a_transform_is_tried():
    """A new argument with such a name wants a row above."""
    tried = {what.split()[0] for what in (*WHOLE, *FLAGS)}
    for name in transforms.names():
        transform = transforms.get(name)
        for call in (transform.apply, transform.moments):
            for argument in inspect.signature(call).parameters:
                if argument.endswith(("axis", "axes", "size", "strides", "shape")):
                    assert argument in tried, argument
