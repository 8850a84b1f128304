# SPDX-License-Identifier: Apache-2.0
"""E14: what a seed decides, and what it does not."""

import itertools

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.evaluation.power import seeds_needed
from dropout_jax.reports.numbers import bracketed
from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.sweeps import across_seeds
from experiments.experiment import Check, Experiment, Findings
from experiments.intervals import shown
from experiments.trained import Trained, by_arm, mlp, over, train

ARMS = {"none": {}, "dropout": {"noise.kind": "dropout", "noise.rates": (0.3,)}}


def study(name: str, seeds: int, quick: bool) -> list[Trained]:
    """Trains the MLP with and without dropout."""
    sweep = [{"arm": arm, **more} for arm, more in ARMS.items()]
    trials = across_seeds(sweep, seeds)
    return train(name, override(defaults(), mlp(10, quick=quick)), trials, quick=quick)


def run(quick: bool) -> Findings:
    """Repeats one seed, and asks what one seed of each arm would have said."""
    trained = study("E14", 4 if quick else 20, quick)
    again = study("E14_again", 1, quick)  # other processes, another ledger
    digests = {
        (one.arm, one.seed): one.line["result"]["parameters_sha256"] for one in trained
    }
    repeats = [
        digests[one.arm, one.seed] == one.line["result"]["parameters_sha256"]
        for one in again
    ]
    accuracy = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    plain, noisy = accuracy["none"], accuracy["dropout"]
    paired = np.subtract(noisy, plain)
    difference = over(accuracy, "dropout", "none")
    sign = np.sign(difference.mean)
    any_two = [np.sign(b - a) != sign for a, b in itertools.product(plain, noisy)]
    same_seed = np.sign(paired) != sign
    checks = {
        "the same seed, the same bits": Check(
            "share of repeated runs whose parameters have the same SHA-256",
            float(np.mean(repeats)),
            low=1.0,
        ),
        "seeds differ": Check(
            "standard deviation of the test accuracy over seeds, the smaller of both "
            "arms, points",
            float(min(np.std(v, ddof=1) for v in accuracy.values())),
            low=0.01,
            full=True,
        ),
        "one seed of each may mislead": Check(
            "share of the pairs of one run without and one with dropout that name the "
            "other winner than all seeds together",
            float(np.mean(any_two)),
            low=0.01,
            full=True,
        ),
    }
    rows = [
        [arm, shown(values), float(np.std(values, ddof=1)), min(values), max(values)]
        for arm, values in accuracy.items()
    ]
    rows.append(
        ["difference", bracketed(difference), float(paired.std(ddof=1)), "", ""]
    )
    needed = seeds_needed(0.2, float(paired.std(ddof=1)))
    rows.append(["seeds that show .2 points", float(needed), "", "", ""])
    rows.append(["pairs of one seed that mislead, share", np.mean(any_two), "", "", ""])
    rows.append(["the same, equal seeds", float(np.mean(same_seed)), "", "", ""])
    return Findings(
        checks,
        ["what", "value", "deviation", "least", "most"],
        rows,
        draw(accuracy, paired),
        f"Test accuracy of {len(plain)} seeds without and with dropout (left; each "
        "mark a seed, the bar their mean) and their paired differences in order "
        "(right).",
    )


def draw(accuracy, paired) -> Figure:
    """Every seed of both arms, and the paired differences."""
    figure = Figure(figsize=(6.5, 2.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for n, values in enumerate(accuracy.values()):
        beside = np.linspace(-0.2, 0.2, len(values)) + n
        left.plot(beside, values, linestyle="", marker=MARKS[n][0], color=COLOURS[n])
        left.hlines(np.mean(values), n - 0.3, n + 0.3, color="black")
    left.set_xticks(range(len(accuracy)), list(accuracy))
    left.set_ylabel("test accuracy, %")
    right.axhline(0.0, color="0.5", linewidth=0.6)
    right.plot(np.sort(paired), linestyle="", marker=MARKS[1][0], color=COLOURS[1])
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set(xlabel="seed, by difference", ylabel="dropout less none, points")
    return figure


EXPERIMENT = Experiment(
    id="E14",
    question="What does a seed decide, and is a comparison of one seed worth anything?",
    protocol="The MLP with and without dropout under 20 seeds each; one seed of each "
    "trained once more in other processes. The epoch best in validation is tested.",
    budget="20 seeds of 10 epochs for each of two arms.",
    expected="Equal seeds give equal bits; unequal ones spread by tenths of a point, "
    "as much as the arms differ.",
    run=run,
)
