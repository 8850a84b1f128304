# SPDX-License-Identifier: Apache-2.0
"""E21: one network in place of an ensemble: what weight scaling computes."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from dropout_jax.data import load
from dropout_jax.evaluation.comparison import NLL, Measure
from dropout_jax.evaluation.mc_dropout import mc_predict
from dropout_jax.evaluation.statistics import mean_interval
from dropout_jax.keys import MC, root_key, stream
from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.theory.adaptive import all_masks, mask_probabilities
from dropout_jax.theory.ensemble import (
    arithmetic_mean_predict,
    enumerate_softmax_layer,
    geometric_mean_predict,
    weight_scaling_predict,
)
from dropout_jax.training.step import pixels
from experiments.checks import Identity
from experiments.comparisons import Difference, judged
from experiments.experiment import Experiment, Findings
from experiments.over_seeds import EQUIVALENT, HIGHER, LOWER, OverSeeds
from experiments.trajectory import trajectory

RATES = (0.1, 0.3, 0.5, 0.7)
INPUTS, HIDDEN, CLASSES = 6, 6, 4  # small, for all 2**12 masks
NETWORKS = 20
CLOSE = 1e-5  # what float32 leaves of an exact equality of probabilities
INPUT_RATE, HIDDEN_RATE = 0.2, 0.5  # of the trained networks
HELD_OUT = 1_000  # validation images
SHOWN = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100)
TICKS = (1, 3, 10, 30, 100)
ENOUGH = 50  # passes that Srivastava et al. found to match weight scaling
STAGES = {"early": 10, "late": 100}  # epochs
KL = Measure("divergence to weight scaling", "nats", rising=False, margin=0.0)
ERRORS = Measure("errors", "points", rising=False, margin=0.3)


def small_network(n):
    """An input of unit normal entries, and two kernels of He's variance."""
    chance = np.random.default_rng((21, n))
    shapes = (INPUTS,), (INPUTS, HIDDEN), (HIDDEN, CLASSES)
    x, first, second = (
        jnp.asarray(chance.normal(size=shape), jnp.float32) for shape in shapes
    )
    return x, first * np.sqrt(2 / INPUTS), second * np.sqrt(2 / HIDDEN)


def divergence(p, q):
    """KL(p || q), in nats; rounding can leave it below 0, where it is 0."""
    return jnp.maximum(jnp.sum(p * (jnp.log(p) - jnp.log(q)), -1), 0.0)


@jax.jit
def by_enumeration(x, first, second, rate):
    """What weight scaling is off, over all masks: of the hidden units, and of both.

    Masks of the hidden units alone leave a softmax layer on fixed features. With masks
    of the inputs as well, a ReLU stands behind noise. For each: how far the geometric
    mean's probabilities are off, and the divergence from geometric and from arithmetic
    mean.
    """
    bias = jnp.zeros(CLASSES)
    hidden = jax.nn.relu(x @ first)
    scaled = weight_scaling_predict(hidden, second, bias)
    above = enumerate_softmax_layer(hidden, second, bias, rate)
    inputs = all_masks(INPUTS)
    masked = jax.nn.relu((inputs * x.reshape(1, -1) / (1.0 - rate)) @ first)
    each = jax.vmap(lambda h: enumerate_softmax_layer(h, second, bias, rate)[0])(masked)
    weights = jnp.outer(mask_probabilities(inputs, rate), above[1])
    both = each.reshape(-1, CLASSES), weights.ravel()

    def off(logits, weights):
        geometric = geometric_mean_predict(logits, weights)
        arithmetic = arithmetic_mean_predict(logits, weights)
        return (
            jnp.max(jnp.abs(geometric - scaled)),
            divergence(geometric, scaled),
            divergence(arithmetic, scaled),
        )

    return off(*above), off(*both)


def enumerated():
    """Per rate, a table [networks, 2, 3]: `by_enumeration` of each network."""
    return {
        rate: np.array(
            [by_enumeration(*small_network(n), rate) for n in range(NETWORKS)]
        )
        for rate in RATES
    }


def trained(seed, size):
    """Yields model and parameters at every stage."""
    fields = {
        "seed": seed,
        "data.train_size": size,
        "model.widths": (128, 128),
        "train.batch_size": 50,
        # Without decay early parameters differ from late ones by their training alone.
        "optimizer.schedule": "constant",
        "noise.kind": "dropout",
        "noise.rates": (HIDDEN_RATE,),
        "noise.input_rate": INPUT_RATE,
    }
    for found, state in trajectory(fields, [*STAGES.values()]):
        yield found.programs.model, state.params


@functools.cache
def passes(model, train):
    """One function for `mc_predict`, which compiles for each that it is given."""

    def apply(params, images, key):
        rates = jnp.array([INPUT_RATE, HIDDEN_RATE, HIDDEN_RATE])
        keys = {"dropout": key}
        return model.apply({"params": params}, images, rates, train=train, rngs=keys)

    return apply


@jax.jit
def running(logits, labels):
    """NLL and share of errors of the mean of the first 1, 2, ... predictions."""
    counts = jnp.arange(1, len(logits) + 1).reshape(-1, 1, 1)
    summed = jax.lax.cumlogsumexp(jax.nn.log_softmax(logits), axis=0)
    log_probs = jnp.take_along_axis(summed, labels.reshape(1, -1, 1), -1)
    errors = jnp.argmax(summed, -1) != labels.reshape(1, -1)
    return jnp.stack(
        [jnp.log(counts[..., 0, 0]) - log_probs.mean((1, 2)), errors.mean(1)]
    )


def sampled(seeds, size, samples):
    """NLL and errors by stage: of weight scaling, of means of passes, of networks.

    As tables [seeds, 2], [seeds, 2, samples] and [2, seeds]; and [seeds], the errors of
    the mean of the first half of the passes less those of the other half.
    """
    part = load()
    images = pixels(jnp.asarray(part.validation_images[:HELD_OUT]))
    labels = jnp.asarray(part.validation_labels[:HELD_OUT], int)
    clean, noisy, halves = ({stage: [] for stage in STAGES} for _ in range(3))
    for seed in range(seeds):
        key = stream(root_key(seed), MC)
        moments = trained(seed, size)
        for stage, (model, params) in zip(STAGES, moments, strict=True):
            drawn = mc_predict(passes(model, True), params, images, key, samples)
            noisy[stage].append(running(drawn, labels))
            others = running(drawn[samples // 2 :], labels)[1, -1]
            halves[stage].append(noisy[stage][-1][1, samples // 2 - 1] - others)
            clean[stage] += [*mc_predict(passes(model, False), params, images, key, 1)]
    return {
        stage: (
            np.array([running(logits[None], labels)[:, 0] for logits in clean[stage]]),
            np.array(noisy[stage]),
            np.array(running(jnp.stack(clean[stage]), labels)),
            np.array(halves[stage]),
        )
        for stage in STAGES
    }


def enough(differences):
    """The least number of passes whose mean difference is not above 0."""
    matched = np.flatnonzero(differences.mean(0) <= 0.0)
    return float(matched[0] + 1) if len(matched) else math.inf


def run(quick: bool) -> Findings:
    """Enumerates small networks, then samples trained ones."""
    seeds, size, samples = (3, 1_000, 32) if quick else (10, 2_000, 100)
    tables = enumerated()
    found = sampled(seeds, size, samples)
    means = {rate: table.mean(0) for rate, table in tables.items()}
    worse = {
        stage: noisy - clean[..., None] for stage, (clean, noisy, *_) in found.items()
    }

    def less(stage, metric, count):
        """Returns what the mean of some passes is above weight scaling."""
        scale, measure = ((1.0, NLL), (100.0, ERRORS))[metric]
        return Difference(list(scale * worse[stage][:, metric, count - 1]), measure)

    several = min(samples, ENOUGH)
    judgments = judged(
        {
            **{(stage, "one pass"): less(stage, 1, 1) for stage in STAGES},
            **{
                (stage, f"{several} passes"): less(stage, 1, several)
                for stage in STAGES
            },
            ("early", f"NLL of {samples} passes"): less("early", 0, samples),
            ("late", f"NLL of {several} passes"): less("late", 0, several),
        }
    )
    draws = {
        stage: float(np.sqrt(np.mean(np.square(halves)) / 2.0 / len(halves)))
        for stage, (*_, halves) in found.items()
    }
    # Another kind of replicate, random networks: a family of its own.
    nearer = judged(
        {
            f"rate {rate}": Difference(list(table[:, 1, 2] - table[:, 1, 1]), KL)
            for rate, table in tables.items()
        }
    )
    checks = {
        "softmax layer: the geometric mean": Identity(
            "with masks of the inputs of a softmax layer, weight scaling gives the "
            "probabilities of the normalized geometric mean over all masks, in "
            f"{NETWORKS} random networks at every rate",
            float(max(table[:, 0, 0].max() for table in tables.values())),
            high=CLOSE,
        ),
        "softmax layer: not the arithmetic mean": Identity(
            "not those of the arithmetic mean: the least divergence of the networks at "
            "rate 0.5 is more than rounding",
            float(tables[0.5][:, 0, 2].min()),
            low=CLOSE,
        ),
        "behind ReLU: an approximation": Identity(
            "with masks in front of a ReLU too, weight scaling is not the geometric "
            "mean: the least divergence of the networks at rate 0.5 is more than "
            "rounding",
            float(tables[0.5][:, 1, 1].min()),
            low=CLOSE,
        ),
        "behind ReLU: nearer the geometric mean": OverSeeds(
            "divergence from the arithmetic mean less that from the geometric mean, "
            f"over {NETWORKS} random networks at every rate",
            tuple(nearer.values()),
            HIGHER,
        ),
        "one pass is worse": OverSeeds(
            "share of the images on which a single pass errs, less that of weight "
            "scaling",
            tuple(judgments[stage, "one pass"] for stage in STAGES),
            HIGHER,
        ),
        "as many errors in the end": OverSeeds(
            f"share of the images on which the mean of {several} passes errs, less "
            "that of weight scaling; of the draws of the passes alone this mean has a "
            f"standard error of {100.0 * draws['early']:.2f} points early and "
            f"{100.0 * draws['late']:.2f} late",
            tuple(judgments[stage, f"{several} passes"] for stage in STAGES),
            EQUIVALENT,
        ),
        "early, all passes are not enough": OverSeeds(
            f"early in training, NLL of the mean of {samples} passes less that of "
            "weight scaling",
            (judgments["early", f"NLL of {samples} passes"],),
            HIGHER,
        ),
        "late, few are": OverSeeds(
            f"late in training, NLL of the mean of {several} passes less that of "
            "weight scaling",
            (judgments["late", f"NLL of {several} passes"],),
            LOWER,
        ),
    }
    return Findings(
        checks,
        ["prediction", "rate, or stage", "geometric, or NLL", "arithmetic, or errors"],
        [*rows(means, found, worse)],
        draw(means, worse),
        "Left: mean divergence from the mean over all masks of inputs and hidden units "
        f"to weight scaling ({NETWORKS} random ReLU networks of {INPUTS} inputs, "
        f"{HIDDEN} units, {CLASSES} classes). Middle and right: NLL and share of "
        "errors of the mean of so many passes, less those of weight scaling, "
        f"{STAGES['early']} and {STAGES['late']} epochs into training (mean and 95 % "
        f"interval over {seeds} MLPs, each with masks of its own; {size:,} images of "
        f"Fashion-MNIST, {HELD_OUT:,} held out; rates {INPUT_RATE} and {HIDDEN_RATE}).",
    )


def rows(means, found, worse):
    """The table: divergences by rate, then what each prediction is worth by stage."""
    for n, masks in enumerate(("hidden units", "inputs and hidden units")):
        for rate in RATES:
            yield [f"KL from mean, masks of {masks}", rate, *means[rate][n, 1:]]
    for stage, (clean, noisy, networks, _) in found.items():
        count = len(clean)
        least = [enough(worse[stage][:, metric]) for metric in (0, 1)]
        yield ["one pass", stage, *noisy[..., 0].mean(0)]
        for number in sorted({count, min(ENOUGH, noisy.shape[-1]), noisy.shape[-1]}):
            yield [f"mean of {number} passes", stage, *noisy[..., number - 1].mean(0)]
        yield ["weight scaling", stage, *clean.mean(0)]
        yield [f"mean of {count} networks", stage, *networks[:, -1]]
        counts = ["none" if math.isinf(number) else number for number in least]
        yield ["passes no worse than weight scaling", stage, *counts]


def draw(means, worse) -> Figure:
    """Divergences by rate, and what the mean of passes is worth by their number."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    left, *others = figure.subplots(1, 3)
    for n, name in ((1, "geometric mean"), (2, "arithmetic mean")):
        look = {"color": COLOURS[n - 1], "marker": MARKS[n - 1][0], "label": name}
        left.plot(RATES, [means[r][1, n] for r in RATES], markersize=3.5, **look)
    left.set(
        xlabel="rate (probability of dropping)", ylabel="KL to weight scaling, nats"
    )
    for metric, (axes, name) in enumerate(zip(others, ("NLL", "errors"), strict=True)):
        axes.axhline(0.0, color="0.5", linewidth=0.6)
        for n, (stage, table) in enumerate(worse.items(), 2):
            counts = [k for k in SHOWN if k <= table.shape[-1]]
            ends = [mean_interval(table[:, metric, k - 1]) for k in counts]
            middle, low, high = np.transpose(ends)
            look = {"color": COLOURS[n], "marker": MARKS[n][0], "label": stage}
            # A little apart, so that intervals do not hide each other.
            places = np.array(counts) * (0.96, 1.04)[n - 2]
            spread = [middle - low, high - middle]
            look |= {"markersize": 3, "elinewidth": 0.8, "capsize": 1.5}
            axes.errorbar(places, middle, spread, **look)
        axes.set(xscale="log", xlabel="passes", ylabel=f"{name}, less weight scaling's")
        axes.set_xticks(TICKS, labels=map(str, TICKS))
        axes.xaxis.set_minor_formatter(NullFormatter())
    for axes in (left, others[0]):
        axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E21",
    question="Which mean over thinned networks does weight scaling compute, and how "
    "many of them must be sampled to match it?",
    protocol="Small networks with random weights, all masks enumerated: weight scaling "
    "against geometric and arithmetic mean. MLPs trained with dropout on a part of "
    "Fashion-MNIST, early and late in training: NLL and errors of the mean of 1 to 100 "
    "passes against weight scaling, and against networks trained from different seeds, "
    "which unlike the thinned ones share no weights.",
    budget="10 trainings of 100 epochs on 2,000 images, 100 passes at two stages.",
    expected="The normalised geometric mean, exactly for one softmax layer (Hinton et "
    "al. 2012), nearly behind a ReLU. About 50 passes to match it (Srivastava et al. "
    "2014, section 7.5, by test error). For NLL no rule is known to us; in trial runs "
    "no number was enough after a short training, and a few after a long one.",
    run=run,
)
