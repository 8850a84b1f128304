# SPDX-License-Identifier: Apache-2.0
"""E05: linear regression under dropout is generalised ridge regression."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.theory.adaptive import all_masks, mask_probabilities
from dropout_jax.theory.regression import (
    dropout_regression_loss,
    dropout_ridge_solution,
    effective_l2,
)
from dropout_jax.transforms import dropout
from experiments.checks import Identity, Measurement
from experiments.experiment import Experiment, Findings
from experiments.intervals import sigmas

RATES = (0.1, 0.3, 0.5, 0.7, 0.9)
EXAMPLES, FEATURES = 40, 6
CLOSE = 1e-5  # relative, what float32 leaves of an exact equality
SIGMAS = 4.0


def data(examples=EXAMPLES, features=FEATURES):
    """Correlated inputs of unequal scales, and noisy targets of a linear rule."""
    chance = np.random.default_rng(5)
    mixed = chance.normal(size=(examples, features)) @ chance.normal(
        size=(features, features)
    )
    inputs = mixed * np.linspace(0.3, 1.5, features)
    targets = inputs @ chance.normal(size=features) + chance.normal(size=examples)
    return jnp.asarray(inputs, jnp.float32), jnp.asarray(targets, jnp.float32)


def enumerated(weights, inputs, targets, rate):
    """The expected loss over all masks, one after the other, scaling "train"."""
    masks = all_masks(inputs.shape[1])
    outputs = jnp.einsum("nj,mj,j->mn", inputs, masks, weights) / (1.0 - rate)
    losses = jnp.sum(jnp.square(targets[None] - outputs), axis=1)
    return mask_probabilities(masks, rate) @ losses


def printed(weights, inputs, rate):
    """The textbook's eq. 9.4.13, whose target is the model's own output y.

    Its masks are not rescaled: the weights are those of scaling "train" over k.
    """
    k = 1.0 - rate
    own = jnp.sum(jnp.square(inputs @ weights))
    penalty = jnp.sum(jnp.square(weights) * jnp.sum(jnp.square(inputs), axis=0))
    return rate**2 * own + k * rate * penalty


def descended(inputs, targets, rate):
    """Minimises the enumerated loss by Newton's method, which knows no closed form."""
    loss = functools.partial(enumerated, inputs=inputs, targets=targets, rate=rate)
    weights = jnp.zeros(inputs.shape[1])
    for _ in range(3):
        step = jnp.linalg.solve(jax.hessian(loss)(weights), jax.grad(loss)(weights))
        weights = weights - step
    return weights


@functools.partial(jax.jit, static_argnames=("steps", "chains"))
def averaged_sgd(key, inputs, targets, rate, steps, chains):
    """Last-half averages of SGD under fresh masks, in independent chains."""
    rate_of_learning = 0.2 / jnp.max(jnp.sum(jnp.square(inputs), axis=1))

    def chain(key):
        def step(carry, key):
            weights, total, n = carry
            noisy = dropout(key, inputs, rate)
            residual = noisy @ weights - targets
            gradient = noisy.T @ residual / len(targets)
            weights = weights - rate_of_learning * gradient
            kept = n >= steps // 2
            return (weights, total + jnp.where(kept, weights, 0.0), n + 1), None

        start = jnp.zeros(inputs.shape[1])
        carry = (start, start, 0)
        (_, total, _), _ = jax.lax.scan(step, carry, jax.random.split(key, steps))
        return total / (steps - steps // 2)

    return jax.lax.map(chain, jax.random.split(key, chains))


def run(quick: bool) -> Findings:
    """Compares the closed form with three ways to the same minimum."""
    inputs, targets = data()
    rows, exact, descent, wrong, isotropic = [], [], [], [], []
    for rate in RATES:
        closed = dropout_ridge_solution(inputs, targets, rate)
        by_masks = enumerated(closed, inputs, targets, rate)
        by_form = dropout_regression_loss(closed, inputs, targets, rate)
        own = printed(closed / (1.0 - rate), inputs, rate)
        minimum = descended(inputs, targets, rate)
        ridge = effective_l2(inputs, rate)
        plain = jnp.linalg.solve(
            inputs.T @ inputs + jnp.mean(ridge) * jnp.eye(FEATURES),
            inputs.T @ targets,
        )
        size = jnp.linalg.norm(closed)
        exact.append(abs(by_masks / by_form - 1.0))
        descent.append(jnp.linalg.norm(minimum - closed) / size)
        wrong.append(abs(own / by_masks - 1.0))
        isotropic.append(jnp.linalg.norm(plain - closed) / size)
        rows.append([rate, by_masks, by_form, own, size, jnp.linalg.norm(plain)])
    steps, chains = (2_000, 8) if quick else (40_000, 16)
    found = averaged_sgd(jax.random.key(5), inputs, targets, 0.5, steps, chains)
    target = dropout_ridge_solution(inputs, targets, 0.5)
    norms = [row[4] for row in rows]
    checks = {
        "closed form is the enumeration": Identity(
            "the expected loss is |t - X w|² + rate/k Σ w² Σ x², up to rounding",
            max(exact),
            high=CLOSE,
        ),
        "descent ends there": Identity(
            "minimising the enumerated loss ends in (X'X + rate/k diag X'X)⁻¹ X't",
            max(descent),
            high=1e-3,
        ),
        "averaged SGD ends there": Measurement(
            f"the mean of {chains} chains of SGD under masks, from zero, the first "
            f"half of {steps:,} steps left out: largest distance of a weight from it, "
            "in standard errors",
            float(np.abs(sigmas(found, target)).max()),
            high=SIGMAS,
            full=True,
        ),
        "printed equation fails": Identity(
            "eq. 9.4.13, for the unscaled weights of the same network, is off by more "
            "than a tenth at every rate",
            min(wrong),
            low=0.1,
        ),
        "not plain ridge": Identity(
            "ridge of the same mean strength gives other weights at every rate, by "
            "more than 1 % of their norm",
            min(isotropic),
            low=0.01,
        ),
        "norm falls with the rate": Identity(
            "on these data each higher rate gives a smaller norm, which no theorem "
            "promises of correlated features: the largest ratio of neighbors",
            max(b / a for a, b in itertools.pairwise(norms)),
            high=1.0,
        ),
    }
    return Findings(
        checks,
        ["rate", "enumerated", "closed form", "eq. 9.4.13", "|w|", "|w| of ridge"],
        [[float(cell) for cell in row] for row in rows],
        draw(rows),
        "Expected squared error under dropout at the best weights, and their norm "
        f"({EXAMPLES} examples, {FEATURES} features, all {2**FEATURES} masks).",
    )


def draw(rows) -> Figure:
    """The loss three ways, and the weights that come of it."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    rates = [row[0] for row in rows]
    names = ("all masks", "closed form", "eq. 9.4.13 as printed")
    for n, name in enumerate(names):
        look = {"color": COLOURS[n], "marker": MARKS[n][0], "label": name}
        size = 7 if n == 0 else 3.5
        left.plot(rates, [row[n + 1] for row in rows], markersize=size, **look)
    for n, name in ((4, "dropout"), (5, "ridge of the same mean strength")):
        look = {"color": COLOURS[n - 3], "marker": MARKS[n - 3][0], "label": name}
        right.plot(rates, [row[n] for row in rows], markersize=3.5, **look)
    left.set(xlabel="rate (probability of dropping)", ylabel="expected squared error")
    right.set(xlabel="rate (probability of dropping)", ylabel="norm of the weights")
    for axes in (left, right):
        axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E05",
    question="Is linear regression under dropout a ridge regression, and which?",
    protocol="The expected loss over all masks, enumerated, against its closed form "
    "and against the textbook's eq. 9.4.13; its minimum by Newton's method and by "
    "averaged SGD under fresh masks, against the closed form.",
    budget="No training.",
    expected="Generalised ridge, of strength rate/k Σ x² per feature (Srivastava et "
    "al. 2014, section 9.1); eq. 9.4.13 fails, whose target is the model's own output.",
    run=run,
)
