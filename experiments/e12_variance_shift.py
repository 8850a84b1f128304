# SPDX-License-Identifier: Apache-2.0
"""E12: batch normalisation behind dropout learns a variance that testing has not."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from dropout_jax.data import load
from dropout_jax.nn import Noise
from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.theory.variance_shift import (
    linear_variance_shift_ratio,
    variance_shift_ratio,
)
from experiments.checks import Identity, Measurement
from experiments.experiment import Experiment, Findings
from experiments.intervals import sigmas

RATES = (0.1, 0.3, 0.5, 0.7)
UNITS = ((0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (2.0, 0.5))  # means and variances
IMAGES, WIDTH, OUTPUTS = 1_000, 128, 32
BATCH = 256
# Small, so that the start is forgotten in few steps: its weight ends at 2 ** -25.
MOMENTUM, STEPS = 0.5, 25
SIGMAS = 5.0  # 32 outputs at 4 rates, Student's law of 50 copies: false once in 1,000
ALONE = ("dropout", "norm")
BEHIND = ("dropout", "dense", "norm")
BETWEEN = ("dense", "norm", "relu", "dropout", "dense", "norm")
INDEPENDENT = "dropout, dense, norm; inputs taken for independent"


class Chain(nn.Module):
    """Layers in some order; every normalisation learns from its batch."""

    order: tuple[str, ...]

    @nn.compact
    def __call__(self, x, rate, *, noisy):
        """Returns what comes out; the running statistics change."""
        for n, layer in enumerate(self.order):
            name = f"{layer}_{n}"
            if layer == "dropout":
                x = Noise("dropout", name=name)(x, rate, deterministic=not noisy)
            elif layer == "dense":
                x = nn.Dense(OUTPUTS, use_bias=False, name=name)(x)
            elif layer == "relu":
                x = nn.relu(x)
            else:
                norm = nn.BatchNorm(
                    use_running_average=False, momentum=MOMENTUM, name=name
                )
                x = norm(x)
        return x


@functools.partial(jax.jit, static_argnames=("order", "copies"))
def learned(order, population, rate, copies):
    """Running variances with dropout and without it, and the parameters.

    Both see the same batches, drawn with replacement, so that what a batch's variance
    lacks for its size cancels. By normalisation a pair of arrays [copies, units].
    """
    chain = Chain(order)
    start = chain.init(jax.random.key(12), population, rate, noisy=False)
    params = start.get("params", {})
    names = [f"norm_{n}" for n, layer in enumerate(order) if layer == "norm"]

    def update(stats, x, key, noisy):
        variables = {"params": params, "batch_stats": stats}
        keys, mutable = {"dropout": key}, ["batch_stats"]
        _, new = chain.apply(
            variables, x, rate, noisy=noisy, rngs=keys, mutable=mutable
        )
        return new["batch_stats"]

    def step(pair, key):
        rows, mask = jax.random.split(key)
        x = population[jax.random.randint(rows, (BATCH,), 0, len(population))]
        return (update(pair[0], x, mask, True), update(pair[1], x, mask, False)), None

    def copy(key):
        pair = (start["batch_stats"],) * 2
        pair, _ = jax.lax.scan(step, pair, jax.random.split(key, STEPS))
        return [[stats[name]["var"] for stats in pair] for name in names]

    keys = jax.random.split(jax.random.key(len(order)), copies)
    return jax.lax.map(copy, keys), params


def ratio(noisy, clean):
    """Test over training variance of each unit."""
    return clean.mean(0) / noisy.mean(0)


def error_of(noisy, clean, predicted):
    """How far each unit is above the prediction, in standard errors.

    Of clean - predicted * noisy, whose mean is 0: a ratio of two means would have a
    bias of its own.
    """
    return sigmas(clean - predicted * noisy)


def made_up():
    """A column for each of UNITS: its mean and variance are exact."""
    drawn = np.random.default_rng(12).normal(size=(IMAGES, len(UNITS)))
    drawn = (drawn - drawn.mean(0)) / drawn.std(0)
    means, variances = np.array(UNITS).T
    return jnp.asarray(means + np.sqrt(variances) * drawn, jnp.float32)


def activations():
    """What an untrained hidden layer makes of the first images: real correlations."""
    images = load(train_size=IMAGES).train_images.reshape(IMAGES, -1) / 255.0
    kernel = np.random.default_rng(13).normal(size=(images.shape[1], WIDTH))
    hidden = np.maximum(images @ kernel / np.sqrt(images.shape[1]), 0.0)
    return jnp.asarray(hidden, jnp.float32)


@jax.jit
def of_a_layer(hidden, kernel, rate):
    """Predicted ratios of outputs: with the inputs' covariance, and without it."""
    covariance = jnp.cov(hidden, rowvar=False, ddof=0)
    diagonal = jnp.diag(jnp.diag(covariance))
    kinds = {", ".join(BEHIND): covariance, INDEPENDENT: diagonal}
    return {
        kind: linear_variance_shift_ratio(hidden.mean(0), known, kernel, rate)
        for kind, known in kinds.items()
    }


def run(quick: bool) -> Findings:
    """Compares what batch normalisation learns with the prediction."""
    copies = 50 if quick else 400
    units, hidden = made_up(), activations()
    means, variances = jnp.array(UNITS).T
    rows, alone, layer, naive, unshifted, shifted = [], [], [], [], [], []
    for rate in RATES:
        [(noisy, clean)], _ = learned(ALONE, units, rate, copies)
        found = ratio(noisy, clean)
        expected = variance_shift_ratio(means, variances, rate)
        off = np.abs(error_of(noisy, clean, expected))
        alone.append(float(off.max()))
        for n, (mean, variance) in enumerate(UNITS):
            name = f"c = {mean:g}, v = {variance:g}"
            rows.append([name, rate, found[n], expected[n], off[n]])
        [(noisy, clean)], params = learned(BEHIND, hidden, rate, copies)
        found, kernel = ratio(noisy, clean), params["dense_1"]["kernel"]
        for kind, expected in of_a_layer(hidden, kernel, rate).items():
            off = float(np.abs(error_of(noisy, clean, expected)).max())
            (naive if kind == INDEPENDENT else layer).append(off)
            rows.append([kind, rate, found.mean(), expected.mean(), off])
        [first, (noisy, clean)], _ = learned(BETWEEN, hidden, rate, copies)
        untouched, found = ratio(first[0], first[1]), ratio(noisy, clean)
        unshifted.append(float(jnp.abs(untouched - 1.0).max()))
        shifted.append(-float(error_of(noisy, clean, 1.0).max()))
        rows.append([", ".join(BETWEEN[:4]), rate, untouched.mean(), 1.0, ""])
        rows.append([", ".join(BETWEEN), rate, found.mean(), "", ""])
    example = next(r for r in rows if r[:2] == ["c = 0.5, v = 1", 0.5])
    checks = {
        "one unit": Measurement(
            "variance learned without dropout over that with it is v / ((c² + v)/k - "
            f"c²), in {len(UNITS)} units at every rate: the largest error, in standard "
            "errors",
            max(alone),
            high=SIGMAS,
        ),
        "the printed example": Measurement(
            "c = 0.5, v = 1, k = 0.5: it is 1 / 2.25 = 0.4444, measured as "
            f"{float(example[2]):.4f}: the error, in standard errors",
            float(example[4]),
            high=SIGMAS,
        ),
        "through a layer": Measurement(
            "behind dropout and a dense layer on real activations it is what their "
            f"covariance says, in {OUTPUTS} outputs at every rate: the largest error, "
            "in standard errors",
            max(layer),
            high=SIGMAS,
        ),
        "real inputs are not independent": Measurement(
            "taken for independent, they fail the same test at every rate: the "
            "smallest of the largest errors, in standard errors",
            min(naive),
            low=SIGMAS,
        ),
        "none before dropout": Identity(
            "a normalisation with no dropout before it learns the same variance with "
            "dropout and without: the largest distance of the ratio from 1",
            max(unshifted),
            high=1e-6,
        ),
        "the next one is shifted": Measurement(
            "dropout behind one normalisation and before another shifts the other: its "
            "ratio is below 1 in every output at every rate: by standard errors",
            min(shifted),
            low=SIGMAS,
        ),
    }
    return Findings(
        checks,
        ["where", "rate", "measured", "predicted", "error / standard error"],
        [[c if isinstance(c, str) else float(c) for c in row] for row in rows],
        draw(rows, hidden, kernel),
        "Test over training variance at the last batch normalisation named, by the "
        "rate of dropout; at 1 nothing shifts. Marks: measured, means of "
        f"{copies} runs of {STEPS} batches of {BATCH}; their standard errors are "
        "smaller than the marks. Lines: predicted. Left: units of mean c and variance "
        f"v. Right: means over {OUTPUTS} outputs, on activations of {IMAGES:,} images "
        "of Fashion-MNIST; dotted with the inputs taken for independent. In the table "
        "the error of a layer is that of its worst output.",
    )


def draw(rows, hidden, kernel) -> Figure:
    """Measured ratios as marks, predictions as lines."""
    figure = Figure(figsize=(6.5, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    names = [name for name in dict.fromkeys(r[0] for r in rows) if name != INDEPENDENT]
    for n, name in enumerate(names):
        axes, n = (left, n) if n < len(UNITS) else (right, n - len(UNITS))
        found = [row[2] for row in rows if row[0] == name]
        look = {"color": COLOURS[n], "marker": MARKS[n][0], "markersize": 4}
        axes.plot(RATES, found, linestyle="", label=name, **look)
    fine = np.linspace(0.0, 0.8, 33)
    for n, unit in enumerate(UNITS):
        expected = variance_shift_ratio(*unit, fine)
        left.plot(fine, expected, color=COLOURS[n], linewidth=0.8)
    layers = [of_a_layer(hidden, kernel, rate) for rate in fine]
    for kind in layers[0]:
        means = [layer[kind].mean() for layer in layers]
        look = (":", 1.3) if kind == INDEPENDENT else ("-", 0.8)
        right.plot(fine, means, look[0], color=COLOURS[0], linewidth=look[1])
    left.set_ylabel("test / training variance")
    for axes in (left, right):
        axes.set(xlabel="rate (probability of dropping)", ylim=(0.0, 1.05))
    left.legend(frameon=False, loc="upper right")
    right.legend(frameon=False, loc="lower left")
    return figure


EXPERIMENT = Experiment(
    id="E12",
    question="Is there a reason to keep dropout away from batch normalisation?",
    protocol="The running variances that Flax's batch normalisation learns with "
    "dropout before it, against those of the same batches without dropout, and "
    "against the predicted ratio: of single units, and of an untrained layer on real "
    "activations; with dropout before, between and behind the normalisations.",
    budget="No training.",
    expected="Variance shift: dropout raises the variance in training only, by what "
    "mean, variance and rate say (Li et al. 2019, section 3.1); a normalisation with "
    "no dropout before it has none. The order decides, not whether a layer is dense or "
    "convolutional.",
    run=run,
)
