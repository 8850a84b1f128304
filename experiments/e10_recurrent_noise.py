# SPDX-License-Identifier: Apache-2.0
"""E10: where and how a recurrent network bears noise."""

import io

import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.data import load
from dropout_jax.evaluation.comparison import ACCURACY
from dropout_jax.files import write_atomically
from dropout_jax.reports.numbers import bracketed, signed
from dropout_jax.sweeps import across_seeds
from experiments import evidence
from experiments.checks import InEach
from experiments.comparisons import VALIDATION_NLL, judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import bars, shown
from experiments.over_seeds import HIGHER, LOWER, OverSeeds
from experiments.trained import Trained, by_arm, train

RATE = 0.3
ARMS = {
    "none": {},
    "non-recurrent": {"noise.kind": "dropout"},
    "per step": {"noise.kind": "dropout", "model.recurrent_noise": "state"},
    "tied": {"noise.kind": "dropout", "noise.sharing": "tied"},
    "candidate": {"noise.kind": "dropout", "model.recurrent_noise": "candidate"},
    "zoneout": {"noise.kind": "zoneout"},
    "weight drop": {"noise.kind": "weight_drop"},
}
OTHERS = ("per step", "non-recurrent")  # with which tied masks are compared
MEASURES = ("accuracy", "validation NLL")
HARDER = "rows less permuted pixels"
PERMUTED = "build/evidence/permuted.npz"
FEW = "rows, 2,000 images"
TASKS = {
    "rows": {"data.name": "fashion_mnist"},
    "permuted pixels": {"data.name": PERMUTED},
    FEW: {"data.train_size": 2_000, "train.epochs": 80, "model.widths": (128,)},
}


def permute() -> None:
    """Writes Fashion-MNIST with one order of all pixels for every image.

    What was next to each other is anywhere in the sequence then: a longer memory is
    asked for. The name is relative, for it is part of what identifies a trial.
    """
    path = evidence.ROOT / PERMUTED
    if path.exists():
        return
    data, order = load(), np.random.default_rng(10).permutation(28 * 28)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for part in ("train", "validation", "test"):
        images = getattr(data, f"{part}_images")
        flat = images.reshape(len(images), -1)[:, order]
        arrays[f"{part}_images"] = flat.reshape(images.shape)
        arrays[f"{part}_labels"] = getattr(data, f"{part}_labels")
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    write_atomically(path, packed.getvalue())  # half a file would pass for a whole one


def study(quick: bool) -> list[Trained]:
    """Trains an LSTM under each noise, on each task."""
    permute()
    fields = {
        "model.name": "rnn",
        "model.widths": (64,),
        "optimizer.clip_norm": 1.0,
        "train.batch_size": 100,
        "train.epochs": 1 if quick else 10,
        "data.train_size": 500 if quick else 20_000,
    }
    small = {"data.train_size": 500, "train.epochs": 2} if quick else {}
    sweep = [
        {
            "arm": f"{task}: {arm}",
            **of_task,
            **(small if task == FEW else {}),
            **noise,
            **({"noise.rates": (RATE,)} if noise else {}),
        }
        for task, of_task in TASKS.items()
        for arm, noise in ARMS.items()
    ]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E10", override(defaults(), fields), trials, quick=quick)


def run(quick: bool) -> Findings:
    """Each noise against none, and tied masks against others, on each task."""
    trained = study(quick)
    accuracy = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    likelihood = by_arm(trained, least_nll)
    risen = by_arm(trained, risen_by)[f"{FEW}: none"]
    pairs = [
        *((task, arm, "none") for task in TASKS for arm in [*ARMS][1:]),
        *((task, "tied", other) for task in TASKS for other in OTHERS),
    ]
    found = judged(
        {
            (task, f"{arm} less {other}", measure): over(
                values, f"{task}: {arm}", f"{task}: {other}", unit
            )
            for measure, values, unit in (
                ("accuracy", accuracy, ACCURACY),
                ("validation NLL", likelihood, VALIDATION_NLL),
            )
            for task, arm, other in pairs
        }
        | {HARDER: over(accuracy, "rows: none", "permuted pixels: none")}
    )

    def those(tasks, arms, other="none", measure="accuracy"):
        """Returns the comparisons of some arms on some tasks."""
        return tuple(
            found[task, f"{arm} less {other}", measure]
            for task in tasks
            for arm in arms
        )

    ten = [task for task in TASKS if task != FEW]
    checks = {
        "in ten epochs each noise costs accuracy": OverSeeds(
            "each of six over none, in both tasks",
            those(ten, [*ARMS][1:]),
            LOWER,
        ),
        "a mask of the state per step costs accuracy": OverSeeds(
            "on rows, over none",
            those(["rows"], ["per step"]),
            LOWER,
        ),
        "in ten epochs, tied masks are better than one per step": OverSeeds(
            "test accuracy, in both tasks",
            those(ten, ["tied"], "per step"),
            HIGHER,
        ),
        "in ten epochs, tied masks are better than non-recurrent ones": OverSeeds(
            "test accuracy, in both tasks",
            those(ten, ["tied"], "non-recurrent"),
            HIGHER,
        ),
        "the LSTM overfits 2,000 images": InEach(
            "without noise, the validation loss of the last of 80 epochs less its "
            "least, nats",
            risen,
            low=0.05,
        ),
        "where it overfits, tied masks are better than one per step": OverSeeds(
            "on 2,000 images, test accuracy",
            those([FEW], ["tied"], "per step"),
            HIGHER,
        ),
        "where it overfits, tied masks are likelier than one per step": OverSeeds(
            "on 2,000 images, least validation NLL",
            those([FEW], ["tied"], "per step", "validation NLL"),
            LOWER,
        ),
        "where it overfits, tied masks are better than non-recurrent ones": OverSeeds(
            "on 2,000 images, test accuracy",
            those([FEW], ["tied"], "non-recurrent"),
            HIGHER,
        ),
        "where it overfits, tied masks are likelier than non-recurrent ones": OverSeeds(
            "on 2,000 images, least validation NLL",
            those([FEW], ["tied"], "non-recurrent", "validation NLL"),
            LOWER,
        ),
        "where it overfits, each noise within the recurrence gains": OverSeeds(
            "on 2,000 images, each of five over none",
            those([FEW], [arm for arm in [*ARMS][1:] if arm != "non-recurrent"]),
            HIGHER,
        ),
        "permuted pixels are harder": OverSeeds(
            "accuracy without noise on rows less that on permuted pixels",
            (found[HARDER],),
            HIGHER,
        ),
    }

    def cells(task, arm, other):
        """Returns both differences of an arm to another, or dashes."""
        of = (found.get((task, f"{arm} less {other}", m)) for m in MEASURES)
        return [
            bracketed(one and one.interval, write)
            for one, write in zip(of, (signed, four), strict=True)
        ]

    rows = []
    for task in TASKS:
        for arm in ARMS:
            points, nats = cells(task, arm, "none")
            name = f"{task}: {arm}"
            means = shown(accuracy[name]), shown(likelihood[name], 4)
            rows.append([task, arm, means[0], points, means[1], nats])
    for task in TASKS:
        for other in OTHERS:
            points, nats = cells(task, "tied", other)
            rows.append([task, f"tied less {other}", "", points, "", nats])
    gains = {
        (task, arm): found[task, f"{arm} less none", "accuracy"].interval
        for task in TASKS
        for arm in [*ARMS][1:]
    }
    return Findings(
        checks,
        [
            "task",
            "noise",
            "test accuracy, %",
            "to none or as named, points",
            "least validation NLL, nats",
            "to none or as named, nats",
        ],
        rows,
        draw(gains),
        f"Test accuracy of an LSTM under noise of rate {RATE}, over none: 64 units, "
        "20,000 images and ten epochs on the rows of the images and on rows of "
        "permuted pixels, 128 units and 80 epochs on 2,000 images; means and 95 % "
        f"intervals of {len(accuracy['rows: none'])} paired seeds. The NLL of the "
        "table is the least of all epochs on the validation images: the ledger's test "
        "NLL is that of the epoch of the best validation accuracy, of which nothing is "
        "said here.",
    )


def least_nll(one: Trained) -> float:
    """Returns the least validation NLL of all epochs, nats."""
    return min(one.line["history"]["validation_loss"])


def four(value: float) -> str:
    """Returns a difference with four decimals and its sign."""
    return signed(value, 4)


def risen_by(one: Trained) -> float:
    """By how much the validation loss at the end is above its least, in nats."""
    losses = one.line["history"]["validation_loss"]
    return losses[-1] - min(losses)


def draw(gains) -> Figure:
    """The difference of each noise to none, a panel per task."""
    figure = Figure(figsize=(6.5, 2.6), layout="constrained")
    panels = figure.subplots(1, len(TASKS), sharey=True)
    arms = [*ARMS][1:]
    for axes, task in zip(panels, TASKS, strict=True):
        axes.axvline(0.0, color="0.5", linewidth=0.6)
        for n, arm in enumerate(arms):
            bars(axes, [n], [gains[task, arm]], n, across=True)
        axes.set_title(task)
    figure.supxlabel("test accuracy over none, points", fontsize="medium")
    panels[0].set_yticks(range(len(arms)), arms)
    panels[0].invert_yaxis()
    return figure


EXPERIMENT = Experiment(
    id="E10",
    question="Where does a recurrent network bear noise, and drawn how often?",
    protocol="An LSTM over the rows of an image, and over rows of pixels in one fixed "
    "random order, without noise and with six kinds of it; a larger one on 2,000 "
    "images, for longer; the epoch best in validation is tested. It has one layer and "
    'no noise on its input: "non-recurrent" masks its last state alone, which is not '
    "what Zaremba et al. 2014 do (they mask the inputs and what passes between "
    "layers), and masks of the state and of the candidate come in addition to it, "
    "zoneout and weight drop without it. The rate is the same for all, not tuned.",
    budget="5 seeds in seven arms: 10 epochs on 20,000 images in two tasks, 80 epochs "
    "on 2,000 images in one.",
    expected="Gal and Ghahramani 2016 find tied masks, those of the recurrent layers "
    "included, better than naive dropout of the non-recurrent layers alone, in "
    "language models, by perplexity, with tuned rates: so tied against non-recurrent "
    "is the comparison nearest to theirs, and tied against per step is not theirs. On "
    "the candidate (Semeniuta et al. 2016), zoneout (Krueger et al. 2017) and weight "
    "drop (Merity et al. 2018) are published as gains. In ten epochs, which were run "
    "first, no noise gained, tied masks and weight drop cost most: the 2,000 images "
    "were added after that result, on which one training without noise, of another "
    "seed, was seen to overfit.",
    run=run,
)
