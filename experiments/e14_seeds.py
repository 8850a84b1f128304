# SPDX-License-Identifier: Apache-2.0
"""E14: what a seed decides, and what it does not."""

import functools
import itertools

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import optimize, stats

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.evaluation.power import deviation
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.numbers import bracketed
from dropout_jax.reports.numbers import plain as plain_number
from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.sweeps import across_seeds
from experiments.checks import Estimate, Identity
from experiments.comparisons import judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import shown
from experiments.trained import Trained, by_arm, mlp, train

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
    found = judged({"dropout less none": over(accuracy, "dropout", "none")})
    difference = found["dropout less none"]
    sign = np.sign(difference.interval.mean)
    wrong = [
        0.5 - 0.5 * sign * np.sign(b - a) for a, b in itertools.product(plain, noisy)
    ]
    any_two = share_interval(float(np.mean(wrong)), len(plain), len(noisy))
    same_seed = float(np.sum(0.5 - 0.5 * sign * np.sign(paired)))
    spreads = {arm: deviation(values) for arm, values in accuracy.items()}
    checks = {
        "the same seed, the same bits": Identity(
            f"share of {len(repeats)} repeated runs, one of each arm, whose parameters "
            "have the same SHA-256",
            float(np.mean(repeats)),
            low=1.0,
        ),
        **{
            f"what seeds change, {arm}": Estimate(
                "standard deviation of the test accuracy over seeds (chi-square "
                "interval)",
                spread,
                "points",
            )
            for arm, spread in spreads.items()
        },
        "how often one seed of each misleads": Estimate(
            "share of the pairs of one run without and one with dropout that name the "
            "other winner than all seeds together (a tie counts half; Newcombe's "
            "interval of a Mann-Whitney statistic)",
            any_two,
            digits=3,
        ),
    }
    rows = [
        [arm, shown(values), float(np.std(values, ddof=1)), min(values), max(values)]
        for arm, values in accuracy.items()
    ]
    rows.append(
        [
            "difference",
            bracketed(difference.interval),
            float(paired.std(ddof=1)),
            "",
            "",
        ]
    )
    rows.append(["pairs of any seeds that mislead, share", any_two.mean, "", "", ""])
    same = exact_share(same_seed, len(paired))
    write = functools.partial(plain_number, digits=3)
    rows.append(["pairs of equal seeds, share", bracketed(same, write), "", "", ""])
    return Findings(
        checks,
        ["what", "value", "deviation", "least", "most"],
        rows,
        draw(accuracy, paired),
        f"Test accuracy of {len(plain)} seeds without and with dropout (left; each "
        "mark a seed, the bar their mean) and their paired differences in order "
        "(right).",
    )


def share_interval(share: float, first: int, second: int) -> Interval:
    """Returns a share of all pairs of two samples with its 95 % interval.

    The share of pairs (a, b) with a > b is Mann and Whitney's statistic: its pairs are
    not independent, and near 0 or 1 its law is far from normal. The interval holds
    every theta with |share - theta| <= z sqrt(V(theta)), V the variance that Hanley
    and McNeil give for exponential scores.

    References:
      Newcombe 2006, Statistics in Medicine 25:559, method 5.
    """
    z, mean = stats.norm.ppf(0.975), (first + second) / 2 - 1

    def far(theta):
        spread = (1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta)
        variance = theta * (1.0 - theta) * (1.0 + mean * spread) / (first * second)
        return abs(share - theta) - z * np.sqrt(variance)

    def end(limit):
        if share == limit:
            return limit
        # At 0 and 1 the variance is 0: a little inside it is not.
        inner, outer = (one + (1e-9 if one < 0.5 else -1e-9) for one in (share, limit))
        if far(outer) <= 0.0:
            return limit
        return optimize.root_scalar(far, bracket=(inner, outer)).root

    return Interval(share, end(0.0), end(1.0))


def exact_share(count: float, of: int) -> Interval:
    """Returns a share of independent cases with Clopper and Pearson's 95 % interval."""
    low = stats.beta.ppf(0.025, count, of - count + 1) if count else 0.0
    high = stats.beta.ppf(0.975, count + 1, of - count) if count < of else 1.0
    return Interval(count / of, float(low), float(high))


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
    "as much as the arms differ. (The arms came out to differ by several standard "
    "deviations, so that few pairs of runs mislead.)",
    run=run,
)
