# SPDX-License-Identifier: Apache-2.0
"""E17: dropout early, late, growing or fading, where the network over- or underfits."""

from typing import Any

from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.evaluation.comparison import ACCURACY, Measure
from dropout_jax.reports.numbers import bracketed
from dropout_jax.training.loop import CLEAN_TRAIN_EXAMPLES
from experiments.comparisons import judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import bars, shown
from experiments.over_seeds import HIGHER, LOWER, OverSeeds
from experiments.trained import Trained, by_arm, train

RATE, EPOCHS = 0.1, 20
SCHEDULES = ("constant", "early", "late", "curriculum")
LOSS = Measure("training loss without noise", "1e-3 nats", rising=False, margin=10.0)
# Too small for the data, and too large for few of them.
NETWORKS = {
    "underfits": {"model.widths": (16, 16), "data.train_size": 55_000},
    "overfits": {"model.widths": (512, 512), "data.train_size": 5_000},
}


# The first five seeds of the small network left the sign of what early dropout does
# open; twenty others decide, without those that made us look again.
SEEDS = {"underfits": range(5, 25), "overfits": range(5)}


def study(quick: bool) -> list[Trained]:
    """Trains both networks without noise and under each schedule."""
    trials = []
    for network, seeds in SEEDS.items():
        arms = settings(network, quick)
        trials += [
            {**a, "seed": s} for s in (seeds[:2] if quick else seeds) for a in arms
        ]
    base = override(defaults(), {"train.keep": "last"})
    return train("E17", base, trials, quick=quick)


def settings(network: str, quick: bool) -> list[dict[str, Any]]:
    """What a network is trained with: without noise, and by each schedule."""
    size = NETWORKS[network]
    # As many steps for few images as for many.
    longer = 55_000 // size["data.train_size"]
    epochs = 2 if quick else EPOCHS * longer
    common = {**size, "train.epochs": epochs}
    if quick:
        common["data.train_size"] = 2_000
    found = [{"arm": f"{network}: none", **common}]
    for schedule in SCHEDULES:
        noise = {
            "noise.kind": "dropout",
            "noise.rates": (RATE,),
            "noise.schedule": schedule,
        }
        if schedule != "constant":
            noise["noise.schedule_epochs"] = epochs / 4
        found.append({"arm": f"{network}: {schedule}", **common, **noise})
    return found


def run(quick: bool) -> Findings:
    """What each schedule gains over none, on training and on test images."""
    trained = study(quick)
    test = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    loss = by_arm(
        trained, lambda one: 1e3 * one.line["history"]["clean_train_loss"][-1]
    )
    noisy = [arm for arm in test if not arm.endswith("none")]
    found = judged(
        {
            (arm, measure.name): over_none(values, arm, measure)
            for values, measure in ((test, ACCURACY), (loss, LOSS))
            for arm in noisy
        }
    )
    gains = {arm: found[arm, ACCURACY.name].interval for arm in noisy}
    fits = {arm: found[arm, LOSS.name].interval for arm in noisy}
    checks = {
        "early dropout reduces underfitting": OverSeeds(
            "training loss of the small network under early noise less that without, "
            "measured without noise at the end",
            (found["underfits: early", LOSS.name],),
            LOWER,
        ),
        "constant dropout does not": OverSeeds(
            "noise to the end raises it",
            (found["underfits: constant", LOSS.name],),
            HIGHER,
        ),
        "the large network gains by noise to the end": OverSeeds(
            "test accuracy over none",
            (found["overfits: constant", ACCURACY.name],),
            HIGHER,
        ),
    }
    rows = [
        [
            arm,
            shown(test[arm]),
            bracketed(gains.get(arm)),
            shown(loss[arm]),
            bracketed(fits.get(arm)),
        ]
        for arm in test
    ]
    return Findings(
        checks,
        [
            "network: schedule",
            "test accuracy, %",
            "over none, points",
            "training loss without noise, 1e-3 nats",
            "its loss less that of none",
        ],
        rows,
        draw(gains, fits),
        f"What dropout at {RATE} changes by its schedule: test accuracy (left) and "
        f"loss of the first {CLEAN_TRAIN_EXAMPLES:,} training images at the end, "
        "without noise (right), less those without dropout; "
        f"means and 95 % intervals of {len(test['underfits: none'])} paired seeds (of "
        f"the network that underfits) and {len(test['overfits: none'])}.",
    )


def over_none(values, arm, measure):
    """Returns the paired difference of an arm to its network without noise."""
    return over(values, arm, f"{arm.partition(':')[0]}: none", measure)


def draw(gains, fits) -> Figure:
    """Both differences, by schedule, a mark per network."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    panels = figure.subplots(1, 2)
    labels = (
        "test accuracy less none's, points",
        "training loss less none's, 1e-3 nats",
    )
    for axes, found, label in zip(panels, (gains, fits), labels, strict=True):
        axes.axhline(0.0, color="0.5", linewidth=0.6)
        for n, network in enumerate(NETWORKS):
            ends = [found[f"{network}: {schedule}"] for schedule in SCHEDULES]
            places = [place + 0.15 * n for place in range(len(SCHEDULES))]
            bars(axes, places, ends, n, label=network)
        axes.set_xticks(range(len(SCHEDULES)), SCHEDULES)
        axes.set_ylabel(label)
    panels[1].legend(frameon=False, loc="upper left")
    return figure


EXPERIMENT = Experiment(
    id="E17",
    question="Does it matter when dropout acts, and can it reduce underfitting?",
    protocol="A network too small for the data (16-16 units, 55,000 images) and one "
    "too large for few of them (512-512, 5,000), without noise and with dropout all "
    "the time, early (falling to 0 over the first quarter), late (after it) and "
    "growing (63 % of its way in it); equally many steps for both.",
    budget="20 seeds of the small network and 5 of the large one, 20 epochs of the "
    "whole data or as many steps, in five arms each; and five earlier seeds of the "
    "small one, which do not count.",
    expected="Early dropout lowers the training loss where a network underfits (Liu et "
    "al. 2023); noise to the end helps where it overfits.",
    run=run,
)
