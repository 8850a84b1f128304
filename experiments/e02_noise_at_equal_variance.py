# SPDX-License-Identifier: Apache-2.0
"""E02: kinds of noise of equal mean and variance, and the textbook's formulas."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.reports.numbers import bracketed, signed
from dropout_jax.sweeps import across_seeds
from dropout_jax.transforms import (
    dropout,
    gaussian_dropout,
    logit_normal_dropout,
    lognormal_dropout,
)
from experiments.checks import Estimate, Measurement
from experiments.comparisons import judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import curve, shown
from experiments.trained import Trained, by_arm, mlp, train

KINDS = ("dropout", "gaussian_dropout", "lognormal_dropout")
RATES = (0.1, 0.3, 0.5, 0.7)
SIGMAS = (0.01, 1.0, 2.0, 4.0)  # widths of the textbook's log alpha
INPUT, KEEP = 3.0, 0.5
SIGMA_SQUARED = 0.25  # of the textbook's Gaussian mask, k (1 - k)
ERRORS = 5.0  # bound in standard errors


class Moment(NamedTuple):
    """An average over samples, and its standard error."""

    value: float
    error: float

    def off(self, expected: float) -> float:
        """The distance to what is expected, in standard errors."""
        return abs(self.value - expected) / self.error


def moment(samples: np.ndarray) -> Moment:
    """The average of some samples."""
    return Moment(float(samples.mean()), float(samples.std() / np.sqrt(len(samples))))


def measured(samples: int) -> dict[str, dict[str, Moment]]:
    """Mean, variance and power of the noisy outputs for one input, by noise."""
    x, key = jnp.full(samples, INPUT), jax.random.key(2)
    found = {
        "Bernoulli, scaled": dropout(key, x, 1.0 - KEEP),
        "Gaussian, mean k": gaussian_dropout(key, x, mean=KEEP, std=SIGMA_SQUARED**0.5),
        "log-normal": lognormal_dropout(key, x, 1.0 - KEEP),
    }
    for sigma in SIGMAS:
        ones = jnp.ones(samples)
        found[f"eq. 9.4.14, sigma {sigma:g}"] = logit_normal_dropout(
            key, ones, 0.0, jnp.log(sigma), rescale=False
        )
    return {name: moments(np.asarray(y, np.float64)) for name, y in found.items()}


def moments(y: np.ndarray) -> dict[str, Moment]:
    """Mean, variance and power of some samples."""
    return {
        "mean": moment(y),
        "variance": moment(np.square(y - y.mean())),
        "power": moment(np.square(y)),
    }


def study(quick: bool) -> list[Trained]:
    """Trains the MLP under each kind at each rate, the same seeds for each."""
    rates = RATES[1:3] if quick else RATES
    sweep = [
        {"arm": f"{kind} {rate}", "noise.kind": kind, "noise.rates": (rate,)}
        for kind in KINDS
        for rate in rates
    ]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E02", override(defaults(), mlp(20, quick=quick)), trials, quick=quick)


def run(quick: bool) -> Findings:
    """Moments against the textbook's, and accuracy against accuracy."""
    samples = 100_000 if quick else 4_000_000
    found = measured(samples)
    accuracy = by_arm(study(quick), lambda one: 100.0 * one.test["accuracy"])
    rates = [arm.split()[1] for arm in accuracy if arm.startswith("dropout ")]
    apart = judged(
        {
            (kind, rate): over(accuracy, f"{kind} {rate}", f"dropout {rate}")
            for kind in KINDS[1:]
            for rate in rates
        }
    )
    (kind, rate), largest = max(
        apart.items(), key=lambda one: abs(one[1].interval.mean)
    )
    gaussian, bernoulli = found["Gaussian, mean k"], found["Bernoulli, scaled"]
    halves = [one["mean"] for name, one in found.items() if name.startswith("eq.")]
    checks = {
        "the variance is sigma² x²": Measurement(
            "of Gaussian dropout with mean k: distance in standard errors",
            gaussian["variance"].off(SIGMA_SQUARED * INPUT**2),
            high=ERRORS,
        ),
        "theorem 9.4.5 fails": Measurement(
            "the measured variance is off k sigma² x²: distance in standard errors",
            gaussian["variance"].off(KEEP * SIGMA_SQUARED * INPUT**2),
            low=ERRORS,
        ),
        "mean k does not keep the expectation": Measurement(
            "the mean of Gaussian dropout with mean k is k x, not x: distance in "
            "standard errors",
            gaussian["mean"].off(KEEP * INPUT),
            high=ERRORS,
        ),
        "eq. 9.4.14 has mean 1/2": Measurement(
            "at every sigma: the largest distance in standard errors",
            max(one.off(0.5) for one in halves),
            high=ERRORS,
        ),
        "the mean is kept and the power is not": Measurement(
            "scaled Bernoulli noise has mean x and E[y²] = x² / k: the larger "
            "distance in standard errors",
            max(bernoulli["mean"].off(INPUT), bernoulli["power"].off(INPUT**2 / KEEP)),
            high=ERRORS,
        ),
        "what the kind changes at equal variance": Estimate(
            "test accuracy under Gaussian or log-normal noise less that under "
            f"Bernoulli's: the largest mean difference of {len(apart)}, {kind} at "
            f"{rate} (the largest of so many is too large on average)",
            largest.interval,
            "points",
        ),
    }
    rows = [
        [name, *(one[which].value for which in ("mean", "variance", "power"))]
        for name, one in found.items()
    ]
    rows += [[arm, shown(values), "", ""] for arm, values in accuracy.items()]
    rows += [
        [f"{kind} less dropout, {rate}", bracketed(one.interval, signed), "", ""]
        for (kind, rate), one in apart.items()
    ]
    seeds = len(accuracy[f"dropout {rates[0]}"])
    return Findings(
        checks,
        ["noise", "mean, or accuracy in %, or points", "variance", "power"],
        rows,
        draw(found, accuracy, rates),
        f"The first rows are moments of the noise on an input of {INPUT:g}, with k = "
        f"{KEEP:g} and sigma² = {SIGMA_SQUARED:g} (eq. 9.4.14: of the mask alone). "
        f"Left: mean and standard deviation of the textbook's mask, eq. 9.4.14, by "
        f"sigma, from {samples:,} samples. Right: test accuracy of the MLP under noise "
        "of mean 1 and variance rate / (1 - rate); means and 95 % intervals of "
        f"{seeds} seeds.",
    )


def draw(found, accuracy, rates) -> Figure:
    """The textbook's mask, and the kinds of noise by rate."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    halves = [found[f"eq. 9.4.14, sigma {sigma:g}"] for sigma in SIGMAS]
    means = [one["mean"].value for one in halves]
    deviations = [one["variance"].value ** 0.5 for one in halves]
    left.errorbar(SIGMAS, means, deviations, fmt="o", color="black", capsize=3)
    left.axhline(1.0, color="0.5", linewidth=0.6, linestyle="--")
    left.text(SIGMAS[-1], 1.0, "kept expectation", ha="right", va="bottom")
    left.set(xlabel="sigma of log alpha", ylabel="mask: mean ± deviation")
    left.set_ylim(0.0, 1.15)
    for n, kind in enumerate(KINDS):
        values = [accuracy[f"{kind} {rate}"] for rate in rates]
        curve(right, [float(r) for r in rates], values, n, label=kind.replace("_", " "))
    right.set(xlabel="rate (probability of dropping)", ylabel="test accuracy, %")
    right.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E02",
    question="What does the kind of noise change where mean and variance are equal?",
    protocol="Moments of the transforms from samples, against the textbook's "
    "formulas; the MLP trained under Bernoulli, Gaussian and log-normal noise of "
    "equal mean and variance; the epoch best in validation is tested.",
    budget="5 seeds of 20 epochs for each kind and rate.",
    expected="The second moments decide: little difference (Srivastava et al. 2014, "
    "section 10, report 1.08 and .95 % error on MNIST for Bernoulli and Gaussian). "
    "Theorem 9.4.5 and eq. 9.4.14 fail.",
    run=run,
)
