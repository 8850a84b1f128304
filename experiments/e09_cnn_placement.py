# SPDX-License-Identifier: Apache-2.0
"""E09: where in a convolutional network dropout helps, and in which form."""

import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.reports.numbers import bracketed
from dropout_jax.sweeps import across_seeds
from experiments.comparisons import judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import bars, shown
from experiments.over_seeds import HIGHER, LOWER, OverSeeds
from experiments.trained import Trained, by_arm, train

BLOCKS, HEAD = (0.1, 0.1), 0.5
LENGTHS = (10, 40)  # epochs
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
        "data.train_size": 500 if quick else 10_000,
    }
    sweep = [
        {"arm": f"{arm}, {epochs} epochs", "train.epochs": epochs, **noise}
        for epochs in ((1, 2) if quick else LENGTHS)
        for arm, noise in ARMS.items()
    ]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E09", override(defaults(), fields), trials, quick=quick)


def run(quick: bool) -> Findings:
    """Each placement against none and against the head alone, at both lengths."""
    trained = study(quick)
    accuracy = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    validation = by_arm(trained, validation_of)
    lengths = [*dict.fromkeys(arm.partition(", ")[2] for arm in accuracy)]
    short, long = lengths
    placed = [*ARMS][1:]
    found = judged(
        {
            **{
                f"{arm}, {length}": over(
                    accuracy, f"{arm}, {length}", f"none, {length}"
                )
                for length in lengths
                for arm in placed
            },
            **{
                f"everywhere over head only, {length}": over(
                    accuracy, f"everywhere, {length}", f"head only, {length}"
                )
                for length in lengths
            },
        }
    )
    gains = {
        length: {arm: found[f"{arm}, {length}"].interval for arm in placed}
        for length in lengths
    }
    chosen = max(placed, key=lambda arm: float(np.mean(validation[f"{arm}, {long}"])))
    checks = {
        "after a short training every placement costs accuracy": OverSeeds(
            f"after {short}, each of five over none",
            tuple(found[f"{arm}, {short}"] for arm in placed),
            LOWER,
        ),
        "the head alone gains": OverSeeds(
            f"after {long}, dropout at the dense layer over none",
            (found[f"head only, {long}"],),
            HIGHER,
        ),
        "the chosen placement gains": OverSeeds(
            f"after {long}, {chosen}, which of the five has the highest validation "
            "accuracy, over none",
            (found[f"{chosen}, {long}"],),
            HIGHER,
        ),
        "the blocks too are better than the head alone": OverSeeds(
            f"after {long}, everywhere over the head only",
            (found[f"everywhere over head only, {long}"],),
            HIGHER,
        ),
    }
    rows = [
        [
            arm,
            length,
            shown(accuracy[f"{arm}, {length}"]),
            bracketed(gains[length].get(arm)),
        ]
        for length in lengths
        for arm in ARMS
    ]
    rows += [
        [of, length, "", bracketed(found[f"{of}, {length}"].interval)]
        for of in ("everywhere over head only",)
        for length in lengths
    ]
    seeds = len(accuracy[f"none, {short}"])
    return Findings(
        checks,
        ["where", "trained for", "test accuracy, %", "over none, points"],
        rows,
        draw(gains),
        "Test accuracy of a CNN (16c3-pool-32c3-pool-128-10, 10,000 images) with "
        f"dropout at {BLOCKS[0]} in its blocks and at {HEAD} in its head, over none, "
        f"after {short} and after {long}; means and 95 % intervals of {seeds} paired "
        "seeds.",
    )


def validation_of(one: Trained) -> float:
    """Returns the validation accuracy of the epoch that is kept, in %."""
    return 100.0 * one.line["result"]["validation"]["accuracy"]


def draw(gains) -> Figure:
    """The difference of each placement to none, a mark per length."""
    figure = Figure(figsize=(4.5, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.0, color="0.5", linewidth=0.6)
    for n, (length, found) in enumerate(gains.items()):
        places = [place + 0.2 * n for place in range(len(found))]
        bars(axes, places, [*found.values()], n, across=True, label=length)
    axes.set_yticks(range(len(ARMS) - 1), [*ARMS][1:])
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy over none, points")
    axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E09",
    question="Where in a convolutional network does dropout help, and in which form?",
    protocol="A CNN of two blocks and one dense layer, with dropout nowhere, at the "
    "head, in the blocks, at both; spatial dropout and DropBlock in the blocks; after "
    "10 and after 40 epochs, the epoch best in validation tested.",
    budget="5 seeds of 10 and of 40 epochs on 10,000 images, in six arms.",
    expected="Every layer gains (Srivastava et al. 2014, table 3: SVHN 3.95 % error "
    "without, 3.02 % at the dense layers, 2.55 % at all). After 10 epochs, which were "
    "run first, every placement lost: the 40 were added to see whether that is for the "
    "length of the training.",
    run=run,
)
