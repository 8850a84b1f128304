# SPDX-License-Identifier: Apache-2.0
"""E15: what variational dropout learns, per unit and per weight."""

import functools

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dropout_jax import nn
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.data import load
from dropout_jax.evaluation import metrics
from dropout_jax.evaluation.statistics import mean_interval
from dropout_jax.reports.numbers import bracketed, plain
from dropout_jax.reports.palette import COLOURS
from dropout_jax.sweeps import across_seeds
from dropout_jax.training.load import LoadedRun
from dropout_jax.training.step import pixels
from dropout_jax.transforms import sparse_kernel, sparsity, weight_log_alpha
from experiments.checks import InEach
from experiments.comparisons import judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import bars, shown
from experiments.trained import Trained, by_arm, train

WIDTHS = (300, 100)
LAYERS = ("dense_0", "dense_1", "logits")
THRESHOLD = 3.0  # log alpha from which a weight is noise: a dropout rate of .95
EDGES = np.linspace(-8.0, 8.0, 33)  # log alpha is held within
ARMS = {
    "none": {"train.keep": "best"},
    "variational": {"noise.kind": "variational_dropout"},
    "sparse": {"noise.kind": "variational_dense", "noise.threshold": THRESHOLD},
}
# Molchanov et al. 2017, table 1, LeNet-300-100 on MNIST: sparsity per layer, %; how
# many times fewer weights.
PUBLISHED = {"sparsity": (98.9, 97.2, 62.0), "compression": 68}


def study(quick: bool) -> list[Trained]:
    """Trains LeNet-300-100 without noise, with noise on units and on weights."""
    fields = {
        "model.widths": WIDTHS,
        "train.batch_size": 100,
        "train.epochs": 2 if quick else 100,
        "train.keep": "last",  # validation would choose an epoch before the pruning
        "data.train_size": 2_000 if quick else 55_000,
    }
    warmup = {"noise.kl_warmup_epochs": 1.0 if quick else 15.0}
    sweep = [
        {"arm": arm, **(warmup if "noise.kind" in more else {}), **more}
        for arm, more in ARMS.items()
    ]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E15", override(defaults(), fields), trials, quick=quick, look=look)


def look(run: LoadedRun) -> dict:
    """Learned noise per layer; what the dropped weights were worth."""
    kind = run.config.noise.kind
    if kind == "variational_dropout":
        sites = [run.params[f"noise_{site}"] for site in run.model.sites]
        logs = [np.asarray(site["noise_log_alpha"], float) for site in sites]
        return {"alpha": [float(np.exp(log).mean()) for log in logs]}
    if kind != "variational_dense":
        return {}
    layers = [run.params[name] for name in LAYERS]
    pairs = [(layer["kernel"], layer["noise_log_sigma2"]) for layer in layers]
    kept = [np.asarray(sparse_kernel(*pair, THRESHOLD) != 0.0) for pair in pairs]
    logs = np.concatenate([np.ravel(weight_log_alpha(*pair)) for pair in pairs])
    part = load()
    whole = nn.build_model(override(run.config, {"noise.threshold": 0.0}))
    rates = jnp.zeros(len(run.model.sites))
    logits = whole.apply(
        {"params": run.params},
        pixels(jnp.asarray(part.test_images)),
        rates,
        train=False,
    )
    labels = jnp.asarray(part.test_labels, int)
    return {
        "sparsity": [100.0 * float(sparsity(*pair, THRESHOLD)) for pair in pairs],
        "compression": float(sum(k.size for k in kept) / sum(k.sum() for k in kept)),
        "whole": 100.0 * float(metrics.accuracy(logits, labels)),
        "log_alpha": np.histogram(logs, EDGES)[0].tolist(),
        "pixels": kept[0].sum(1).tolist(),
    }


def run(quick: bool) -> Findings:
    """What was dropped, and what it cost."""
    trained = study(quick)
    accuracy = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    sparse = [one.model for one in trained if one.arm == "sparse"]
    alphas = [one.model["alpha"] for one in trained if one.arm == "variational"]
    found = judged(
        {
            "none less sparse": over(accuracy, "none", "sparse"),
            "variational less none": over(accuracy, "variational", "none"),
        }
    )
    loss, gain = found["none less sparse"], found["variational less none"]
    compression = [one["compression"] for one in sparse]
    layers = [*zip(*[one["sparsity"] for one in sparse], strict=True)]
    dropped = np.subtract(accuracy["sparse"], [one["whole"] for one in sparse])
    checks = {
        "little accuracy is lost": InEach(
            "test accuracy without noise (its best epoch by validation) less that of "
            "the sparse network (its last): "
            f"{bracketed(loss.interval)} points on average",
            loss.values,
            high=1.5,
            unit="points",
        ),
        "most weights go": InEach(
            "weights over weights that are left",
            compression,
            low=10.0,
            unit="times",
        ),
        "the first layer goes first": InEach(
            "share of dropped weights in the first layer less that in the last",
            np.subtract(layers[0], layers[-1]),
            low=0.0,
            unit="points",
        ),
        "what is dropped was noise": InEach(
            "what dropping the weights changes in test accuracy",
            dropped,
            low=-0.3,
            high=0.3,
            unit="points",
        ),
    }
    precise = functools.partial(plain, digits=3)
    names = ("first", "second", "last")
    alpha = zip(
        ("input", "hidden 1", "hidden 2"), zip(*alphas, strict=True), strict=True
    )
    rows = [
        *([f"test accuracy, {arm}, %", shown(v), ""] for arm, v in accuracy.items()),
        ["none less sparse, points", bracketed(loss.interval), ""],
        ["variational less none, points", bracketed(gain.interval), ""],
        ["compression, times", shown(compression), PUBLISHED["compression"]],
        *(
            [f"sparsity, {name} layer, %", shown(found), published]
            for name, found, published in zip(
                names, layers, PUBLISHED["sparsity"], strict=True
            )
        ),
        *(
            [f"mean alpha, {site}", bracketed(mean_interval(found), precise), ""]
            for site, found in alpha
        ),
    ]
    return Findings(
        checks,
        ["what", "found", "published, MNIST"],
        rows,
        draw(sparse, layers),
        "LeNet-300-100 with a learned variance per weight: log alpha of its weights "
        f"(left, dropped from {THRESHOLD:g} on), how many are dropped in each layer "
        "(middle, with 95 % intervals), and how many of the 300 weights of each pixel "
        f"are left (right); {len(sparse)} seeds, pooled left and right.",
    )


def draw(sparse, layers) -> Figure:
    """Log alphas, sparsity per layer, and the pixels that still have weights."""
    figure = Figure(figsize=(7.2, 2.3), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    share = np.sum([one["log_alpha"] for one in sparse], 0)
    left.stairs(100.0 * share / share.sum(), EDGES, fill=True, color=COLOURS[1])
    left.axvline(THRESHOLD, color="black", linestyle="--")
    left.set(xlabel="log alpha", ylabel="weights, %")
    bars(middle, range(3), [mean_interval(found) for found in layers], 0)
    middle.set_xticks(range(3), ["first", "second", "last"])
    middle.set(ylim=(0, 103), xlabel="layer", ylabel="dropped weights")
    middle.yaxis.set_major_formatter(PercentFormatter())
    left_over = np.mean([one["pixels"] for one in sparse], 0).reshape(28, 28)
    image = right.imshow(left_over, cmap="Greys", vmin=0.0)
    right.set(xticks=[], yticks=[], xlabel="pixels")
    figure.colorbar(image, ax=right, label="weights left")
    return figure


EXPERIMENT = Experiment(
    id="E15",
    question="What does variational dropout learn, and how many weights can go?",
    protocol="LeNet-300-100 without noise (its best epoch by validation), with a "
    "learned variance per unit, and with one per weight (log-uniform prior, weight of "
    f"the KL rising over 15 epochs); weights of log alpha above {THRESHOLD:g} are "
    "dropped.",
    budget="5 seeds of 100 epochs in each of three arms.",
    expected="Tens of times fewer weights for at most 1.5 points (Molchanov, Ashukha, "
    "Vetrov 2017, table 1: 68 times for .28 points, on MNIST, 200 epochs).",
    run=run,
)
