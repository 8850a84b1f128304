# SPDX-License-Identifier: Apache-2.0
"""Max-norm and shifts within a training step, not only in their own functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs

SIDE, CLASSES, COUNT = 5, 10, 12
MIDDLE = SIDE // 2


@pytest.fixture
def advance(tiny, random_state):
    """Returns a function to the logits' kernel before and after one SGD step."""

    def make(fields, images, start=0):
        config = tiny(
            {
                "model.widths": (),
                "noise.kind": "none",
                "noise.rates": (),
                "optimizer.name": "sgd",
                "optimizer.learning_rate": 1.0,
                "train.batch_size": COUNT,
                **fields,
            }
        )
        programs = build_programs(config, (SIDE, SIDE), CLASSES, COUNT)
        hparams = traced(config, programs.model.sites)
        state = random_state(programs, hparams)._replace(step=jnp.int32(start))
        before = np.asarray(state.params["logits"]["kernel"])
        labels = np.arange(COUNT, dtype=np.int32) % CLASSES
        end = programs.run_chunk(
            jax.tree.map(jnp.copy, state),
            hparams,
            np.uint32(0),
            (images, labels),
            programs.order(np.uint32(0), 0),
            start + 1,
        )
        return before, np.asarray(end.params["logits"]["kernel"])

    return make


def test_max_norm_acts_after_each_step(advance):
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE), np.uint8)
    bound = 1.6
    _, free = advance({}, images)
    _, bounded = advance({"regularizer.max_norm": bound}, images)
    norms = np.sqrt((np.float64(free) ** 2).sum(0, keepdims=True))
    assert norms.min() < bound < norms.max()  # some units are scaled, some are not
    expected = free * np.minimum(1.0, bound / norms)
    np.testing.assert_allclose(bounded, expected, rtol=1e-5)


def test_shifts_change_what_a_step_sees(advance):
    """Only pixels that are lit in some image move their row of the kernel."""
    images = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    images[:, MIDDLE, MIDDLE] = 255

    def lit(fields, start=0):
        before, after = advance(fields, images, start)
        moved = np.abs(after - before).max(1).reshape(SIDE, SIDE) > 1e-6
        return {(int(row), int(column)) for row, column in np.argwhere(moved)}

    assert lit({}) == {(MIDDLE, MIDDLE)}
    around = {(row, column) for row in (1, 2, 3) for column in (1, 2, 3)}
    first, second = (lit({"data.shift": 1}, start) for start in (0, 1))
    # Twelve images with offsets of their own, drawn anew at the next step.
    assert first <= around and second <= around
    assert len(first) >= 4 and len(second) >= 4
    assert first != second
