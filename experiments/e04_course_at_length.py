# SPDX-License-Identifier: Apache-2.0
"""E04: the MLP of the course notes, stopped at 10 epochs and at 100."""

import numpy as np
from matplotlib.figure import Figure

from configs.sweeps import course
from dropout_jax.config.loading import override
from dropout_jax.evaluation.statistics import mean_interval
from dropout_jax.reports.numbers import bracketed
from dropout_jax.sweeps import across_seeds
from experiments.experiment import Check, Experiment, Findings
from experiments.intervals import bars, shown
from experiments.trained import Trained, by_arm, over, train

LENGTHS = (10, 100)
ARMS = {  # of the course, at 10 epochs: the rates of the hidden layers
    arm.partition(", ")[0]: fields.get("noise.rates", ())
    for arm, fields in course.ARMS.items()
    if fields["train.epochs"] == LENGTHS[0]
}
MODERATE, NOTEBOOK = (".2/.5", ".5/.2"), ".7/.8"


def study(quick: bool) -> list[Trained]:
    """Trains each arm for either length, by SGD at the notes' learning rate of .5."""
    lengths = (1, 3) if quick else LENGTHS
    sweep = []
    for epochs in lengths:
        for arm, rates in ARMS.items():
            noise = {"noise.kind": "dropout", "noise.rates": rates} if rates else {}
            sweep.append({"arm": f"{arm}, {epochs}", "train.epochs": epochs, **noise})
    base = override(
        course.get_config(), {"data.train_size": 2_000 if quick else 55_000}
    )
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E04", base, trials, quick=quick)


def run(quick: bool) -> Findings:
    """Each arm against none, at either length."""
    accuracy = by_arm(study(quick), lambda one: 100.0 * one.test["accuracy"])
    short, long = sorted({int(arm.split(", ")[1]) for arm in accuracy})
    gains = {
        (arm, epochs): over(accuracy, f"{arm}, {epochs}", f"none, {epochs}")
        for epochs in (short, long)
        for arm in [*ARMS][1:]
    }

    def gained(arm, epochs):
        return np.subtract(accuracy[f"{arm}, {epochs}"], accuracy[f"none, {epochs}"])

    turned = [mean_interval(gained(arm, long) - gained(arm, short)) for arm in MODERATE]
    checks = {
        "at 10 epochs dropout is not shown to win": Check(
            "the best lower end of the intervals of the three arms over none, points",
            max(gains[arm, short].low for arm in [*ARMS][1:]),
            high=0.0,
            full=True,
        ),
        "at 100 epochs moderate dropout does": Check(
            "the better lower end of the intervals of .2/.5 and .5/.2, points (the "
            "better of two, so that its interval flatters it)",
            max(gains[arm, long].low for arm in MODERATE),
            low=0.0,
            full=True,
        ),
        "its gain grows with the length": Check(
            "gain at the greater length less that at the smaller: the lesser lower end "
            "of the intervals of both moderate arms, points",
            min(one.low for one in turned),
            low=0.0,
            full=True,
        ),
        "the notebook's rates cost accuracy": Check(
            f"{NOTEBOOK} over none at either length: the larger upper end of the "
            "intervals, points",
            max(gains[NOTEBOOK, epochs].high for epochs in (short, long)),
            high=0.0,
            full=True,
        ),
    }
    rows = []
    for arm, values in accuracy.items():
        name, epochs = arm.split(", ")
        gain = gains.get((name, int(epochs)))
        published = course.PUBLISHED.get(f"{arm} epochs", "")
        rows.append([name, epochs, shown(values), bracketed(gain), published])
    seeds = len(accuracy[f"none, {short}"])
    return Findings(
        checks,
        ["rates", "epochs", "test accuracy, %", "over none, points", "published, %"],
        rows,
        draw(gains, short, long),
        "What dropout gains over none on the test set, the MLP of the course notes "
        f"stopped at {short} and at {long} epochs (SGD, learning rate .5, the last "
        f"epoch counts); means and 95 % intervals of {seeds} paired seeds.",
    )


def draw(gains, short, long) -> Figure:
    """The gain of each arm at either length."""
    figure = Figure(figsize=(4.5, 2.4), layout="constrained")
    axes = figure.subplots()
    arms = [*ARMS][1:]
    axes.axhline(0.0, color="0.5", linewidth=0.6)
    for n, epochs in enumerate((short, long)):
        found = [gains[arm, epochs] for arm in arms]
        places = [place + 0.15 * n for place in range(len(arms))]
        bars(axes, places, found, n, label=f"{epochs} epochs")
    axes.set_xticks(range(len(arms)), arms)
    axes.set(xlabel="rates of the two hidden layers", ylabel="over none, points")
    axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E04",
    question="When does the course's MLP gain by dropout: at 10 epochs, at 100?",
    protocol="784-256-256-10, plain SGD at learning rate .5, batches of 256, with the "
    "rates of the notes and of their notebook, stopped at 10 and at 100 epochs.",
    budget="5 seeds of four arms at either length.",
    expected="At 10 epochs nothing overfits yet and dropout costs accuracy; at 100 "
    "moderate rates win. The notebook's .7/.8 underfits at both. (What happens at 10 "
    "was known from docs/results.md when this was written.)",
    run=run,
)
