# SPDX-License-Identifier: Apache-2.0
"""The whole system learns: right loss at first, none at last, the same noise."""

import math

import numpy as np
import pytest

from dropout_jax import data
from dropout_jax.evaluation.metrics import accuracy, nll
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs

SEED = np.uint32(0)
IMAGES, LABELS = data.load("synthetic")[:2]
IMAGES, LABELS = IMAGES[:64], LABELS[:64].astype(np.int32)


@pytest.mark.parametrize(
    "fields",
    [
        {"model.widths": (64, 64)},
        {"model.name": "cnn", "model.channels": (8, 16), "model.widths": (16,)},
        {"model.name": "rnn", "model.widths": (16,)},
    ],
)
def test_the_initial_loss_is_that_of_guessing(tiny, fields):
    config = tiny({**fields, "noise.kind": "none", "noise.rates": ()})
    programs = build_programs(config, (28, 28), 10, 64)
    hparams = traced(config, programs.model.sites)
    state = programs.init(hparams, SEED)
    logits = programs.predict(state.params, state.model_state, IMAGES, hparams)
    assert abs(float(nll(logits, LABELS)) - math.log(10)) < 0.2
    # Weights ten times as large would be confident of nonsense.
    assert abs(float(nll(10 * logits, LABELS)) - math.log(10)) > 0.2


def test_an_mlp_learns_64_images_by_heart(tiny):
    fields = {"model.widths": (32,), "noise.kind": "none", "noise.rates": ()}
    config = tiny({**fields, "train.batch_size": 16, "train.epochs": 60})
    programs = build_programs(config, (28, 28), 10, 64)
    hparams = traced(config, programs.model.sites)
    state = programs.init(hparams, SEED)
    for stop in range(4, 4 * 60 + 1, 4):
        order = programs.order(SEED, stop // 4 - 1)
        state = programs.run_chunk(state, hparams, SEED, (IMAGES, LABELS), order, stop)
    logits = programs.predict(state.params, state.model_state, IMAGES, hparams)
    assert float(accuracy(logits, LABELS)) == 1.0
    assert float(nll(logits, LABELS)) < 0.02
    assert float(state.totals.loss) / 4 < 0.02 and float(state.totals.correct) == 64


def test_variational_noise_ends_where_it_ends_from_anywhere(tiny):
    """Two of sixteen pixels say the class: their alpha falls, the others' rises."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 128).astype(np.int32)
    images = random.integers(0, 256, (128, 4, 4)).astype(np.uint8)
    for pixel in (1, 2):
        images[:, 0, pixel] = 255 * labels

    ends = {}
    for initial in (-5.0, -1.0):
        config = tiny(
            {
                "model.widths": (),
                "noise.kind": "variational_dropout",
                "noise.rates": (),
                "noise.log_alpha_init": initial,
                "noise.max_alpha": 1.0,
                "noise.kl_warmup_epochs": 0.0,
                "optimizer.learning_rate": 0.003,
                "train.epochs": 120,
            }
        )
        programs = build_programs(config, (4, 4), 2, 128)
        hparams = traced(config, programs.model.sites)
        state = programs.init(hparams, SEED)
        start = state.params["noise_input"]["noise_log_alpha"]
        np.testing.assert_array_equal(start, np.full(16, initial, np.float32))
        for stop in range(4, 4 * 120 + 1, 4):
            order, data = programs.order(SEED, stop // 4 - 1), (images, labels)
            state = programs.run_chunk(state, hparams, SEED, data, order, stop)
        ends[initial] = np.asarray(state.params["noise_input"]["noise_log_alpha"])
    np.testing.assert_allclose(ends[-5.0], ends[-1.0], atol=0.15)
    informative = np.zeros(16, bool)
    informative[1:3] = True
    assert (ends[-5.0][informative] < -1.5).all()
    assert (ends[-5.0][~informative] > -0.1).all()
