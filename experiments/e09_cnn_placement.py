# SPDX-License-Identifier: Apache-2.0
"""E09: where in a convolutional network dropout helps, and in which form."""

from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.evaluation.statistics import paired_difference
from dropout_jax.reports.numbers import bracketed
from dropout_jax.sweeps import across_seeds
from experiments.experiment import Check, Experiment, Findings
from experiments.intervals import bars, shown
from experiments.trained import Trained, by_arm, train

BLOCKS, HEAD = (0.1, 0.1), 0.5
ARMS = {
    "none": {},
    "head only": {"noise.kind": "dropout", "noise.rates": (0.0, 0.0, HEAD)},
    "blocks only": {"noise.kind": "dropout", "noise.rates": (*BLOCKS, 0.0)},
    "everywhere": {"noise.kind": "dropout", "noise.rates": (*BLOCKS, HEAD)},
    "spatial": {"noise.kind": "spatial_dropout", "noise.rates": (*BLOCKS, HEAD)},
    "dropblock": {
        "noise.kind": "dropblock",
        "noise.block": 3,
        "noise.rates": (*BLOCKS, HEAD),
    },
}


def study(quick: bool) -> list[Trained]:
    """Trains a CNN of two blocks and one dense layer under each placement."""
    fields = {
        "model.name": "cnn",
        "model.channels": (16, 32),
        "model.widths": (128,),
        "train.batch_size": 64,
        "train.epochs": 1 if quick else 10,
        "data.train_size": 500 if quick else 10_000,
    }
    sweep = [{"arm": arm, **noise} for arm, noise in ARMS.items()]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E09", override(defaults(), fields), trials, quick=quick)


def run(quick: bool) -> Findings:
    """Each placement against none and against the head alone."""
    accuracy = by_arm(study(quick), lambda one: 100.0 * one.test["accuracy"])
    gains = {arm: gain(accuracy, arm, "none") for arm in [*ARMS][1:]}
    beyond = gain(accuracy, "everywhere", "head only")
    best = max(gains, key=lambda arm: gains[arm].mean)
    checks = {
        "the head alone is no loss": Check(
            "dropout at the dense layer over none: upper end of the interval, points",
            gains["head only"].high,
            low=0.0,
            full=True,
        ),
        "some placement wins": Check(
            f"the best, {best}, over none: lower end of the interval, points (the best "
            "of five, so that its interval flatters it)",
            gains[best].low,
            low=0.0,
            full=True,
        ),
        "the blocks too are better than the head alone": Check(
            "everywhere over the head only: lower end of the interval, points",
            beyond.low,
            low=0.0,
            full=True,
        ),
    }
    rows = [
        [arm, shown(values), bracketed(gains.get(arm))]
        for arm, values in accuracy.items()
    ]
    rows.append(["everywhere over head only", "", bracketed(beyond)])
    return Findings(
        checks,
        ["where", "test accuracy, %", "over none, points"],
        rows,
        draw(gains),
        "Test accuracy of a CNN (16c3-pool-32c3-pool-128-10, 10,000 images) with "
        f"dropout at {BLOCKS[0]} in its blocks and at {HEAD} in its head, over none; "
        f"means and 95 % intervals of {len(accuracy['none'])} paired seeds.",
    )


def gain(accuracy, arm, other):
    """The paired difference of two arms."""
    return paired_difference(accuracy[arm], accuracy[other])


def draw(gains) -> Figure:
    """The difference of each placement to none."""
    figure = Figure(figsize=(4.5, 2.4), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.0, color="0.5", linewidth=0.6)
    for n, found in enumerate(gains.values()):
        bars(axes, [n], [found], n, across=True)
    axes.set_yticks(range(len(gains)), list(gains))
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy over none, points")
    return figure


EXPERIMENT = Experiment(
    id="E09",
    question="Where in a convolutional network does dropout help, and in which form?",
    protocol="A CNN of two blocks and one dense layer, with dropout nowhere, at the "
    "head, in the blocks, at both; spatial dropout and DropBlock in the blocks.",
    budget="5 seeds of 10 epochs on 10,000 images, in six arms.",
    expected="Every layer gains (Srivastava et al. 2014, table 3: SVHN 3.95 % error "
    "without, 3.02 % at the dense layers, 2.55 % at all).",
    run=run,
)
