# SPDX-License-Identifier: Apache-2.0
"""E01: what a higher rate does, from 0 to .9."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.data import load
from dropout_jax.sweeps import across_seeds
from dropout_jax.theory.regression import dropout_ridge_solution
from dropout_jax.training.load import LoadedRun
from dropout_jax.training.loop import CLEAN_TRAIN_EXAMPLES
from experiments.checks import Identity
from experiments.comparisons import FIT, GAP, judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import curve, shown
from experiments.over_seeds import LOWER, OverSeeds
from experiments.trained import Trained, by_arm, mlp, train

RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
LINEAR_EXAMPLES = 2_000
FITS = 5.0  # points of training accuracy: a network that loses more does not fit


def study(quick: bool) -> list[Trained]:
    """Trains the MLP at every rate: nested masks, equal first weights and batches."""
    fields = {
        **mlp(20, quick=quick),
        "noise.kind": "dropout",
        "optimizer.schedule": "constant",
        "train.keep": "last",
    }
    rates = RATES[::3] if quick else RATES
    sweep = [{"arm": f"{rate}", "noise.rates": (rate,)} for rate in rates]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E01", override(defaults(), fields), trials, quick=quick, look=norms)


def norms(run: LoadedRun) -> dict[str, list[float]]:
    """The Frobenius norm of each kernel, from the input to the output."""
    kernels = [
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(run.params)
        if path[-1].key == "kernel"
    ]
    return {"norms": [float(jnp.linalg.norm(kernel)) for kernel in kernels]}


def linear_norms() -> list[float]:
    """The norm of the best weights of linear regression under dropout, by rate."""
    data = load(train_size=LINEAR_EXAMPLES)
    inputs = data.train_images.reshape(LINEAR_EXAMPLES, -1) / np.float32(255)
    varied = jnp.asarray(inputs[:, inputs.std(0) > 0.05])  # the rest says nothing
    targets = jnp.asarray(data.train_labels % 2, jnp.float32) - 0.5
    return [
        float(jnp.linalg.norm(dropout_ridge_solution(varied, targets, rate)))
        for rate in RATES
    ]


def gap(one: Trained) -> float:
    """Accuracy on training images without noise, less that of validation, points."""
    history = one.line["history"]
    return 100.0 * (
        history["clean_train_accuracy"][-1] - history["validation_accuracy"][-1]
    )


def fit(one: Trained) -> float:
    """Returns the accuracy on training images without noise, in %."""
    return 100.0 * one.line["history"]["clean_train_accuracy"][-1]


def run(quick: bool) -> Findings:
    """Trains, and compares the rates over the same seeds."""
    trained = study(quick)
    linear = linear_norms()
    accuracy = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    gaps, fits = by_arm(trained, gap), by_arm(trained, fit)
    sizes = [by_arm(trained, lambda one, n=n: one.model["norms"][n]) for n in range(3)]
    arms = list(accuracy)
    high, middle = arms[-1], "0.3" if quick else "0.5"
    fitting = [
        arm
        for arm in arms[arms.index(middle) + 1 :]
        if np.mean(fits[arm]) > np.mean(fits[middle]) - FITS
    ] or [arms[arms.index(middle) + 1]]
    names = f"{', '.join(fitting)} less {middle}"
    found = judged(
        {
            **{
                ("gap", f"{arm} less {middle}"): over(gaps, arm, middle, GAP)
                for arm in fitting
            },
            ("training accuracy", high): over(fits, high, middle, FIT),
            ("test accuracy", high): over(accuracy, high, middle),
        }
    )
    of_gap = tuple(one for (what, _), one in found.items() if what == "gap")
    checks = {
        "linear: the norm falls with the rate": Identity(
            "the best weights of linear regression on these images have a smaller norm "
            "at each higher rate: the largest ratio of neighbors",
            max(b / a for a, b in itertools.pairwise(linear)),
            high=1.0,
        ),
        "the gap falls above .5 while the network fits": OverSeeds(
            f"the gap between training and validation accuracy, {names}; the rates are "
            f"those that cost less than {FITS:g} points of training accuracy",
            of_gap,
            LOWER,
        ),
        "too much underfits": OverSeeds(
            f"{high} is less accurate than {middle} on the training images and on the "
            "test set",
            (found["training accuracy", high], found["test accuracy", high]),
            LOWER,
        ),
    }
    rows = [
        [
            arm,
            *map(shown, (accuracy[arm], fits[arm], gaps[arm])),
            *(shown(s[arm]) for s in sizes),
        ]
        for arm in arms
    ]
    seeds = len(accuracy[high])
    return Findings(
        checks,
        [
            "rate",
            "test accuracy, %",
            "training accuracy, %",
            "gap, points",
            "norm 1",
            "norm 2",
            "norm 3",
        ],
        rows,
        draw(arms, accuracy, gaps, sizes),
        f"MLP 784-256-256-10 by the rate of both hidden layers: test accuracy, gap "
        f"between the accuracies on the first {CLEAN_TRAIN_EXAMPLES:,} training images "
        "(without noise) and in validation, and norms of the kernels over those of "
        f"the same seed at rate 0; means and 95 % intervals of {seeds} seeds "
        "with equal first weights and nested masks.",
    )


def draw(arms, accuracy, gaps, sizes) -> Figure:
    """Accuracy, gap and norms by rate."""
    figure = Figure(figsize=(6.5, 2.3), layout="constrained")
    panels = figure.subplots(1, 3)
    rates = [float(arm) for arm in arms]
    labels = ("test accuracy, %", "gap, points")
    for axes, values, label in zip(panels, (accuracy, gaps), labels, strict=False):
        curve(axes, rates, [values[arm] for arm in arms], 0)
        axes.set_ylabel(label)
    for n, of_layer in enumerate(sizes):
        values = [np.divide(of_layer[arm], of_layer[arms[0]]) for arm in arms]
        curve(panels[2], rates, values, n, label=f"layer {n + 1}")
    panels[2].set_ylabel("norm / norm at rate 0")
    panels[2].legend(frameon=False)
    for axes in panels:
        axes.set_xlabel("rate (probability of dropping)")
    return figure


EXPERIMENT = Experiment(
    id="E01",
    question="What does a higher rate of dropout do, and is .5 the strongest?",
    protocol="The MLP trained at ten rates from 0 to .9, the same seeds for each; "
    "linear regression in closed form beside it.",
    budget="5 seeds of 20 epochs at each rate, constant learning rate.",
    expected="The strength grows with the rate without end: the norm of the linear "
    "weights falls at every step, and the MLP's gap closes beyond .5. Accuracy is "
    "flat in the middle and falls at .9 (Srivastava et al. 2014, figure 9).",
    run=run,
)
