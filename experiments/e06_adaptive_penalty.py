# SPDX-License-Identifier: Apache-2.0
"""E06: dropout in logistic and softmax regression is an adaptive penalty, nearly."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.theory.adaptive import dropout_penalty_exact, wager_penalty
from experiments.checks import Identity
from experiments.experiment import Experiment, Findings

RATES = (0.1, 0.2, 0.3, 0.5, 0.7)
SIZES = (0.1, 0.3, 1.0, 3.0, 10.0)  # norms of the weights
EXAMPLES, FEATURES, CLASSES = 20, 10, 4
FAMILIES = ("logistic", "softmax")
MODELS = 10  # draws of inputs and weights


def model(family, size, n):
    """Inputs, and weights of a norm, of the n-th draw."""
    chance = np.random.default_rng(6 if n == 0 else (6, n))
    inputs = chance.normal(size=(EXAMPLES, FEATURES))
    shape = (FEATURES, CLASSES) if family == "softmax" else (FEATURES,)
    weights = chance.normal(size=shape)
    weights *= size / np.linalg.norm(weights)
    return jnp.asarray(weights, jnp.float32), jnp.asarray(inputs, jnp.float32)


@functools.partial(jax.jit, static_argnames=("rate", "family"))
def penalties(weights, inputs, rate, family):
    """The quadratic approximation, and the exact penalty."""
    approximation = wager_penalty(weights, inputs, rate, family)
    return approximation, dropout_penalty_exact(weights, inputs, rate, family)


def ratio(family, size, rate, n):
    """The quadratic approximation over the exact penalty."""
    approximation, exact = penalties(*model(family, size, n), rate, family)
    return float(approximation) / float(exact)


def beside_a_large_one(weight):
    """The exact penalty of a weight beside one of 6, one example, rate 0.5."""
    weights = jnp.array([6.0, weight])
    return float(dropout_penalty_exact(weights, jnp.ones((1, 2)), 0.5))


def run(quick: bool) -> Findings:
    """Compares Wager's quadratic penalty with the enumeration of all masks."""
    rates = RATES[::2] if quick else RATES
    found = {
        (family, size, rate): [ratio(family, size, rate, n) for n in range(MODELS)]
        for family in FAMILIES
        for size in SIZES
        for rate in rates
    }

    def worst(sizes, rates):
        chosen = [
            np.abs(np.subtract(values, 1.0))
            for (_, size, rate), values in found.items()
            if size in sizes and rate in rates
        ]
        return np.array(chosen)  # [settings, models]

    example = (
        float(wager_penalty(*known(), 0.5)),
        float(dropout_penalty_exact(*known(), 0.5)),
    )
    checks = {
        "small weights": Identity(
            "for weights of norm up to 0.3 the approximation is within 5 % at every "
            f"rate, in each of {MODELS} draws of inputs and weights: the worst",
            float(worst((0.1, 0.3), rates).max()),
            high=0.05,
            full=True,
        ),
        "small rates": Identity(
            "at rate 0.1 and norm up to 1 it is within 5 % in each draw: the worst",
            float(worst((0.1, 0.3, 1.0), (0.1,)).max()),
            high=0.05,
            full=True,
        ),
        "the error shrinks with the weights": Identity(
            "the worst error over the rates at norm 0.1 is less than half of that at "
            "norm 0.3, as of a second-order approximation: the largest ratio of all "
            "draws",
            float((worst((0.1,), rates).max(0) / worst((0.3,), rates).max(0)).max()),
            high=0.5,
        ),
        "large weights": Identity(
            "for weights of norm 10 it is off by more than a tenth at some rate, in "
            "each draw: the least of the worst rates",
            float(worst((10.0,), rates).max(0).min()),
            low=0.1,
        ),
        "a weight grows, the penalty falls": Identity(
            "beside a weight of 6, one of 3 has a smaller penalty than one of 0: it "
            "is no norm (logistic, one example, rate 0.5; their ratio)",
            beside_a_large_one(3.0) / beside_a_large_one(0.0),
            high=0.99,
        ),
        "the known example": Identity(
            "one example of three features at rate 0.5: the approximation is larger "
            "than the exact penalty by 0 to 10 %",
            example[0] / example[1],
            low=1.0,
            high=1.1,
        ),
    }
    rows = [
        [family, size, *(float(np.mean(found[family, size, rate])) for rate in rates)]
        for family in FAMILIES
        for size in SIZES
    ]
    return Findings(
        checks,
        ["family", "norm of the weights", *(f"rate {rate}" for rate in rates)],
        rows,
        draw(found, rates),
        "Wager's quadratic penalty over the exact one, which is enumerated over all "
        f"{2**FEATURES} masks ({EXAMPLES} examples, {FEATURES} features; softmax of "
        f"{CLASSES} classes): means of {MODELS} draws of inputs and weights. At 1 they "
        "agree.",
    )


def known():
    """A model of three features, weights and one example."""
    return jnp.array([0.5, -0.3, 0.8]), jnp.array([[1.0, 1.0, 0.5]])


def draw(found, rates) -> Figure:
    """The ratio by size of the weights, a line per rate."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, family in zip(panels, FAMILIES, strict=True):
        axes.axhline(1.0, color="0.5", linewidth=0.6)
        for n, rate in enumerate(rates):
            ratios = [np.mean(found[family, size, rate]) for size in SIZES]
            look = {"color": COLOURS[n], "marker": MARKS[n][0], "markersize": 3.5}
            axes.plot(SIZES, ratios, label=f"rate {rate}", **look)
        axes.set(xscale="log", xlabel="norm of the weights", title=family)
    panels[0].set_ylabel("approximation / exact penalty")
    panels[0].legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E06",
    question="How good is the quadratic penalty that dropout is said to be in logistic "
    "and softmax regression?",
    protocol="Wager's approximation over the exact penalty, by enumeration of all "
    "masks, for five sizes of the weights and five rates.",
    budget="No training.",
    expected="Second order in the noise of the logit: close for small weights or "
    "rates, wrong for large ones (Wager et al. 2013, section 3), where the exact "
    "penalty is not even monotone in a weight (Helmbold, Long 2015).",
    run=run,
)
