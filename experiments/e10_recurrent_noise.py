# SPDX-License-Identifier: Apache-2.0
"""E10: where and how a recurrent network bears noise."""

import io

import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.data import load
from dropout_jax.evaluation.statistics import mean_interval
from dropout_jax.files import write_atomically
from dropout_jax.reports.numbers import bracketed
from dropout_jax.sweeps import across_seeds
from experiments import evidence
from experiments.experiment import Check, Experiment, Findings
from experiments.intervals import bars, shown
from experiments.trained import Trained, by_arm, over, train

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
    """Each noise against none, on each task."""
    trained = study(quick)
    accuracy = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    risen = by_arm(trained, risen_by)[f"{FEW}: none"]
    gains = {
        (task, arm): over(accuracy, f"{task}: {arm}", f"{task}: none")
        for task in TASKS
        for arm in [*ARMS][1:]
    }
    tied = {
        task: over(accuracy, f"{task}: tied", f"{task}: per step") for task in TASKS
    }
    harder = over(accuracy, "rows: none", "permuted pixels: none")
    inner = ("tied", "candidate", "zoneout", "weight drop")
    checks = {
        "other choices than non-recurrent are sound": Check(
            "on rows no noise within the recurrence but that per step costs more than "
            "two points: the least lower end of the intervals of the differences to "
            "none, points",
            min(gains["rows", arm].low for arm in inner),
            low=-2.0,
            full=True,
        ),
        "a mask of the state per step costs accuracy": Check(
            "on rows, over none: upper end of the interval, points",
            gains["rows", "per step"].high,
            high=0.0,
            full=True,
        ),
        "one mask per sequence is better than one per step": Check(
            "after ten epochs, tied over per step, the lower of both tasks' lower "
            "ends, points",
            min(tied["rows"].low, tied["permuted pixels"].low),
            low=0.0,
            full=True,
        ),
        "the LSTM overfits 2,000 images": Check(
            "without noise, the validation loss of the last of 80 epochs less its "
            "least: lower end of the interval, nats",
            mean_interval(risen).low,
            low=0.05,
            full=True,
        ),
        "where it overfits, one mask per sequence is better than one per step": Check(
            "on 2,000 images, tied over per step: lower end of the interval, points",
            tied[FEW].low,
            low=0.0,
            full=True,
        ),
        "where it overfits, each noise within the recurrence pays": Check(
            "on 2,000 images, the least lower end of the intervals of the five "
            "differences to none, points",
            min(gains[FEW, arm].low for arm in ("per step", *inner)),
            low=0.0,
            full=True,
        ),
        "permuted pixels are harder": Check(
            "accuracy without noise on rows less that on permuted pixels: lower end of "
            "the interval, points",
            harder.low,
            low=0.0,
            full=True,
        ),
    }
    rows = [
        [
            task,
            arm,
            shown(accuracy[f"{task}: {arm}"]),
            bracketed(gains.get((task, arm))),
        ]
        for task in TASKS
        for arm in ARMS
    ]
    rows += [
        [task, "tied over per step", "", bracketed(one)] for task, one in tied.items()
    ]
    return Findings(
        checks,
        ["task", "noise", "test accuracy, %", "over none, points"],
        rows,
        draw(gains),
        f"Test accuracy of an LSTM under noise of rate {RATE}, over none: 64 units, "
        "20,000 images and ten epochs on the rows of the images and on rows of "
        "permuted pixels, 128 units and 80 epochs on 2,000 images; means and 95 % "
        f"intervals of {len(accuracy['rows: none'])} paired seeds.",
    )


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
    "no noise on its input: non-recurrent dropout is that of its last state alone, "
    "and masks of the state and of the candidate come in addition to it, zoneout and "
    "weight drop without it. The rate is the same for all, not tuned.",
    budget="5 seeds in seven arms: 10 epochs on 20,000 images in two tasks, 80 epochs "
    "on 2,000 images in one.",
    expected="Outside the recurrence (Zaremba et al. 2014), tied on the state (Gal, "
    "Ghahramani 2016), on the candidate (Semeniuta et al. 2016), zoneout (Krueger et "
    "al. 2017) and weight drop (Merity et al. 2018) are all sound; fresh masks on the "
    "state at every step are not. In ten epochs, which were run first, no noise "
    "gained, tied masks and weight drop cost most: the 2,000 images were added, on "
    "which one training without noise, of another seed, was seen to overfit.",
    run=run,
)
