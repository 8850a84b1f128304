# SPDX-License-Identifier: Apache-2.0
"""E19: from how many examples on dropout pays."""

import itertools

import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.reports.numbers import bracketed
from dropout_jax.sweeps import across_seeds
from experiments.checks import InEach
from experiments.comparisons import judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import curve, shown
from experiments.over_seeds import HIGHER, OverSeeds
from experiments.trained import Trained, by_arm, train

SIZES = (100, 500, 1_000, 5_000, 10_000, 55_000)
ARMS = {
    "none": {},
    "dropout": {"noise.kind": "dropout", "noise.rates": (0.5,)},
}
STEPS, BATCH = 4_000, 100
MOST_EPOCHS = 1_000  # of few images, which are fitted long before


def study(quick: bool) -> list[Trained]:
    """Trains the MLP on the first images of the training set, as many as each size."""
    sizes, steps = (SIZES[:3], 100) if quick else (SIZES, STEPS)
    fields = {
        "model.widths": (256, 256),
        "train.batch_size": BATCH,
        # The best epoch of 5,000 validation images would be a regulariser of its own.
        "train.keep": "last",
    }
    sweep = [
        {
            "arm": f"{arm} {size}",
            "data.train_size": size,
            "train.epochs": min(MOST_EPOCHS, max(1, steps * BATCH // size)),
            **more,
        }
        for size in sizes
        for arm, more in ARMS.items()
    ]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E19", override(defaults(), fields), trials, quick=quick)


def run(quick: bool) -> Findings:
    """Compares both arms at every size, over the same seeds."""
    accuracy = by_arm(study(quick), lambda one: 100.0 * one.test["accuracy"])
    sizes = [int(arm.split()[1]) for arm in accuracy if arm.startswith("none")]
    asked = {
        f"dropout less none, {size}": over(accuracy, f"dropout {size}", f"none {size}")
        for size in sizes
    }
    steps = {
        f"none, {more} less {fewer}": over(accuracy, f"none {more}", f"none {fewer}")
        for fewer, more in itertools.pairwise(sizes)
    }
    found = judged(asked | steps)
    gains = {size: found[f"dropout less none, {size}"] for size in sizes}
    small, middle = sizes[0], 5_000 if 5_000 in sizes else sizes[-1]
    checks = {
        "on a hundred it gains less than half a point": InEach(
            f"with {small} examples dropout .5 over none: "
            f"{bracketed(gains[small].interval)} points on average",
            gains[small].values,
            high=0.5,
            unit="points",
        ),
        "it pays in between": OverSeeds(
            f"with {middle:,} examples dropout .5 over none",
            (gains[middle],),
            HIGHER,
        ),
        "more data are worth more": OverSeeds(
            "without noise every step to more examples is a gain",
            tuple(found[name] for name in steps),
            HIGHER,
        ),
    }
    rows = [
        [
            f"{size:,}",
            shown(accuracy[f"none {size}"]),
            shown(accuracy[f"dropout {size}"]),
            bracketed(gain.interval),
        ]
        for size, gain in gains.items()
    ]
    seeds = len(accuracy[f"none {small}"])
    return Findings(
        checks,
        ["examples", "none, %", "dropout .5, %", "gain, points"],
        rows,
        draw(sizes, accuracy),
        "MLP 784-256-256-10 by the number of training images, after 4,000 steps (1,000 "
        "with 100 images): test accuracy (left) and what dropout at .5 gains over the "
        f"same seeds (right); means and 95 % intervals of {seeds} seeds.",
    )


def draw(sizes, accuracy) -> Figure:
    """Accuracy, and the gain, by size."""
    figure = Figure(figsize=(6.5, 2.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for n, arm in enumerate(ARMS):
        values = [accuracy[f"{arm} {size}"] for size in sizes]
        curve(left, sizes, values, n, label=arm)
    gains = [
        list(np.subtract(accuracy[f"dropout {size}"], accuracy[f"none {size}"]))
        for size in sizes
    ]
    right.axhline(0.0, color="0.5", linewidth=0.6)
    curve(right, sizes, gains, 1)
    left.set_ylabel("test accuracy, %")
    right.set_ylabel("dropout less none, points")
    left.legend(frameon=False)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="training images")
    return figure


EXPERIMENT = Experiment(
    id="E19",
    question="From how many examples on does dropout pay?",
    protocol="The MLP on the first 100 to 55,000 training images, with and without "
    "dropout at .5; 4,000 steps, or 1,000 epochs of 100 images; the last epoch counts.",
    budget="5 seeds of 4,000 steps at most for each size and arm.",
    expected="Not on very few examples, most in between, less on many (Srivastava et "
    "al. 2014, figure 10).",
    run=run,
)
