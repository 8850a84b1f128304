# SPDX-License-Identifier: Apache-2.0
"""E20: noise on the input is a Tikhonov penalty: when exactly, and when nearly."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from dropout_jax.evaluation.comparison import Measure
from dropout_jax.evaluation.metrics import accuracy
from dropout_jax.evaluation.statistics import Interval, mean_interval
from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.training.step import pixels
from dropout_jax.transforms import gaussian_noise
from experiments.checks import Identity, InEach, Measurement
from experiments.comparisons import Difference, judged
from experiments.experiment import Experiment, Findings
from experiments.intervals import bars, sigmas
from experiments.over_seeds import LOWER, OverSeeds
from experiments.trajectory import trajectory

EXAMPLES, FEATURES = 40, 6
GROUPS = 32  # of noisy copies of the data, for the error of what they give
SIGMAS = 5.0
LINEAR_STDS = (0.1, 0.3, 1.0)
STDS = (0.03, 0.1, 0.3, 1.0, 3.0)
NODES = 60  # of the quadrature, for each of two inputs
INPUT_STD, HIDDEN_RATE = 0.3, 0.5
ARMS = {
    "no noise": {},
    "input noise": {
        "noise.kind": "gaussian_noise",
        "noise.rates": (0.0,),
        "noise.input_rate": INPUT_STD,
    },
    "hidden dropout": {"noise.kind": "dropout", "noise.rates": (HIDDEN_RATE,)},
}
NORM = Measure("norm of the Jacobian", "%", rising=False, margin=0.0)
HELD_OUT, JACOBIANS = 2_000, 500  # validation images, and those with a Jacobian


def normal(seed, *shape):
    """Standard normal numbers of a seed."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@functools.partial(jax.jit, static_argnames="copies")
def noisy_moments(key, inputs, targets, std, copies):
    """X'X and X't of noisy copies of the data, per copy, for each group of them."""

    def moments(key):
        noisy = gaussian_noise(key, jnp.tile(inputs, (copies, 1)), std)
        return noisy.T @ noisy / copies, noisy.T @ jnp.tile(targets, copies) / copies

    return jax.lax.map(moments, jax.random.split(key, GROUPS))


def linear(copies):
    """Per std: the loss by draws and by formula; errors of the loss and the minimum.

    The draws know of no penalty: theirs is plain least squares on noisy copies.
    """
    inputs = normal(1, EXAMPLES, FEATURES) * np.linspace(0.3, 1.5, FEATURES)
    targets = inputs @ normal(2, FEATURES) + normal(3, EXAMPLES)
    for n, std in enumerate(LINEAR_STDS):
        strength = EXAMPLES * std**2
        gram = inputs.T @ inputs + strength * jnp.eye(FEATURES)
        best = jnp.linalg.solve(gram, inputs.T @ targets)
        clean = jnp.sum(jnp.square(targets - inputs @ best))
        formula = float(clean + strength * jnp.sum(jnp.square(best)))
        found = noisy_moments(jax.random.key(n), inputs, targets, std, copies)
        # On the host, where LAPACK in batches cannot deadlock as it can in JAX.
        grams, moments = (np.asarray(moment, np.float64) for moment in found)
        minima = np.linalg.solve(grams, moments[..., None])[..., 0]
        losses = grams @ best @ best - 2.0 * moments @ best + targets @ targets
        errors = [
            float(np.abs(sigmas(*pair)).max())
            for pair in ((losses, formula), (minima, best))
        ]
        yield std, losses.mean(), formula, *errors


def network(x):
    """Two outputs [..., 2] of points [..., 2]: 20 tanh units of fixed weights."""
    bias = normal(5, 20).reshape((1,) * (x.ndim - 1) + (20,))
    hidden = jnp.tanh(x @ normal(4, 2, 20) + bias)
    return hidden @ normal(6, 20, 2) / jnp.sqrt(20.0)


@jax.jit
def second_order(std):
    """What noise adds to half the squared error, and the terms that may explain it.

    Bishop's: half the squared Jacobian, and half the residual times the Laplacian,
    times std². First for targets whose mean is the output, then for targets of twice
    the output. The noise is integrated by quadrature.
    """
    where, mass = np.polynomial.hermite_e.hermegauss(NODES)
    nodes = jnp.asarray(np.stack(np.meshgrid(where, where), -1).reshape(-1, 2))
    masses = jnp.asarray(np.outer(mass, mass).ravel() / mass.sum() ** 2)

    def terms(point, residuals):  # output less target, a row for each target
        change = network(point + std * nodes)[:, None] - network(point)
        # (r + c)² - r², written so that float32 does not cancel.
        added = jnp.sum(change * (change + 2.0 * residuals), -1)
        laplacian = jnp.trace(jax.hessian(network)(point), axis1=1, axis2=2)
        return (
            0.5 * masses @ added.mean(1),
            0.5 * std**2 * jnp.sum(jnp.square(jax.jacobian(network)(point))),
            0.5 * std**2 * jnp.mean(residuals @ laplacian),
        )

    def both(point):
        balanced = jnp.array([[1.0, 1.0], [-1.0, -1.0]])
        return terms(point, balanced), terms(point, -network(point)[None])

    return jax.tree.map(jnp.mean, jax.lax.map(both, normal(7, 50, 2)))


def nonlinear():
    """Per std what noise adds over the Tikhonov term.

    At the minimum; elsewhere; and elsewhere less the term of the Laplacian.
    """
    for std in STDS:
        (added, tikhonov, _), (other, _, curvature) = second_order(std)
        ratios = added / tikhonov, other / tikhonov, (other - curvature) / tikhonov
        yield std, *map(float, ratios)


@functools.partial(jax.jit, static_argnames="model")
def jacobian_norm(model, params, images):
    """Mean Frobenius norm of the Jacobian of the logits by the pixels."""

    def logits(image):
        rates = jnp.zeros(len(model.sites))
        return model.apply({"params": params}, image[None], rates, train=False)[0]

    slopes = jax.lax.map(jax.jacrev(logits), images, batch_size=50)
    return jnp.mean(jnp.sqrt(jnp.sum(jnp.square(slopes), (1, 2, 3))))


def trained(arm, seed, quick):
    """Norm of the Jacobian, and accuracy, of an MLP with 128 hidden units."""
    fields = {
        "seed": seed,
        "data.train_size": 2_000 if quick else 5_000,
        "model.widths": (128,),
        "train.batch_size": 50,
        **ARMS[arm],
    }
    [(found, state)] = trajectory(fields, [5 if quick else 20])
    images = jnp.asarray(found.dataset.validation_images[:HELD_OUT])
    labels = found.dataset.validation_labels[:HELD_OUT].astype(int)
    logits = found.programs.predict(state.params, {}, images, found.hparams)
    norm = jacobian_norm(found.programs.model, state.params, pixels(images[:JACOBIANS]))
    return float(norm), float(accuracy(logits, labels))


def run(quick: bool) -> Findings:
    """Linear, then a fixed nonlinear network, then networks that learn images."""
    copies, seeds = (500, 3) if quick else (5_000, 10)
    lines, ratios = list(linear(copies)), list(nonlinear())
    found = {
        arm: np.array([trained(arm, seed, quick) for seed in range(seeds)])
        for arm in ARMS
    }
    smallest, large = ratios[0], ratios[STDS.index(1.0)]
    # The same seed is the same start and the same batches: compared seed by seed.
    changes = judged(
        {
            arm: Difference(
                list(100.0 * (values[:, 0] / found["no noise"][:, 0] - 1.0)), NORM
            )
            for arm, values in found.items()
            if arm != "no noise"
        }
    )
    checks = {
        "linear: the penalty is N std²": Measurement(
            "the loss over draws is |t - X w|² + N std² |w|²: the largest distance in "
            "standard errors",
            max(line[3] for line in lines),
            high=SIGMAS,
        ),
        "linear: the minimum is that of ridge": Measurement(
            "least squares on noisy copies gives the weights of ridge regression of "
            "strength N std²: the largest distance in standard errors",
            max(line[4] for line in lines),
            high=SIGMAS,
        ),
        "nonlinear: small noise at the minimum": Identity(
            f"where the output is the mean of the targets, noise of std {STDS[0]} adds "
            "std² times half the squared Jacobian: their ratio",
            smallest[1],
            low=0.99,
            high=1.01,
        ),
        "nonlinear: large noise": Identity(
            "noise of std 1 adds something else there, by more than a fifth",
            abs(large[1] - 1.0),
            low=0.2,
        ),
        "nonlinear: not at the minimum": Identity(
            "where targets are twice the output, so does the smallest noise",
            abs(smallest[2] - 1.0),
            low=0.2,
        ),
        "nonlinear: what is missing there": Identity(
            "less std² times half the residual times the Laplacian, what it adds there "
            "is the penalty again: their ratio",
            smallest[3],
            low=0.99,
            high=1.01,
        ),
        "trained: input noise smooths": OverSeeds(
            "relative change of the norm of the logits' Jacobian by input noise",
            (changes["input noise"],),
            LOWER,
        ),
        "trained: so does hidden dropout": OverSeeds(
            "the same by hidden dropout",
            (changes["hidden dropout"],),
            LOWER,
        ),
        "trained: all have learned": InEach(
            "share of the held-out images that the worst of a seed's three networks is "
            "right on",
            np.min([values[:, 1] for values in found.values()], 0),
            low=0.7,
        ),
    }
    rows = [["linear: loss over draws", std, *two] for std, *two, _, _ in lines]
    for n, name in enumerate(("at the minimum", "elsewhere", "less Laplacian"), 1):
        rows += [[f"added / penalty {name}", row[0], row[n], 1.0] for row in ratios]
    for n, name in enumerate(("norm of the Jacobian", "accuracy")):
        for arm, values in found.items():
            rows.append([name, arm, *between(mean_interval(values[:, n]))])
    rows += [
        ["change of the norm, %", arm, *between(one.interval)]
        for arm, one in changes.items()
    ]
    return Findings(
        checks,
        ["quantity", "std, or noise", "found", "expected, or 95 % interval"],
        rows,
        draw(ratios, found),
        "Left: what input noise adds to the expected error of a tanh network, over the "
        "Tikhonov term, where the output is the mean of the targets and where it is "
        "half of them (50 points, by quadrature); at 1 they agree. Right: norm of the "
        f"logits' Jacobian by pixels, of {seeds} MLPs each trained on Fashion-MNIST "
        f"(mean over {JACOBIANS} held-out images; std {INPUT_STD} of input noise, rate "
        f"{HIDDEN_RATE} of hidden dropout): a mark per seed, and the mean with its "
        "95 % interval.",
    )


def between(found: Interval):
    """A mean, and its interval in words."""
    return found.mean, f"{found.low:.4g} to {found.high:.4g}"


def draw(ratios, found) -> Figure:
    """The ratios by size of the noise, and the norms by kind of noise."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.axhline(1.0, color="0.5", linewidth=0.6)
    names = ("at the minimum", "elsewhere", "elsewhere, less Laplacian")
    for n, name in enumerate(names):
        look = {"color": COLOURS[n], "marker": MARKS[n][0], "label": name}
        left.plot(STDS, [row[n + 1] for row in ratios], markersize=3.5, **look)
    left.set(xscale="log", xlabel="std of the input noise", ylabel="added / Tikhonov")
    left.set_xticks(STDS, labels=map(str, STDS))
    left.xaxis.set_minor_formatter(NullFormatter())
    left.legend(frameon=False)
    for n, values in enumerate(found.values()):
        norms = values[:, 0]
        places = n + np.linspace(-0.2, 0.0, len(norms))
        look = {"color": COLOURS[n], "linestyle": "none", "marker": MARKS[n][0]}
        right.plot(places, norms, markersize=3, alpha=0.6, **look)
        bars(right, [n + 0.2], [mean_interval(norms)], n, markersize=5)
    right.set_xticks(range(len(ARMS)), labels=[*ARMS])
    right.set_xlim(-0.5, len(ARMS) - 0.5)
    right.set(
        xlabel="noise while training", ylabel="norm of the Jacobian", ylim=(0, None)
    )
    return figure


EXPERIMENT = Experiment(
    id="E20",
    question="Is training with noisy inputs Tikhonov regularisation, and smoother?",
    protocol="Linear regression: loss and minimum over noisy copies against ridge of "
    "strength N std². A tanh network: what noise adds, by quadrature, over Bishop's "
    "terms, for five sizes of noise. MLPs on Fashion-MNIST, paired by seed: the norm "
    "of the logits' Jacobian on held-out images without noise, with input noise, with "
    "hidden dropout.",
    budget="30 trainings of 20 epochs on 5,000 images.",
    expected="Exact for a linear model with squared error. Else of second order, and "
    "the Jacobian alone is the penalty only where the output is the mean of the "
    "targets, which makes the term of the Laplacian vanish (Bishop 1995). Dropout of "
    "the inputs is Tikhonov too, but not ridge (E05).",
    run=run,
)
