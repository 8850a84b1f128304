# SPDX-License-Identifier: Apache-2.0
"""Under `jax_numpy_dtype_promotion=strict` everything is traced as it is without.

An implicit promotion is an error when a program is traced, so nothing is computed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.dtypes import TypePromotionError

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training import losses
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.optimizers import make_schedule
from dropout_jax.training.programs import build_programs

SIZE = 8
MODELS = {
    "mlp": {"model.name": "mlp", "model.widths": (3,)},
    "cnn": {
        "model.name": "cnn",
        "model.channels": (2,),
        "model.widths": (3,),
        "model.batch_norm": True,
    },
    "lstm": {"model.name": "rnn", "model.widths": (3,), "model.cell": "lstm"},
    "gru": {"model.name": "rnn", "model.widths": (3,), "model.cell": "gru"},
}
REGULARIZED = {
    "regularizer.weight_decay": 0.1,
    "regularizer.l2": 0.1,
    "regularizer.label_smoothing": 0.1,
    "regularizer.max_norm": 1.0,
    "optimizer.clip_norm": 1.0,
    "optimizer.warmup_epochs": 1.0,
}
KINDS = ("none", "dropout", "gaussian_dropout", "variational_dropout")
CASES = [
    *((model, {"noise.kind": kind}) for model in MODELS for kind in KINDS),
    *(
        ("mlp", {"optimizer.name": name, **REGULARIZED})
        for name in ("adamw", "sgd", "momentum", "nesterov")
    ),
    *(
        ("mlp", {"optimizer.schedule": name, "optimizer.step_epochs": (1.5,)})
        for name in ("constant", "step", "cosine")
    ),
    *(
        (
            "mlp",
            {"noise.kind": "dropout", "noise.schedule": s, "noise.schedule_epochs": 1},
        )
        for s in ("linear", "early", "late", "curriculum", "annealed")
    ),
    ("mlp", {"noise.kind": "variational_dropout", "noise.kl_warmup_epochs": 1.0}),
    ("mlp", {"noise.kind": "variational_dropout", "noise.max_alpha": 1.0}),
    ("mlp", {"noise.kind": "concrete_dropout"}),
    ("mlp", {"noise.kind": "variational_dense"}),
    ("mlp", {"noise.kind": "logit_normal_dropout"}),
    ("cnn", {"noise.kind": "variational_conv"}),
    ("cnn", {"noise.kind": "dropblock", "noise.block": 2}),
    ("lstm", {"noise.kind": "zoneout"}),
    ("gru", {"noise.kind": "weight_drop"}),
    ("mlp", {"data.shift": 1, "data.flip": True}),
]


pytestmark = [pytest.mark.usefixtures("strict_promotion"), pytest.mark.long]


@pytest.mark.parametrize(("model", "fields"), CASES, ids=str)
def test_training_and_evaluation(model, fields):
    config = override(defaults(), {**MODELS[model], **fields, "train.batch_size": 4})
    programs = build_programs(config, (SIZE, SIZE), 10, 8)
    # Under this setting a program of its own, whatever another test has kept.
    assert jax.config.jax_numpy_dtype_promotion == "strict"
    hparams, seed = traced(config, programs.model.sites), jnp.uint32(0)
    images = jax.ShapeDtypeStruct((8, SIZE, SIZE), jnp.uint8)
    labels = jax.ShapeDtypeStruct((8,), jnp.int32)
    order = jax.ShapeDtypeStruct((8,), jnp.int32)
    state = jax.eval_shape(programs.init, hparams, seed)
    arguments = (hparams, seed, (images, labels), order, 3)
    assert jax.eval_shape(programs.run_chunk, state, *arguments) == state
    jax.eval_shape(
        programs.evaluate,
        *(state.params, state.model_state, [(images, labels)], hparams),
    )
    assert 0 <= float(make_schedule(config, 2)(3)) <= 1


def test_an_implicit_promotion_would_be_noticed():
    with pytest.raises(TypePromotionError, match="strict"):
        jnp.ones(2, jnp.int32) + jnp.ones(2, jnp.float32)


def test_a_loss_of_labels_that_no_class_has():
    logits = jnp.zeros((2, 3))
    with pytest.raises(ValueError, match=r"labels hold 3 \(at 1\)"):
        losses.cross_entropy(logits, np.array([0, 3]), 0.0)
    loss = jax.jit(losses.cross_entropy)
    np.testing.assert_allclose(loss(logits, jnp.array([0, 2]), 0.0), np.log(3), 1e-6)
