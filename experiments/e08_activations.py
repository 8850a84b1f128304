# SPDX-License-Identifier: Apache-2.0
"""E08: mean, variance and power of the activations while a network trains."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from dropout_jax.evaluation.comparison import Measure
from dropout_jax.keys import MC, root_key, stream
from dropout_jax.training.step import pixels
from dropout_jax.transforms import dropout
from experiments.checks import InEach, Measurement
from experiments.comparisons import Difference, judged
from experiments.experiment import Experiment, Findings
from experiments.intervals import curve, shown
from experiments.over_seeds import HIGHER, OverSeeds
from experiments.trajectory import trajectory

RATE, LAYERS, WIDTH = 0.5, 4, 256
EPOCHS = (1, 2, 5, 10, 20)
IMAGES = 1_000  # validation images whose activations are taken
FORMS = ("without noise", "rescaled", "unscaled")
RISE = Measure("mean activation under noise over that without", "%", True, 0.0)


def activations(params, images, form, key):
    """The outputs of every hidden layer behind its noise, for trained kernels.

    `unscaled` is the textbook's form, whose masks are not divided by k.
    """
    found, x = [], images.reshape(len(images), -1)
    for n, layer in enumerate(jax.random.split(key, LAYERS)):
        weights = params[f"dense_{n}"]
        x = jax.nn.relu(x @ weights["kernel"] + weights["bias"].reshape(1, -1))
        if form != "without noise":
            scaling = "train" if form == "rescaled" else "test"
            x = dropout(layer, x, RATE, scaling=scaling)
        found.append(x)
    return found


@functools.partial(jax.jit, static_argnames="form")
def statistics(params, images, form, key):
    """Mean, variance, power and mean fourth power of each layer: [layers, 4]."""
    layers = activations(params, images, form, key)
    return jnp.array(
        [[x.mean(), x.var(), jnp.square(x).mean(), (x**4).mean()] for x in layers]
    )


def measured(seed: int, quick: bool) -> np.ndarray:
    """By epoch, form and layer: what `statistics` finds."""
    fields = {
        "seed": seed,
        "model.widths": (WIDTH,) * LAYERS,
        "noise.kind": "dropout",
        "noise.rates": (RATE,),
        "train.batch_size": 100,
        "data.train_size": 1_000 if quick else 10_000,
        # Constant: what is seen after two epochs is on the way to twenty.
        "optimizer.schedule": "constant",
    }
    epochs, found = EPOCHS[:3] if quick else EPOCHS, []
    for prepared, state in trajectory(fields, epochs):
        images = pixels(jnp.asarray(prepared.dataset.validation_images[:IMAGES]))
        key = stream(root_key(seed), MC)
        found.append(
            [np.asarray(statistics(state.params, images, form, key)) for form in FORMS]
        )
    return np.array(found)


def beyond_chance(clean: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """How far the power behind the first mask is from 1 / k, in standard errors.

    Of masks m on n elements x, k mean((m x / k)^2) has the mean of x^2 for its mean and
    (1 - k) / k mean(x^4) / n for its variance. Few units carry most of the power, so
    that a fixed tolerance would be passed by chance.
    """
    kept, elements = 1.0 - RATE, IMAGES * WIDTH
    error = np.sqrt((1.0 - kept) / kept * clean[..., 3] / elements)
    return (kept * scaled[..., 2] - clean[..., 2]) / error


def run(quick: bool) -> Findings:
    """What the noise does to every layer, after each of some epochs."""
    found = np.array([measured(seed, quick) for seed in range(2 if quick else 5)])
    clean, scaled, unscaled = np.moveaxis(found, 2, 0)  # [seeds, epochs, layers, 4]
    kept, lost = (form[..., 0] / clean[..., 0] for form in (scaled, unscaled))
    growth = beyond_chance(clean[:, :, 0], scaled[:, :, 0])
    epochs = EPOCHS[: found.shape[1]]
    risen = judged(
        {
            (f"layer {n + 1}", f"epoch {epoch}"): Difference(
                [*map(float, 100.0 * (kept[:, e, n] - 1.0))], RISE
            )
            for n in range(1, LAYERS)
            for e, epoch in enumerate(epochs)
        }
    )
    checks = {
        "rescaled, it does not decay": InEach(
            "the mean activation under noise over that without is at least .9 in every "
            "layer and at every epoch: the least of each seed",
            kept.min((1, 2)),
            low=0.9,
        ),
        "rescaled, it rises behind ReLU": OverSeeds(
            "by how much the mean activation under noise is above that without, behind "
            "every layer but the first, at every epoch",
            tuple(risen.values()),
            HIGHER,
        ),
        "unscaled, it decays": InEach(
            "without rescaling the mean under noise over that without falls from layer "
            "to layer: the largest ratio of neighbors of each seed",
            (lost[..., 1:] / lost[..., :-1]).max((1, 2)),
            high=1.0,
        ),
        "unscaled, not by the product rule": InEach(
            f"behind {LAYERS} layers it is above (1 - rate)^{LAYERS} by more than a "
            "tenth, at every epoch: the least ratio of each seed",
            (lost[..., -1] / (1.0 - RATE) ** LAYERS).min(1),
            low=1.1,
        ),
        "the power grows by 1 / k": Measurement(
            "power behind the first mask, times k, less that before it, in standard "
            "errors of the masks: the largest; chance passes 5.5 once in a million "
            "repetitions",
            float(np.abs(growth).max()),
            high=5.5,
        ),
    }
    rows = [
        [form, epoch, n + 1, *map(shown, found[:, e, f, n, :3].T)]
        for f, form in enumerate(FORMS)
        for e, epoch in enumerate(epochs)
        for n in range(LAYERS)
    ]
    return Findings(
        checks,
        ["forward pass", "epoch", "hidden layer", "mean", "variance", "power"],
        rows,
        draw(epochs, clean, kept, lost),
        f"An MLP of {LAYERS} hidden layers trained with dropout at {RATE}. Left: mean "
        "activation without noise by epoch. Right: mean activation under noise over "
        "that without, by layer at the last epoch, with rescaled and unscaled masks on "
        f"the same weights, and the product rule; means and 95 % intervals of "
        f"{len(found)} seeds, {IMAGES:,} validation images.",
    )


def draw(epochs, clean, kept, lost) -> Figure:
    """Means by epoch, and what noise makes of them by layer."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for n in range(LAYERS):
        curve(left, epochs, clean[:, :, n, 0].T, n, label=f"layer {n + 1}")
    left.set(xlabel="epoch", ylabel="mean activation", ylim=(0.0, None), xticks=epochs)
    layers = list(range(1, LAYERS + 1))
    for n, (name, ratio) in enumerate((("rescaled", kept), ("unscaled", lost))):
        curve(right, layers, ratio[:, -1].T, n, label=name)
    rule = [(1.0 - RATE) ** n for n in layers]
    right.plot(layers, rule, color="0.5", linestyle="--", label="product rule")
    right.set(xlabel="hidden layer", ylabel="mean under noise / without")
    right.set(yscale="log", xticks=layers)
    for axes in (left, right):
        axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E08",
    question="What does dropout do to mean, variance and power of the activations?",
    protocol="An MLP of four hidden layers trained with dropout at .5; after 1 to 20 "
    "epochs its activations on validation images without noise, under rescaled and "
    "under unscaled masks.",
    budget="5 short trainings on 10,000 images.",
    expected="Rescaled, the power grows by 1 / k behind a mask and the mean does not "
    "decay; behind ReLU it rises, for noise of mean 0 lifts the mean of a convex "
    "function. Unscaled, the mean decays from layer to layer, behind ReLU and biases "
    "by less than the product rule says.",
    run=run,
)
