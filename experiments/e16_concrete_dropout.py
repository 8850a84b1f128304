# SPDX-License-Identifier: Apache-2.0
"""E16: the rate that Concrete dropout learns, by the number of examples."""

import itertools

import jax
import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.evaluation.comparison import Measure
from dropout_jax.sweeps import across_seeds
from dropout_jax.training.load import LoadedRun
from experiments.comparisons import judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import curve, shown
from experiments.over_seeds import LOWER, OverSeeds
from experiments.trained import Trained, by_arm, train

SIZES = (500, 2_000, 10_000, 55_000)
STEPS, BATCH = 8_000, 100
RATE = Measure("mean learned rate", "", rising=False, margin=0.0)


def study(quick: bool) -> list[Trained]:
    """Trains the MLP with a learned rate per layer on more and more images."""
    fields = {
        "model.widths": (256, 256),
        "noise.kind": "concrete_dropout",
        "noise.kl_warmup_epochs": 0.0,
        "train.batch_size": BATCH,
        "train.keep": "last",
    }
    sizes = SIZES[:2] if quick else SIZES
    steps = 200 if quick else STEPS
    sweep = [
        {
            "arm": f"{n}",
            "data.train_size": n,
            "train.epochs": max(1, steps * BATCH // n),
        }
        for n in sizes
    ]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E16", override(defaults(), fields), trials, quick=quick, look=rates)


def rates(run: LoadedRun) -> dict[str, list[float]]:
    """The mean learned rate of each site, the input first."""
    logits = [run.params[f"noise_{site}"] for site in run.model.sites]
    found = [float(jax.nn.sigmoid(one["noise_logit_rate"]).mean()) for one in logits]
    return {"rates": found}


def run(quick: bool) -> Findings:
    """The learned rates by size, over the same seeds."""
    trained = study(quick)
    sites = range(len(trained[0].model["rates"]))
    found = [by_arm(trained, lambda one, n=n: one.model["rates"][n]) for n in sites]
    mean = by_arm(trained, lambda one: float(np.mean(one.model["rates"])))
    accuracy = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    sizes = list(mean)
    steps = [
        (f"{more} less {fewer}", more, fewer)
        for fewer, more in itertools.pairwise(sizes)
    ]
    ends = (f"{sizes[-1]} less {sizes[0]}", sizes[-1], sizes[0])
    changes = judged(
        {name: over(mean, more, fewer, RATE) for name, more, fewer in [*steps, ends]}
    )
    checks = {
        "more data, less noise": OverSeeds(
            f"the mean learned rate with {int(sizes[-1]):,} examples less that with "
            f"{int(sizes[0]):,}",
            (changes[ends[0]],),
            LOWER,
        ),
        "at every step": OverSeeds(
            "the mean learned rate falls from size to size",
            tuple(changes[name] for name, *_ in steps),
            LOWER,
        ),
    }
    rows = [
        [
            f"{int(size):,}",
            *(shown(site[size], 3) for site in found),
            shown(mean[size], 3),
            shown(accuracy[size]),
        ]
        for size in sizes
    ]
    headings = [f"rate, {where(n)}" for n in sites]
    return Findings(
        checks,
        ["examples", *headings, "mean rate", "test accuracy, %"],
        rows,
        draw([int(size) for size in sizes], found, sizes),
        f"Rates that the MLP learned, at its input and behind its hidden layers, by "
        f"the number of training images, as many steps at every size; means and "
        f"95 % intervals of {len(mean[sizes[0]])} seeds.",
    )


def where(site: int) -> str:
    """What a site's noise acts on."""
    return f"hidden layer {site}" if site else "input"


def draw(numbers, found, sizes) -> Figure:
    """A line per site."""
    figure = Figure(figsize=(3.6, 2.4), layout="constrained")
    axes = figure.subplots()
    for n, site in enumerate(found):
        curve(axes, numbers, [site[size] for size in sizes], n, label=where(n))
    axes.set(xscale="log", xlabel="training images", ylabel="learned rate")
    axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E16",
    question="Does the rate that Concrete dropout learns fall as the data grow?",
    protocol="The MLP with a learned rate per site on 500 to 55,000 training images, "
    "about 8,000 steps at every size (whole epochs); the last epoch counts.",
    budget="5 seeds of 8,000 steps at each of four sizes.",
    expected="Yes: the regulariser weighs 1 / n against the likelihood (Gal, Hron, "
    "Kendall 2017, section 4).",
    run=run,
)
