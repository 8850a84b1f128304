# SPDX-License-Identifier: Apache-2.0
"""One step, against the same arithmetic in float64 by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import keys, nn
from dropout_jax.config import UserError, defaults
from dropout_jax.config.loading import override
from dropout_jax.training import losses
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.optimizers import make_optimizer
from dropout_jax.training.step import TrainState, make_train_step, zero_totals
from dropout_jax.transforms import kl_log_uniform

BATCH, SIDE, CLASSES, STEPS_PER_EPOCH, TRAIN_SIZE = 6, 3, 4, 4, 24
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (BATCH, SIDE, SIDE)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 3, 0, 1], np.int32)
KERNEL = RANDOM.normal(0, 0.5, (SIDE * SIDE, CLASSES))
BIAS = RANDOM.normal(0, 0.5, CLASSES)
LEARNING_RATE = 0.3


def settings(name, **fields):
    return override(
        defaults(),
        {
            "model.widths": (),
            "optimizer.name": name,
            "optimizer.schedule": "constant",
            "optimizer.learning_rate": LEARNING_RATE,
            **{path.replace("__", "."): value for path, value in fields.items()},
        },
    )


def start(config, params):
    params = jax.tree.map(jnp.asarray, params)
    hparams = traced(config, nn.build_model(config, CLASSES).sites)
    optimizer = make_optimizer(config, STEPS_PER_EPOCH, hparams)
    return hparams, TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        model_state={},
        opt_state=optimizer.init(params),
        totals=zero_totals(),
    )


def compiled(config):
    model = nn.build_model(config, CLASSES)
    return jax.jit(make_train_step(config, model, STEPS_PER_EPOCH, TRAIN_SIZE))


def softmax_regression(kernel, bias, l2, smoothing):
    """Loss without penalties, its gradient with them, number of right predictions."""
    x = IMAGES.reshape(BATCH, -1) / 255.0
    logits = x @ kernel + bias
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = np.eye(CLASSES)[LABELS] * (1 - smoothing) + smoothing / CLASSES
    error = (np.exp(log_p) - target) / BATCH
    loss = -(target * log_p).sum() / BATCH
    return loss, x.T @ error + l2 * kernel, error.sum(0), logits.argmax(1) == LABELS


def by_hand(name, steps, *, decay=0.0, l2=0.0, smoothing=0.0, momentum=0.9):
    kernel, bias = KERNEL.copy(), BIAS.copy()
    first = [np.zeros_like(kernel), np.zeros_like(bias)]
    second = [np.zeros_like(kernel), np.zeros_like(bias)]
    totals = np.zeros(3)
    for t in range(1, steps + 1):
        loss, *gradient, correct = softmax_regression(kernel, bias, l2, smoothing)
        norm = np.sqrt(sum((g**2).sum() for g in gradient))
        totals += [loss, correct.sum(), norm]
        updates = []
        for i, g in enumerate(gradient):
            if name == "adamw":
                first[i] = 0.9 * first[i] + 0.1 * g
                second[i] = 0.999 * second[i] + 0.001 * g**2
                hat = np.sqrt(second[i] / (1 - 0.999**t))
                update = first[i] / (1 - 0.9**t) / (hat + 1e-8)
            else:
                first[i] = momentum * first[i] + g
                update = {
                    "sgd": g,
                    "momentum": first[i],
                    "nesterov": g + momentum * first[i],
                }[name]
            updates.append(update)
        kernel = kernel - LEARNING_RATE * (updates[0] + decay * kernel)
        bias = bias - LEARNING_RATE * updates[1]
    return kernel, bias, totals


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adamw"])
def test_three_steps_by_hand(name):
    step = compiled(settings(name))
    results = {}
    for label, options in {
        "plain": {},
        "decay": {"decay": 0.2},
        "l2": {"l2": 0.2},
        "smooth": {"smoothing": 0.3, "momentum": 0.5},
    }.items():
        momentum = options.get("momentum", 0.9)
        config = settings(
            name,
            regularizer__weight_decay=options.get("decay", 0.0),
            regularizer__l2=options.get("l2", 0.0),
            regularizer__label_smoothing=options.get("smoothing", 0.0),
            optimizer__momentum=momentum,
        )
        params = {"logits": {"kernel": np.float32(KERNEL), "bias": np.float32(BIAS)}}
        hparams, state = start(config, params)
        for _ in range(3):
            state = step(state, hparams, np.uint32(0), IMAGES, LABELS)
        kernel, bias, totals = by_hand(name, 3, **options)
        found = state.params["logits"]
        # AdamW divides by 1 - 0.999**t, of which float32 keeps four digits.
        tolerance = 3e-5 if name == "adamw" else 3e-6
        np.testing.assert_allclose(found["kernel"], kernel, atol=tolerance)
        np.testing.assert_allclose(found["bias"], bias, atol=tolerance)
        np.testing.assert_allclose(np.array(state.totals), totals, rtol=1e-5)
        assert int(state.step) == 3
        results[label] = np.asarray(found["kernel"])
    assert step._cache_size() == 1  # strengths are traced
    difference = np.abs(results["decay"] - results["l2"]).max()
    # Plain SGD cannot tell the two; every other rule does.
    assert difference < 1e-6 if name == "sgd" else difference > 1e-3
    assert np.abs(results["decay"] - results["plain"]).max() > 1e-2


def test_kl_is_divided_by_the_training_set_and_warmed_up():
    config = settings(
        "sgd", noise__kind="variational_dropout", noise__kl_warmup_epochs=2.0
    )
    step = compiled(config)
    log_alpha = np.linspace(-4, 1, SIDE * SIDE, dtype=np.float32)
    params = {
        "logits": {"kernel": np.float32(KERNEL), "bias": np.float32(BIAS)},
        "noise_input": {"noise_log_alpha": log_alpha},
    }
    hparams, state = start(config, params)
    slope = jax.grad(lambda a: kl_log_uniform(a).sum())(jnp.asarray(log_alpha))
    for number, warmup in ((0, 0.0), (2, 0.25), (6, 0.75), (8, 1.0), (50, 1.0)):
        at = state._replace(step=jnp.int32(number))
        ends = [
            step(at, hparams._replace(kl_weight=w), np.uint32(0), IMAGES, LABELS).params
            for w in (jnp.float32(0), jnp.float32(2))
        ]
        moved = [end["noise_input"]["noise_log_alpha"] for end in ends]
        expected = -LEARNING_RATE * 30.0 * 2.0 * warmup * slope / TRAIN_SIZE
        np.testing.assert_allclose(moved[1] - moved[0], expected, atol=2e-6)
        # The KL pulls at the noise alone.
        np.testing.assert_array_equal(*(end["logits"]["kernel"] for end in ends))
    assert np.abs(np.asarray(expected)).max() > 0.01


def test_the_weights_have_their_part_in_the_kl_of_concrete_dropout():
    """The gradient of length_scale**2 / 2 sum w**2 / (1 - rate), by hand."""
    logit = np.linspace(-3, 1, SIDE * SIDE, dtype=np.float32)
    params = {
        "logits": {"kernel": np.float32(KERNEL), "bias": np.float32(BIAS)},
        "noise_input": {"noise_logit_rate": logit},
    }
    ends = {}
    for scale in (0.0, 3.0):
        config = settings(
            "sgd",
            noise__kind="concrete_dropout",
            noise__kl_warmup_epochs=2.0,
            noise__kl_weight=0.5,
            noise__length_scale=scale,
        )
        hparams, state = start(config, params)
        state = state._replace(step=jnp.int32(STEPS_PER_EPOCH))  # half warmed up
        step = compiled(config)
        ends[scale] = step(state, hparams, np.uint32(0), IMAGES, LABELS).params
    rate = 1 / (1 + np.exp(-np.float64(logit)))
    factor = -LEARNING_RATE * 0.5 * 0.5 * 3.0**2 / TRAIN_SIZE
    weights = factor * KERNEL / (1 - rate)[:, None]
    noise = 30.0 * factor / 2 * (KERNEL**2).sum(1) * rate / (1 - rate)
    for leaf, expected in (
        (("logits", "kernel"), weights),
        (("noise_input", "noise_logit_rate"), noise),
        (("logits", "bias"), 0.0),
    ):
        without, found = (end[leaf[0]][leaf[1]] for end in ends.values())
        np.testing.assert_allclose(found - without, expected, rtol=1e-3, atol=1e-5)
    assert np.abs(weights).max() > 0.05 and np.abs(noise).max() > 0.05


def test_a_kernel_behind_a_flattened_map_counts_a_rate_per_channel():
    kernel = RANDOM.normal(size=(4 * 3, 5)).astype("f4")  # 4 pixels of 3 channels
    logit = np.array([-2.0, 0.0, 1.0], "f4")
    params = {"dense": {"kernel": kernel}, "noise_map": {"noise_logit_rate": logit}}
    readers = {"map": "dense/kernel", "elsewhere": "none/kernel"}
    found = losses.concrete_weight_kl(params, readers, 2.0)
    keep = 1 / (1 + np.exp(np.float64(logit)))
    expected = sum(
        2.0 * (kernel[3 * pixel + channel] ** 2).sum() / keep[channel]
        for pixel in range(4)
        for channel in range(3)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_model_that_does_not_say_what_reads_its_sites_is_refused():
    config = settings("sgd", noise__kind="concrete_dropout")
    with pytest.raises(UserError, match=r"no property readers.*length_scale=0"):
        make_train_step(config, object(), STEPS_PER_EPOCH, TRAIN_SIZE)


@pytest.mark.parametrize(
    "noise",
    [
        {
            "noise__kind": "dropout",
            "noise__rates": (0.5,),
            "noise__input_rate": 0.2,
        },
        {
            "noise__kind": "variational_conv",
            "model__name": "cnn",
            "model__channels": (2,),
        },
    ],
)
def test_a_step_uses_every_key_once(noise, monkeypatch):
    """JAX's own checker follows the keys through the jitted step."""
    config = settings(
        "sgd", model__widths=(5,), data__shift=1, data__flip=True, **noise
    )
    model = nn.build_model(config, CLASSES)
    images, blank = jnp.zeros(IMAGES.shape), jnp.zeros(len(model.sites))
    shapes = jax.eval_shape(
        lambda key: model.init(key, images, blank, train=False)["params"],
        jax.random.key(0),
    )
    params = jax.tree.map(lambda leaf: np.ones(leaf.shape, "f4"), shapes)
    hparams, state = start(config, params)
    step = make_train_step(config, model, STEPS_PER_EPOCH, TRAIN_SIZE)
    names, stream = [], keys.stream

    def record(root, name):
        names.append(name)
        return stream(root, name)

    def planted(state, *args):
        key = jax.random.key(0)
        return jax.random.bits(key), jax.random.bits(key)

    monkeypatch.setattr(keys, "stream", record)
    with jax.debug_key_reuse(True):
        jax.jit(step)(state, hparams, np.uint32(0), IMAGES, LABELS)
        with pytest.raises(jax.errors.KeyReuseError):
            jax.jit(planted)(state)
    # The checker cannot see one key folded twice: each purpose has its own stream.
    assert sorted(names) == sorted({keys.DROPOUT, keys.AUGMENT})
