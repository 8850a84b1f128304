# SPDX-License-Identifier: Apache-2.0
"""E04: the MLP of the course notes, stopped at 10 epochs and at 100."""

import numpy as np
from matplotlib.figure import Figure

from configs.sweeps import course
from dropout_jax.config.loading import override
from dropout_jax.evaluation.statistics import Interval
from dropout_jax.reports.numbers import bracketed
from dropout_jax.reports.palette import COLOURS
from dropout_jax.sweeps import across_seeds
from experiments.checks import InEach
from experiments.comparisons import Difference, judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import bars, shown
from experiments.over_seeds import HIGHER, LOWER, OverSeeds
from experiments.trained import Trained, by_arm, train

LENGTHS = (10, 100)
NOTES, TAMER = "", ", at .1"  # the notes' learning rate of .5, and a fifth of it
ARMS = {  # of the course, at 10 epochs: the rates of the hidden layers
    arm.partition(", ")[0]: fields.get("noise.rates", ())
    for arm, fields in course.ARMS.items()
    if fields["train.epochs"] == LENGTHS[0]
}
MODERATE, NOTEBOOK = (".2/.5", ".5/.2"), ".7/.8"
CHANCE = 20.0  # percent of ten classes that a network at work exceeds


def study(quick: bool) -> list[Trained]:
    """Trains each arm for either length, by SGD at either learning rate."""
    sweep = []
    for pace, rate in ((NOTES, 0.5), (TAMER, 0.1)):
        for epochs in (1, 3) if quick else LENGTHS:
            for arm, rates in ARMS.items():
                noise = {"noise.kind": "dropout", "noise.rates": rates} if rates else {}
                common = {"train.epochs": epochs, "optimizer.learning_rate": rate}
                sweep.append({"arm": f"{arm}, {epochs}{pace}", **common, **noise})
    base = override(
        course.get_config(), {"data.train_size": 2_000 if quick else 55_000}
    )
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E04", base, trials, quick=quick)


def accuracy_of(one: Trained) -> float:
    """Test accuracy in percent; NaN if the training diverged or ended at chance."""
    if one.line["result"]["status"] == "diverged":
        return np.nan
    percent = 100.0 * one.test["accuracy"]
    return percent if percent > CHANCE else np.nan


def run(quick: bool) -> Findings:
    """Each arm against none, at either length and rate, where trainings survive."""
    trained = study(quick)
    accuracy = by_arm(trained, accuracy_of)
    lost = {arm: int(np.isnan(values).sum()) for arm, values in accuracy.items()}
    short, long = sorted({one.line["config"]["train"]["epochs"] for one in trained})
    gains = {
        (arm, epochs, pace): gain
        for pace in (NOTES, TAMER)
        for epochs in (short, long)
        for arm in [*ARMS][1:]
        if (gain := surviving(accuracy, arm, epochs, pace)) is not None
    }
    grown = {
        (arm, "growth"): Difference(
            [
                more - less
                for less, more in zip(
                    gains[arm, short, TAMER].values,
                    gains[arm, long, TAMER].values,
                    strict=True,
                )
            ]
        )
        for arm in MODERATE
        if {(arm, short, TAMER), (arm, long, TAMER)} <= gains.keys()
    }
    asked = [*ARMS][1:]
    found = judged(
        {label_of(*of): gain for of, gain in gains.items()}
        | {f"{arm}, growth": one for (arm, _), one in grown.items()}
    )

    def those(arms, epochs, pace):
        """The comparisons of some arms where no training was lost."""
        of = [(arm, epochs, pace) for arm in arms]
        return tuple(found[label_of(*one)] for one in of if one in gains)

    alone = [lost_without(trained, seed, long) for seed in seeds_of(trained)]
    checks = {
        "at 10 epochs each arm is less accurate than none": OverSeeds(
            "the three arms over none, at the notes' learning rate",
            those(asked, short, NOTES),
            LOWER,
        ),
        "at the notes' learning rate more are lost without dropout": InEach(
            f"trainings of {long} epochs that are lost without dropout (diverged, or "
            f"ended below {CHANCE:g} % accuracy), less those lost with the worse of "
            "both moderate arms",
            alone,
            low=1,
        ),
        "at 100 epochs both moderate arms gain": OverSeeds(
            ".2/.5 and .5/.2 over none, at learning rate .1",
            those(MODERATE, long, TAMER),
            HIGHER,
        ),
        "the gain grows with the length": OverSeeds(
            "gain of either moderate arm at the greater length less that at the "
            "smaller, learning rate .1",
            tuple(found[f"{arm}, growth"] for arm, _ in grown),
            HIGHER,
        ),
        "the notebook's rates cost accuracy": OverSeeds(
            f"{NOTEBOOK} over none, in every setting in which no training of either "
            "was lost",
            those([NOTEBOOK], short, NOTES)
            + those([NOTEBOOK], long, NOTES)
            + those([NOTEBOOK], short, TAMER)
            + those([NOTEBOOK], long, TAMER),
            LOWER,
        ),
    }
    rows = []
    for arm, values in accuracy.items():
        name, epochs, *pace = arm.split(", ")
        alive = [value for value in values if not np.isnan(value)]
        gain = found.get(label_of(name, int(epochs), TAMER if pace else NOTES))
        compared = None if gain is None else gain.interval
        published = course.PUBLISHED_BY_ARM.get(f"{arm} epochs", "")
        reached = shown(alive) if len(alive) > 1 else "–"
        cells = [reached, bracketed(compared), lost[arm]]
        rows.append([name, epochs, ".1" if pace else ".5", *cells, published])
    return Findings(
        checks,
        [
            "rates",
            "epochs",
            "learning rate",
            "test accuracy, %",
            "over none, points",
            "lost",
            "published, %",
        ],
        rows,
        draw(
            trained,
            {of: found[label_of(*of)].interval for of in gains},
            short,
            long,
        ),
        "Left: training loss of the MLP of the course notes at their learning rate of "
        f".5, {long} epochs, five seeds; a cross where a training diverged. Right: "
        "what dropout gains over none on the test set where no training was lost "
        "(diverged, or ended at chance), the last epoch counting; means and 95 % "
        "intervals of "
        f"{len(accuracy[f'none, {short}'])} paired seeds.",
    )


def label_of(arm: str, epochs: int, pace: str) -> str:
    """Returns what to call the gain of an arm over none."""
    return f"{arm}, {epochs} epochs, learning rate {'.1' if pace else '.5'}"


def surviving(accuracy, arm: str, epochs: int, pace: str) -> Difference | None:
    """Returns the gain of an arm over none; None where a training was lost."""
    pair = [f"{one}, {epochs}{pace}" for one in (arm, "none")]
    if np.isnan([accuracy[one] for one in pair]).any():
        return None
    return over(accuracy, pair[0], pair[1])


def seeds_of(trained: list[Trained]) -> list[int]:
    """Returns the seeds in order."""
    return sorted({one.seed for one in trained})


def lost_without(trained: list[Trained], seed: int, epochs: int) -> float:
    """Returns 1 where a seed's training is lost without dropout and never with it.

    Of the trainings at the notes' learning rate; -1 where it is lost with it alone.
    """
    lost = {
        one.arm: float(np.isnan(accuracy_of(one)))
        for one in trained
        if one.seed == seed
    }
    return lost[f"none, {epochs}"] - max(lost[f"{arm}, {epochs}"] for arm in MODERATE)


def draw(trained, gains, short, long) -> Figure:
    """How the long trainings at the notes' rate go, and the gain of each arm."""
    figure = Figure(figsize=(6.5, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for n, arm in enumerate(("none", MODERATE[0])):
        of_arm = [one for one in trained if one.arm == f"{arm}, {long}"]
        for one in of_arm:
            losses = one.line["history"]["train_loss"]
            label = arm if one is of_arm[0] else None
            look = {"color": COLOURS[n], "linewidth": 0.8, "linestyle": ("-", "--")[n]}
            left.plot(range(1, len(losses) + 1), losses, label=label, **look)
            if one.line["result"]["status"] == "diverged":
                left.plot(len(losses), losses[-1], "x", color=COLOURS[n])
    left.set(xlabel="epoch", ylabel="training loss, nats", yscale="log")
    left.legend(frameon=False)
    arms = [*ARMS][1:]
    right.axhline(0.0, color="0.5", linewidth=0.6)
    for n, (epochs, pace) in enumerate(((short, NOTES), (short, TAMER), (long, TAMER))):
        nothing = Interval(np.nan, np.nan, np.nan)  # a training was lost
        found = [gains.get((arm, epochs, pace), nothing) for arm in arms]
        places = [place + 0.15 * n for place in range(len(arms))]
        label = f"{epochs} epochs{pace or ', at .5'}"
        bars(right, places, found, n, label=label)
    right.set_xticks(range(len(arms)), arms)
    right.set(xlabel="rates of the two hidden layers", ylabel="over none, points")
    right.legend(frameon=False, loc="lower left")
    return figure


EXPERIMENT = Experiment(
    id="E04",
    question="When does the course's MLP gain by dropout: at 10 epochs, at 100?",
    protocol="784-256-256-10, plain SGD, batches of 256, with the rates of the notes "
    "and of their notebook, stopped at 10 and at 100 epochs; at the notes' learning "
    "rate of .5, and at .1.",
    budget="5 seeds of four arms at either length and learning rate.",
    expected="At 10 epochs nothing overfits yet and dropout costs accuracy; at 100 "
    "moderate rates win. The notebook's .7/.8 underfits at both. (What happens at 10 "
    "was known from docs/results.md when this was written. That trainings without "
    "dropout are lost at .5 was not expected; the trainings at .1 were added then.)",
    run=run,
)
