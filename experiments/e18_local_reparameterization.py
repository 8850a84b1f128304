# SPDX-License-Identifier: Apache-2.0
"""E18: the variance of the gradient by how the noise on the weights is drawn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from dropout_jax.data import load
from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.transforms import variational_dense
from experiments import one_layer
from experiments.checks import Measurement
from experiments.experiment import Experiment, Findings
from experiments.intervals import sigmas
from experiments.one_layer import in_proportion

IMAGES, SIDE, HIDDEN, CLASSES, BATCH = 1_000, 14, 32, 10, 100
LAYERS, STAGES, LARGEST = ("first", "last"), (10, 100), 64  # epochs; examples
NAMES = {
    "local": "outputs (local)",
    "separate": "weights per example",
    "weight": "weights per batch",
    "none": "no noise",
}
HELD, LOOKS = "last, noise held", 10
ERROR, PRINTED = "standard error", "published: over local at 1,000"
SIGMAS = 5.0  # some 150 statistics of skewed values: a false alarm in a few thousand
# Kingma et al. 2015, table 1, in the order of NAMES: batches of 1,000, MNIST.
PUBLISHED = {
    (10, "first"): (1.9e2, 4.3e2, 8.5e2, 1.3e2),
    (10, "last"): (7.8e3, 1.4e4, 4.9e4, 2.8e3),
    (100, "first"): (1.1e2, 2.5e2, 3.3e2, 9.0),
    (100, "last"): (1.2e3, 2.6e3, 4.3e3, 5.9e1),
}


def data():
    """The first images, as means of 2 x 2 pixels, and their labels, one-hot."""
    part = load(train_size=IMAGES)
    small = part.train_images.reshape(IMAGES, SIDE, 2, SIDE, 2).mean((2, 4)) / 255.0
    flat = jnp.asarray(small.reshape(IMAGES, -1), jnp.float32)
    return flat, jax.nn.one_hot(part.train_labels, CLASSES)


def loss(kernels, noises, images, labels, weights, key, sampling):
    """Weighted cross-entropy of a net of one hidden layer."""
    keys, x = jax.random.split(key, len(kernels)), images
    for n, (kernel, noise) in enumerate(zip(kernels, noises, strict=True)):
        x = jax.nn.relu(x) if n else x
        if sampling == "none":
            x = x @ kernel
        else:
            x = variational_dense(keys[n], x, noise, kernel=kernel, sampling=sampling)
    return -weights @ jnp.sum(labels * jax.nn.log_softmax(x), axis=1)


def gradient(kernels, images, labels, weights, key, sampling):
    """Gradients by the weights, their noise in proportion; and with the noise held."""
    noises = [in_proportion(kernel) for kernel in kernels]
    held, slopes = jax.grad(loss, (0, 1))(
        kernels, noises, images, labels, weights, key, sampling
    )
    # The chain rule through log sigma**2: one backward pass gives both.
    parts = zip(kernels, held, slopes, strict=True)
    return [mean + 2.0 * slope / kernel for kernel, mean, slope in parts], held


@functools.partial(jax.jit, static_argnames="draws")
def gradients(kernels, looks, images, labels, key, size, draws):
    """Gradients of batches drawn with replacement, whose examples are independent.

    Returns by layer, for each of NAMES: squared distances from the mean, whose mean is
    the variance, [4, draws]; and products with `looks`, [4, draws, LOOKS].
    """
    # Examples beyond the size weigh nothing: one compilation serves all sizes.
    weights = jnp.where(jnp.arange(LARGEST) < size, 1.0 / size, 0.0)

    def draw(key):
        rows, *noise = jax.random.split(key, 1 + len(NAMES))
        rows = jax.random.randint(rows, (LARGEST,), 0, len(images))
        batch, found = (kernels, images[rows], labels[rows], weights), []
        for name, key in zip(NAMES, noise, strict=True):
            both, held = gradient(*batch, key, name)
            found.append((*both, held[-1]))
        return found

    def squares(rows):
        off = jnp.square(rows - rows.mean(0))
        return off.sum((1, 2)) * draws / (draws - 1)

    found = zip(*jax.lax.map(draw, jax.random.split(key, draws)), strict=True)
    layers = dict(zip((*LAYERS, HELD), found, strict=True))
    seen = {}
    for layer, look in zip(LAYERS, looks, strict=True):
        products = [jnp.einsum("dio,lio->dl", rows, look) for rows in layers[layer]]
        seen[layer] = jnp.stack(products)
    return {n: jnp.stack([*map(squares, rows)]) for n, rows in layers.items()}, seen


def trained(images, labels):
    """Kernels after each of STAGES: Adam, the noise drawn locally."""
    adam, (first, last) = optax.adam(1e-3), jax.random.split(jax.random.key(17))

    def step(n, carry):
        rows, noise = jax.random.split(jax.random.fold_in(jax.random.key(18), n))
        rows = jax.random.randint(rows, (BATCH,), 0, IMAGES)
        batch = images[rows], labels[rows], jnp.full(BATCH, 1.0 / BATCH), noise
        slope, _ = gradient(carry[0], *batch, "local")
        updates, state = adam.update(slope, carry[1])
        return optax.apply_updates(carry[0], updates), state

    steps = jax.jit(lambda carry, n, end: jax.lax.fori_loop(n, end, step, carry))
    kernels = [
        jax.random.normal(first, (images.shape[1], HIDDEN)) / SIDE,
        jax.random.normal(last, (HIDDEN, CLASSES)) / np.sqrt(HIDDEN),
    ]
    carry, done = (kernels, adam.init(kernels)), 0
    for epochs in STAGES:
        end = epochs * IMAGES // BATCH
        carry, done = steps(carry, done, end), end
        yield epochs, carry[0]


def growth(local: np.ndarray, batch: np.ndarray) -> float:
    """Returns by how much the log ratio of two variances grows, in standard errors.

    Args:
      local: squared distances [sizes, draws], whose means are the variances.
      batch: the same of the numerator, draw by draw on the same examples.
    """
    logs = np.log(batch.mean(1) / local.mean(1))
    # To first order a logarithm errs by the relative error of its mean.
    off = batch / batch.mean(1, keepdims=True) - local / local.mean(1, keepdims=True)
    errors = off.std(1, ddof=1) / np.sqrt(off.shape[1])
    return float((logs[-1] - logs[0]) / np.hypot(errors[0], errors[-1]))


def run(quick: bool) -> Findings:
    """Compares the variances, and the means, of the gradients."""
    sizes, draws = ((1, 8, LARGEST), 100) if quick else ((1, 4, 16, LARGEST), 1_000)
    images, labels = data()
    found, means, unlike, orders, batches, growths, held = {}, [], [], [], [], [], []
    for epochs, kernels in trained(images, labels):
        key, share = jax.random.key(19), jnp.full(IMAGES, 1.0 / IMAGES)
        whole, _ = gradient(kernels, images, labels, share, key, "none")
        # The gradient is seen along the whole one, and along it in random shares.
        looks = [jax.random.normal(key, (LOOKS, *one.shape)) for one in whole]
        looks = [v.at[0].set(1.0) * one for v, one in zip(looks, whole, strict=True)]
        keys = [jax.random.key(1_000 * epochs + size) for size in sizes]
        parts = [
            gradients(kernels, looks, images, labels, key, size, draws)
            for key, size in zip(keys, sizes, strict=True)
        ]
        for layer in (*LAYERS, HELD):
            found[epochs, layer] = np.stack([off[layer] for off, _ in parts], 1)
        for layer in LAYERS:
            local, *others, none = parts[-1][1][layer]
            means += [np.abs(sigmas(other - local)).max() for other in others]
            unlike.append(np.abs(sigmas(none - local)).max())
            a, b, c, _ = found[epochs, layer]
            orders += [sigmas(b[-1] - a[-1]), sigmas(c[-1] - b[-1])]
            growths.append(growth(a, c))
            size = np.array(sizes[1:])[:, None]
            common = np.diff((c - b)[1:] / (1.0 - 1.0 / size), axis=0)
            errors = (
                *(size * a[1:] - a[0]),
                *(size * b[1:] - b[0]),
                c[0] - b[0],
                *common,
            )
            batches += map(sigmas, errors)
        a, b, _, _ = found[epochs, HELD]
        held.append(sigmas(b[-1] - a[-1]))
    everywhere = "in both layers, early and late"
    targets = labels[:16] @ jnp.arange(CLASSES)
    checks = {
        "formula of one layer": Measurement(
            "one linear layer has variances and mean of the formula, drawn all three "
            "ways: the largest error",
            max(map(abs, one_layer.errors(images[:16], targets, 20 * draws))),
            high=SIGMAS,
        ),
        "one mean": Measurement(
            f"drawn all three ways the gradient has one mean, seen along {LOOKS} "
            f"vectors {everywhere}: the largest difference",
            max(means),
            high=SIGMAS,
        ),
        "no noise has another": Measurement(
            "each time the same test tells it from the gradient without noise: the "
            "smallest of the largest differences",
            min(unlike),
            low=SIGMAS,
        ),
        "local < per example < per batch": Measurement(
            f"at {LARGEST} examples each variance is below the next {everywhere}: the "
            "smallest difference",
            min(orders),
            low=SIGMAS,
        ),
        "the law of the batch": Measurement(
            "local and per example fall as 1 / batch; per batch is above per example "
            "by (1 - 1 / batch) C, one C for all batches: the largest error",
            max(map(abs, batches)),
            high=SIGMAS,
        ),
        "the ratio grows": Measurement(
            f"from 1 to {LARGEST} examples per batch over local grows {everywhere}: by "
            "the logarithm of the ratio, the smallest difference",
            min(growths),
            low=SIGMAS,
            full=True,
        ),
        "the gain is in the slope of the noise": Measurement(
            "where the noise is held as the weights move, the last layer gains "
            "nothing, local and per example are equal: the largest difference",
            max(map(abs, held)),
            high=SIGMAS,
        ),
    }
    rows = []
    for (epochs, layer), published in PUBLISHED.items():
        ours, theirs = found[epochs, layer].mean(2), np.array(published)
        error = found[epochs, layer][:, -1].std(1, ddof=1) / np.sqrt(draws)
        columns = ours[:, -1], error, *(ours / ours[0]).T, theirs / theirs[0]
        for name, numbers in zip(NAMES.values(), np.transpose(columns), strict=True):
            rows.append([f"{epochs}", layer, name, *map(float, numbers)])
    over = [f"over local at {size}" for size in sizes]
    return Findings(
        checks,
        ["epochs", "layer", "drawn", f"variance at {LARGEST}", ERROR, *over, PRINTED],
        rows,
        draw(found, sizes),
        "Variance of the gradient, summed over the weights of a layer, by the size of "
        f"the batch: {draws:,} batches of Fashion-MNIST each; bars are 2 standard "
        f"errors. Left: first layer, after {STAGES[-1]} epochs. Right: weights per "
        "batch over local; hollow, at 1,000, what Kingma et al. 2015 print of a larger "
        "net on MNIST. Differences and errors in the checks are in standard errors.",
    )


def draw(found, sizes) -> Figure:
    """Variances of one layer; ratios of all, beside the published ones."""
    figure = Figure(figsize=(6.5, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    thin = {"markersize": 4, "linewidth": 0.8}
    for n, (name, off) in enumerate(
        zip(NAMES.values(), found[STAGES[-1], "first"], strict=True)
    ):
        look = {"color": COLOURS[n], "marker": MARKS[n][0], **thin}
        bars = 2.0 * off.std(1, ddof=1) / np.sqrt(off.shape[1])
        left.errorbar(sizes, off.mean(1), bars, label=name, **look)
    for n, ((epochs, layer), published) in enumerate(PUBLISHED.items()):
        look = {"color": COLOURS[n], "marker": MARKS[n][0], **thin}
        off, name = found[epochs, layer], f"{layer} layer, {epochs} epochs"
        shares, ratios = (
            off / off.mean(2, keepdims=True),
            off[2].mean(1) / off[0].mean(1),
        )
        # To first order a ratio of means errs by the difference of relative errors.
        bars = (shares[2] - shares[0]).std(1, ddof=1) / np.sqrt(off.shape[2])
        right.errorbar(sizes, ratios, 2.0 * ratios * bars, label=name, **look)
        right.plot(1_000, published[2] / published[0], markerfacecolor="none", **look)
    left.set(ylabel="variance of the gradient", yscale="log")
    right.set(ylabel="variance, weights per batch / local", ylim=(0.0, None))
    for axes, ticks in ((left, sizes), (right, (*sizes, 1_000))):
        axes.set(xlabel="examples in the batch", xscale="log")
        axes.set_xticks(ticks, [f"{size:,}" for size in ticks])
        axes.minorticks_off()
        axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E18",
    question="How much does local reparameterisation calm the gradient?",
    protocol="One linear layer against a formula; then a net of one hidden layer with "
    "Gaussian noise on all weights, in proportion to them, early and late in training: "
    "variance and mean of the gradient over batches where the outputs are drawn "
    "(local), the weights per example, the weights once per batch, and nothing.",
    budget="100 epochs of 1,000 images; 1,000 gradients of each kind and batch size.",
    expected="One mean; local below weights per example, of which it is the mean given "
    "the outputs, both falling as 1 / batch; weights per batch above, and the more so "
    "the larger the batch (Kingma et al. 2015, sections 2.2 and 2.3, table 1).",
    run=run,
)
