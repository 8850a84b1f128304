# SPDX-License-Identifier: Apache-2.0
"""E11: what dropout at test time says about the uncertainty of a network."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.data import load
from dropout_jax.evaluation import detection, metrics, uncertainty
from dropout_jax.evaluation.comparison import ACCURACY, NLL, Measure
from dropout_jax.evaluation.statistics import mean_interval
from dropout_jax.keys import MC, root_key, stream
from dropout_jax.reports.numbers import bracketed, signed
from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.sweeps import across_seeds
from dropout_jax.training.load import LoadedRun
from experiments import lenet5
from experiments.checks import Estimate, InEach
from experiments.comparisons import VALIDATION_NLL, Difference, judged
from experiments.experiment import Experiment, Findings
from experiments.intervals import curve, shown
from experiments.over_seeds import HIGHER, LOWER, OverSeeds
from experiments.trained import Trained, by_arm, train

RATES = (0.1, 0.1, 0.1, 0.5)  # behind the convolutions; in front of the last layer
COUNTS = (1, 2, 5, 10, 20, 50)  # of passes
BINS = 10  # of the reliability diagram
WHOLE = {"counts": COUNTS, "images": 10_000}
WAYS = {
    "plain": "one network without dropout",
    "scaled": "one with dropout, weight scaling",
    "sampled": f"MC dropout, {COUNTS[-1]} passes",
    "plain ensemble": "ensemble without dropout",
    "sampled ensemble": "ensemble, MC dropout in each",
}
LEVELS = {
    "plain": "no dropout",
    "scaled": "weight scaling",
    "plain ensemble": "ensemble",
}
COLUMNS = {
    "accuracy": "accuracy, %",
    "nll": "NLL",
    "ece": "ECE",
    "adaptive_ece": "adaptive ECE",
    "brier": "Brier",
    "area": "risk-coverage area",
    "auroc_entropy": "AUROC, entropy",
    "auroc_information": "AUROC, information",
}
# What is compared, training and passes each by themselves: measure, scale, direction.
COMPARED = {
    "accuracy": (ACCURACY, 100.0, HIGHER),
    "nll": (NLL, 1.0, LOWER),
    "ece": (Measure("ece", "", rising=False, margin=0.0), 1.0, LOWER),
    "area": (Measure("risk-coverage area", "", rising=False, margin=0.0), 1.0, LOWER),
    "auroc_entropy": (Measure("AUROC", "", rising=True, margin=0.0), 1.0, HIGHER),
}
STEPS = {
    "training": ("scaled", "plain", "weight scaling less a network without dropout"),
    "passes": ("sampled", "scaled", f"{COUNTS[-1]} passes less weight scaling"),
}
# Nado et al. 2021, arXiv:2106.04015, baselines/mnist: LeNet-5 on Fashion-MNIST.
PUBLISHED = {
    "one network": (91.0, 0.321, ""),
    "ensemble of 10": (93.2, 0.200, 0.010),
    "refined VI": (90.6, 0.259, 0.011),
    "mean-field VI": (89.5, 0.292, 0.011),
}


def study(quick: bool) -> list[Trained]:
    """Trains LeNet-5 with and without dropout, for as many steps as was published."""
    fields = {
        "plugin": lenet5.__name__,
        "model.name": lenet5.NAME,
        "model.widths": (84,),
        "optimizer.schedule": "constant",
        "train.batch_size": 256,
        "train.epochs": 1 if quick else 23,
        "train.keep": "last",
        "data.train_size": 2_560 if quick else 55_000,
    }
    dropout = {"noise.kind": "dropout", "noise.rates": RATES}
    trials = across_seeds(
        [{"arm": "none"}, {"arm": "dropout", **dropout}], 2 if quick else 5
    )
    base = override(defaults(), fields)
    part = {"counts": COUNTS[:3], "images": 500} if quick else WHOLE
    look_at_arm = functools.partial(look, **part)
    return train("E11", base, trials, quick=quick, look_at_arm=look_at_arm)


def digits() -> np.ndarray:
    """Handwritten digits of 8 x 8 pixels, brought to the size of the clothes."""
    rows, _ = load_digits(return_X_y=True)
    small = jnp.asarray(rows, jnp.float32).reshape(-1, 8, 8) / 16.0
    large = jax.image.resize(small, (len(small), 28, 28), "linear")
    return np.asarray(jnp.round(255.0 * large), np.uint8)


def look(runs: list[LoadedRun], counts, images) -> dict[str, Any]:
    """Judges what the networks of an arm say, one by one and together."""
    part, strange = load(), digits()
    inputs = [part.test_images[:images], strange[:images]]
    labels = jnp.asarray(part.test_labels[:images], int)
    plain = [[run.predict(jnp.asarray(x))[None] for x in inputs] for run in runs]
    if runs[0].config.noise.kind == "none":
        found = {"plain": plain}
    else:
        keys = [stream(root_key(run.config.seed), MC) for run in runs]
        drawn = [
            [run.sample(x, key, counts[-1]) for x in inputs]
            for run, key in zip(runs, keys, strict=True)
        ]
        found = {"scaled": plain, "sampled": drawn}
    judged: dict[str, Any] = {
        way: [judge(logits, labels) for logits in each] for way, each in found.items()
    }
    way, members = [*found.items()][-1]
    together = [jnp.concatenate(logits) for logits in zip(*members, strict=True)]
    judged[f"{way} ensemble"] = [judge(together, labels)]
    if way == "sampled":
        judged["counts"] = [
            [judge([logits[:n] for logits in each], labels) for n in counts]
            for each in members
        ]
    return judged


def judge(logits, labels) -> dict:
    """What predictions [samples, images, classes] of both kinds of images are worth."""
    known, _ = logits
    mean = uncertainty.mean_log_probs(known)
    right = np.asarray(jnp.argmax(mean, -1) == labels)
    bins = metrics.reliability(mean, labels, BINS)
    scores = {
        "entropy": uncertainty.predictive_entropy,
        "information": uncertainty.mutual_information,
    }
    doubts = {
        name: [np.asarray(score(each)) for each in logits]
        for name, score in scores.items()
    }
    # One prediction agrees with itself: its information is rounding.
    told = {n: both for n, both in doubts.items() if n == "entropy" or len(known) > 1}
    return {
        **{name: float(v) for name, v in metrics.summary(mean, labels).items()},
        "adaptive_ece": float(metrics.adaptive_ece(mean, labels)),
        "bins": np.stack(bins).tolist(),
        **{f"auroc_{n}": detection.auroc(*both) for n, both in told.items()},
        "area": detection.risk_coverage(doubts["entropy"][0], right).area,
    }


def run(quick: bool) -> Findings:
    """Compares the ways to predict, over the same seeds."""
    trained = study(quick)
    arms = {one.arm: one.models for one in trained}
    found = {**arms["none"], **arms["dropout"]}
    counts = found.pop("counts")

    def values(way, metric):
        return [one[metric] for one in found[way] if metric in one]

    of_steps = {
        (step, metric): Difference(
            [
                scale * (a - b)
                for a, b in zip(values(way, metric), values(other, metric), strict=True)
            ],
            measure,
        )
        for step, (way, other, _) in STEPS.items()
        for metric, (measure, scale, _) in COMPARED.items()
    }
    alone = [one[0]["nll"] for one in counts]
    many = {
        ("all passes less one", "nll"): Difference(
            list(np.subtract(values("sampled", "nll"), alone)), NLL
        )
    }
    least = {
        ("training", "least validation NLL"): Difference(
            list(
                np.subtract(least_nll(trained, "dropout"), least_nll(trained, "none"))
            ),
            VALIDATION_NLL,
        )
    }
    judgments = judged(of_steps | many | least)
    together = values("plain ensemble", "nll")[0]

    def asked(step, metric, says):
        """Returns the check of one step by one metric, in the direction of a gain."""
        what = "of the same networks" if step == "passes" else "of the same seed"
        return OverSeeds(
            f"{says}: {STEPS[step][2]} {what}",
            (judgments[step, metric],),
            COMPARED[metric][2],
        )

    ood = "AUROC of digits against clothes by the entropy"
    sure = "area under the risk-coverage curve by the entropy"
    checks = {
        "training with dropout: better calibrated": asked("training", "ece", "ECE"),
        "training with dropout: likelier at the last epoch": asked(
            "training", "nll", "NLL"
        ),
        "training with dropout: likelier at its best": OverSeeds(
            "least validation NLL of all epochs: with dropout less without",
            (judgments["training", "least validation NLL"],),
            LOWER,
        ),
        "training with dropout: fewer errors": asked(
            "training", "accuracy", "accuracy"
        ),
        "training with dropout: digits are told better": asked(
            "training", "auroc_entropy", ood
        ),
        "training with dropout: smaller risk-coverage area": asked(
            "training", "area", sure
        ),
        "passes: better calibrated": asked("passes", "ece", "ECE"),
        "passes: likelier": asked("passes", "nll", "NLL"),
        "passes: fewer errors": asked("passes", "accuracy", "accuracy"),
        "passes: digits are told better": asked("passes", "auroc_entropy", ood),
        "passes: smaller risk-coverage area": asked("passes", "area", sure),
        "passes agree on more than one says": OverSeeds(
            "NLL of all passes less that of one",
            (judgments["all passes less one", "nll"],),
            LOWER,
        ),
        "an ensemble is likelier than its members": InEach(
            "NLL of one ensemble without dropout less that of each of its members "
            "(less than their mean it is by Jensen's inequality)",
            np.subtract(together, values("plain", "nll")),
            high=0.0,
            unit="nats",
        ),
        "the ensemble beside MC dropout": Estimate(
            "NLL of the one ensemble without dropout less that of MC dropout; the "
            "interval is over the networks with dropout alone, for there is one "
            f"ensemble, of {len(values('plain', 'nll'))} networks against one",
            mean_interval(np.subtract(together, values("sampled", "nll"))),
            "nats",
            digits=4,
        ),
    }
    rows = [
        [name, *(cell(values(way, metric), metric) for metric in COLUMNS)]
        for way, name in WAYS.items()
    ]
    rows += [[f"published: {name}", *numbers] for name, numbers in PUBLISHED.items()]
    for step, (_, _, name) in STEPS.items():
        of = {metric: judgments[step, metric].interval for metric in COMPARED}
        cells = [
            bracketed(
                of.get(metric),
                functools.partial(signed, digits=2 if metric == "accuracy" else 4),
            )
            for metric in COLUMNS
        ]
        rows.append([name, *cells])
    rows = [[*row, *[""] * (1 + len(COLUMNS) - len(row))] for row in rows]
    members = len(alone)
    return Findings(
        checks,
        ["prediction", *COLUMNS.values()],
        rows,
        draw(found, counts),
        f"LeNet-5 on the Fashion-MNIST test set: NLL and ECE by the number of passes "
        f"under dropout (means and 95 % intervals of {members} networks), and how "
        f"often they are right where they are how sure (bins of {members} networks "
        f"pooled; the one ensemble has these {members} members). The last epoch of "
        "each training is kept, not that of the least validation NLL, at which the "
        "networks without dropout were likelier (a check gives both).",
    )


def least_nll(trained: list[Trained], arm: str) -> list[float]:
    """Returns the least validation NLL of all epochs, seed by seed."""
    of = by_arm(trained, lambda one: min(one.line["history"]["validation_loss"]))
    return of[arm]


def cell(values, metric) -> str:
    """A mean with its interval, the one number there is, or nothing."""
    values = [100.0 * v for v in values] if metric == "accuracy" else values
    digits = 2 if metric == "accuracy" else 4
    if not values:
        return ""
    return shown(values, digits) if len(values) > 1 else f"{values[0]:.{digits}f}"


def draw(found, counts) -> Figure:
    """NLL and ECE by the number of passes; the reliability diagram."""
    figure = Figure(figsize=(7.2, 2.4), layout="constrained")
    likelihood, calibration, diagram = figure.subplots(1, 3)
    passes = COUNTS[: len(counts[0])]
    for axes, metric in ((likelihood, "nll"), (calibration, "ece")):
        by_count = zip(*counts, strict=True)
        means = [[one[metric] for one in same] for same in by_count]
        curve(axes, passes, means, 0, label="MC dropout")
        for n, (way, name) in enumerate(LEVELS.items(), start=1):
            level = np.mean([one[metric] for one in found[way]])
            line = ("--", "-.", ":")[n - 1]
            axes.axhline(level, color=COLOURS[n], linestyle=line, label=name)
        axes.set(xscale="log", xlabel="passes")
        axes.set_xticks(passes, [f"{n}" for n in passes])
        axes.minorticks_off()
    likelihood.set_ylabel("NLL, nats")
    calibration.set_ylabel("ECE")
    likelihood.legend(frameon=False)
    diagram.plot([0, 1], [0, 1], color="0.5", linewidth=0.6)
    for n, (way, name) in enumerate({"sampled": "MC dropout", **LEVELS}.items()):
        bins = np.array([one["bins"] for one in found[way]])  # [networks, 3, BINS]
        weight = bins[:, 2]
        total = weight.sum(0)
        kept = total > 0
        sure, right = ((bins[:, k] * weight).sum(0)[kept] / total[kept] for k in (0, 1))
        style = {"color": COLOURS[n], "marker": MARKS[n][0], "markersize": 3.5}
        diagram.plot(sure, right, label=name, **style)
    diagram.set(xlabel="confidence", ylabel="share that is right")
    diagram.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E11",
    question="Does dropout at test time estimate the uncertainty of a network?",
    protocol="LeNet-5 (6c5-pool-16c5-pool-120c5-84-10) with and without dropout (.1 "
    "behind the convolutions, .5 in front of the last layer), Adam at .001, batch 256; "
    f"predictions by weight scaling, by 1 to {COUNTS[-1]} passes under dropout, by an "
    "ensemble. Training with dropout and passes at test time are judged each alone: "
    "weight scaling against no dropout, and passes against weight scaling of the same "
    "networks. Out-of-distribution images are scikit-learn's 1,797 digits, resized.",
    budget="5 seeds of 23 epochs (4,922 steps) in each of two arms.",
    expected="Better calibrated and likelier than one network, worse than an ensemble "
    "(Lakshminarayanan et al. 2017, section 3.3; Ovadia et al. 2019; both NeurIPS).",
    run=run,
)
