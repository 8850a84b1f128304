# SPDX-License-Identifier: Apache-2.0
"""E13: how noisy dropout makes the training loss, and how much too high."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from dropout_jax.evaluation.comparison import Measure
from dropout_jax.keys import MC, root_key, stream
from dropout_jax.training.step import pixels
from experiments.comparisons import Difference, judged
from experiments.experiment import Experiment, Findings
from experiments.intervals import curve, shown
from experiments.over_seeds import HIGHER, OverSeeds
from experiments.trajectory import trajectory

RATES = (0.0, 0.2, 0.4, 0.6, 0.8)
BATCH, MASKS = 100, 20  # images of a batch, masks drawn for each
ROUGH = 0.05  # share of the loss by which it has to deviate
LOSS = Measure("training loss", "nats", rising=False, margin=0.0)
RISE = Measure("deviation over masks", "%", rising=False, margin=0.0)
SHARE = Measure("deviation over masks", "% of the loss above 5 %", False, 0.0)


@functools.partial(jax.jit, static_argnames="model")
def losses(model, params, rates, images, labels, key):
    """The loss of each batch under each of MASKS draws, and without: [batches, n]."""

    def of_batch(batch):
        images, labels, key = batch
        x = pixels(images)

        def loss(key, *, noisy):
            rngs = {"dropout": key} if noisy else {}
            logits = model.apply({"params": params}, x, rates, train=noisy, rngs=rngs)
            return optax.softmax_cross_entropy_with_integer_labels(
                logits, labels
            ).mean()

        keys = jax.random.split(key, MASKS)
        return jax.lax.map(functools.partial(loss, noisy=True), keys), loss(
            key, noisy=False
        )

    return jax.lax.map(of_batch, (images, labels, jax.random.split(key, len(images))))


def measured(seed: int, rate: float, quick: bool) -> list[float]:
    """Mean loss without noise and with; deviations: batches, masks, and of a curve."""
    fields = {
        "seed": seed,
        "model.widths": (256, 256),
        "noise.kind": "dropout",
        "noise.rates": (rate,),
        "train.batch_size": BATCH,
        "data.train_size": 1_000 if quick else 10_000,
        # As the notes would have it: no schedule calms the end.
        "optimizer.schedule": "constant",
    }
    [(found, state)] = trajectory(fields, [2 if quick else 20])
    data = found.dataset
    batches = len(data.train_labels) // BATCH
    images = jnp.asarray(data.train_images).reshape(batches, BATCH, 28, 28)
    labels = jnp.asarray(data.train_labels, int).reshape(batches, BATCH)
    key, model = stream(root_key(seed), MC), found.programs.model
    drawn = losses(model, state.params, found.hparams.rates, images, labels, key)
    noisy, clean = map(np.asarray, drawn)
    return [
        clean.mean(),
        noisy.mean(),
        clean.std(ddof=1),
        np.sqrt(noisy.var(1, ddof=1).mean()),
        noisy[:, 0].std(ddof=1),  # what a curve shows: one draw for each batch
    ]


def run(quick: bool) -> Findings:
    """The loss at the end of training, by rate, over the same seeds."""
    rates, seeds = (RATES[::2], 3) if quick else (RATES, 10)
    drawn = np.array(
        [[measured(seed, rate, quick) for seed in range(seeds)] for rate in rates]
    )  # [rates, seeds, 5]
    clean, noisy, batches, masks, whole = np.moveaxis(drawn, 2, 0)
    excess = {
        ("loss under masks less clean", rate): Difference(list(row), LOSS)
        for rate, row in zip(rates[1:], (noisy - clean)[1:], strict=True)
    }
    rise = {
        ("rise of the deviation", f"{low} to {high}"): Difference(
            list(100.0 * (above / below - 1.0)), RISE
        )
        for (low, below), (high, above) in itertools.pairwise(
            zip(rates[1:], masks[1:], strict=True)
        )
    }
    share = {
        ("deviation over masks, beyond a twentieth of the loss", rates[-1]): Difference(
            list(100.0 * (masks[-1] / noisy[-1] - ROUGH)), SHARE
        )
    }
    found = judged({**excess, **rise, **share})
    checks = {
        "the loss under masks is too high": OverSeeds(
            "it is above the loss without noise on the same images and weights, at "
            "every rate",
            tuple(found[label] for label in excess),
            HIGHER,
        ),
        "noisier at every higher rate": OverSeeds(
            "the deviation over masks of the loss of a batch rises from rate to rate",
            tuple(found[label] for label in rise),
            HIGHER,
        ),
        "it does not end smooth": OverSeeds(
            f"at rate {rates[-1]} masks alone, at fixed weights and for one batch, "
            "make the loss deviate by more than a twentieth of it",
            tuple(found[label] for label in share),
            HIGHER,
        ),
    }
    columns = (clean, noisy, batches, masks, whole)
    rows = [
        [rate, *(written(column[n]) for column in columns)]
        for n, rate in enumerate(rates)
    ]
    return Findings(
        checks,
        [
            "rate",
            "loss without noise, 1e-3 nats",
            "under masks, 1e-3 nats",
            "deviation over batches, 1e-3 nats",
            "over masks, 1e-3 nats",
            "of the curve, 1e-3 nats",
        ],
        rows,
        draw(rates, clean, noisy, batches, masks),
        "Training loss of the MLP after training at each rate: mean without noise and "
        f"under masks (left), and the deviations that batches of {BATCH} images and "
        f"masks give it (right); means and 95 % intervals of {seeds} seeds.",
    )


def written(values) -> str:
    """A mean with its interval, in thousandths."""
    return shown([float(1e3 * value) for value in values])


def draw(rates, clean, noisy, batches, masks) -> Figure:
    """Means and deviations by rate."""
    figure = Figure(figsize=(6.5, 2.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for n, (name, of) in enumerate((("without noise", clean), ("under masks", noisy))):
        curve(left, rates, list(of), n, label=name)
    for n, (name, of) in enumerate((("of batches", batches), ("of masks", masks))):
        curve(right, rates, list(of), n, label=name)
    left.set_ylabel("training loss, nats")
    right.set_ylabel("deviation of the loss, nats")
    for axes in (left, right):
        axes.set_xlabel("rate (probability of dropping)")
        axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E13",
    question="How noisy does dropout make the training loss, and does it end smooth?",
    protocol="The MLP trained at rates from 0 to .8 with a constant learning rate; at "
    "its end the loss of every batch without noise and under 20 draws of the masks.",
    budget="10 short trainings on 10,000 images at each of five rates.",
    expected="The masks' part of the noise grows with the rate and stays to the end; "
    "the loss under masks lies above the clean one.",
    run=run,
)
