# SPDX-License-Identifier: Apache-2.0
"""The compiled functions of a run: initialise, advance a chunk, predict, evaluate."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from dropout_jax import keys, nn
from dropout_jax.config.schema import BY_PATH
from dropout_jax.evaluation import metrics
from dropout_jax.training import optimizers, own_model
from dropout_jax.training.chunk import chunk
from dropout_jax.training.hyperparameters import static_signature
from dropout_jax.training.mesh import batch_mesh, everywhere, place, split
from dropout_jax.training.step import TrainState, make_train_step, pixels, zero_totals

PREDICTION_BATCH = 500  # larger ones leave the cache in a CNN; smaller ones cost more


class Programs(NamedTuple):
    """The programs of all configs that share one static signature."""

    model: Any
    image_shape: tuple[int, ...]  # height, width
    steps_per_epoch: int
    init: Callable[..., TrainState]  # (hparams, seed) -> state
    order: Callable[..., jax.Array]  # (seed, epoch) -> [train_size]
    # (state, hparams, seed, data, order) -> state after one step; not compiled
    advance: Callable[..., TrainState]
    # (state, hparams, seed, data, order, stop) -> state; the order is of the epoch that
    # the state is in, those of later ones are drawn inside
    run_chunk: Callable[..., TrainState]
    # (params, model_state, images, hparams) -> logits
    predict: Callable[..., jax.Array]
    # (params, model_state, [(images, labels), ...], hparams) -> Evaluation of each
    evaluate: Callable[..., list[metrics.Evaluation]]
    place: Callable[[Any], Any]  # a tree as the devices of run_chunk need it


def build_programs(
    config: Any, image_shape: tuple[int, ...], classes: int, train_size: int
) -> Programs:
    """Returns the programs for `config`, compiled once per static signature.

    Args:
      config: a whole, validated configuration.
      image_shape: (height, width) of the images, pixels.
      classes: number of labels.
      train_size: number of training examples.
    """
    signature = static_signature(config)
    cached = _CACHE.get((signature, image_shape, classes, train_size))
    if cached is None:
        cached = _build(
            config.copy_and_resolve_references(), image_shape, classes, train_size
        )
        _CACHE[signature, image_shape, classes, train_size] = cached
    return cached


_CACHE: dict[tuple[Any, ...], Programs] = {}


def epoch_order(seed: Any, epoch: Any, train_size: int) -> jax.Array:
    """Returns the order [train_size] in which an epoch visits the examples."""
    stream = keys.stream(keys.root_key(seed), keys.DATA)
    return jax.random.permutation(keys.step_key(stream, epoch), train_size)


def _build(config, image_shape, classes, train_size) -> Programs:
    model = nn.build_model(config, classes)
    if config.noise.kind not in BY_PATH["noise.kind"].choices:
        own_model.check_noise(config.noise.kind, config.plugin)
    if config.model.name not in BY_PATH["model.name"].choices:
        own_model.check(model, config.plugin, image_shape, classes)
    devices, batch_size = config.train.devices, config.train.batch_size
    mesh = batch_mesh(devices)
    steps_per_epoch = train_size // batch_size
    train_step = make_train_step(config, model, steps_per_epoch, train_size)

    def init(hparams, seed) -> TrainState:
        key = keys.stream(keys.root_key(seed), keys.PARAMS)
        blank = jnp.zeros((1, *image_shape))
        variables = dict(model.init(key, blank, hparams.rates, train=False))
        variables.pop("kl", None)  # of a plugin's own layers; `Noise` sows none here
        params = variables.pop("params")
        optimizer = optimizers.make_optimizer(config, steps_per_epoch, hparams)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            model_state=variables,
            opt_state=optimizer.init(params),
            totals=zero_totals(),
        )

    def order(seed, epoch) -> jax.Array:
        return epoch_order(seed, epoch, train_size)

    def advance(state, hparams, seed, data, order) -> TrainState:
        """Takes one step, in the epoch that `order` belongs to."""
        images, labels = data
        place = state.step % steps_per_epoch
        # 0 * NaN is NaN: the host looks at the totals after a chunk of many epochs.
        totals = jax.tree.map(lambda t: jnp.where(place == 0, 0 * t, t), state.totals)
        chosen = lax.dynamic_slice(order, (place * batch_size,), (batch_size,))
        batch = split(mesh, images[chosen]), split(mesh, labels[chosen])
        return train_step(state._replace(totals=totals), hparams, seed, *batch)

    def run_chunk(state, hparams, seed, data, order, stop) -> TrainState:
        """Advances to the step `stop`."""
        return chunk(
            state,
            state.step,
            stop,
            steps_per_epoch,
            order,
            lambda epoch: epoch_order(seed, epoch, train_size),
            lambda state, order: advance(state, hparams, seed, data, order),
        )

    def predict(params, model_state, images, hparams) -> jax.Array:
        count = images.shape[0]
        batch = math.ceil(min(PREDICTION_BATCH, count) / devices) * devices
        batches = math.ceil(count / batch)
        # Padding is cut off again below, so that every image counts once.
        padded = jnp.pad(images, ((0, batches * batch - count), (0, 0), (0, 0)))

        def logits(batch_images):
            variables = {"params": params, **model_state}
            # The rates matter where noise does not keep the mean, as in zoneout.
            x = pixels(split(mesh, batch_images))
            return model.apply(variables, x, hparams.rates, train=False)

        stacked = lax.map(logits, padded.reshape(batches, batch, *image_shape))
        return stacked.reshape(batches * batch, -1)[:count]

    def evaluate(params, model_state, splits, hparams) -> list[metrics.Evaluation]:
        images = jnp.concatenate([images for images, _ in splits])
        logits = predict(params, model_state, images, hparams)
        return _evaluations(logits, [labels for _, labels in splits])

    return Programs(
        model=model,
        image_shape=tuple(image_shape),
        steps_per_epoch=steps_per_epoch,
        init=jax.jit(init),
        order=jax.jit(order),
        advance=advance,
        run_chunk=jax.jit(run_chunk, donate_argnums=0, out_shardings=everywhere(mesh)),
        predict=jax.jit(predict),
        evaluate=jax.jit(evaluate),
        place=functools.partial(place, mesh),
    )


def _evaluations(
    logits: jax.Array, labels: Sequence[jax.Array]
) -> list[metrics.Evaluation]:
    """Returns what the logits of several sets of images, in a row, are worth."""
    ends = itertools.accumulate(map(len, labels))
    return [
        metrics.evaluation(logits[end - len(of) : end], of)
        for end, of in zip(ends, labels, strict=True)
    ]
