# SPDX-License-Identifier: Apache-2.0
"""E22: width, at a fixed rate and at a fixed number of units that are kept."""

import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps import across_seeds
from experiments.checks import InEach
from experiments.comparisons import Difference, judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import curve, shown
from experiments.over_seeds import HIGHER, OverSeeds
from experiments.trained import Trained, by_arm, mlp, train

KEEP = (0.2, 0.4, 0.6, 0.8, 1.0)
FIXED = 256  # units of a layer, in the first series
KEPT = 128  # keep_prob * width, in the second


def width_of(series: str, keep: float) -> int:
    """The width of both hidden layers."""
    return FIXED if series == "width" else round(KEPT / keep)


def study(quick: bool) -> list[Trained]:
    """Trains the MLP at every keep probability, in both series."""
    fields = {**mlp(20, quick=quick), "noise.kind": "dropout"}
    kept = KEEP[::2] if quick else KEEP
    sweep = [
        {
            "arm": f"{series} {keep}",
            "model.widths": (width_of(series, keep),) * 2,
            "noise.rates": (round(1.0 - keep, 1),),
        }
        for series in ("width", "kept")
        for keep in kept
    ]
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E22", override(defaults(), fields), trials, quick=quick)


def run(quick: bool) -> Findings:
    """Compares the series where least is kept."""
    accuracy = by_arm(study(quick), lambda one: 100.0 * one.test["accuracy"])
    kept = [arm.split()[1] for arm in accuracy if arm.startswith("width")]
    least = kept[0]
    usual = kept[-2]  # .8, near which the curve is at its height
    loss = {
        series: np.subtract(
            accuracy[f"{series} {usual}"], accuracy[f"{series} {least}"]
        )
        for series in ("width", "kept")
    }
    found = judged(
        {
            "kept less width": over(accuracy, f"kept {least}", f"width {least}"),
            "loss at fixed width less at fixed number": Difference(
                list(loss["width"] - loss["kept"])
            ),
        }
    )
    checks = {
        "a wider layer makes up for part of it": OverSeeds(
            f"where {least} are kept, accuracy of the layer that keeps {KEPT} units "
            f"less that of the layer of {FIXED}",
            (found["kept less width"],),
            HIGHER,
        ),
        "the fixed width loses more": OverSeeds(
            f"from {usual} to {least}: loss of accuracy at fixed width less loss at "
            "fixed number kept",
            (found["loss at fixed width less at fixed number"],),
            HIGHER,
        ),
        "the number kept fixed, the curve is flat": InEach(
            f"from {usual} to {least} the accuracy falls by so much",
            loss["kept"],
            low=-0.5,
            high=0.5,
            unit="points",
        ),
    }
    rows = [
        [
            series,
            keep,
            float(width_of(series, float(keep))),
            shown(accuracy[f"{series} {keep}"]),
        ]
        for series in ("width", "kept")
        for keep in kept
    ]
    rows += [
        [series, f"from {usual} to {least}", "–", shown([*-lost])]
        for series, lost in loss.items()
    ]
    return Findings(
        checks,
        ["fixed is", "keep_prob", "width", "test accuracy, %, or its change, points"],
        rows,
        draw(kept, accuracy),
        f"Test accuracy of the MLP by the probability of keeping, at {FIXED} units a "
        f"layer and at {KEPT} units that are kept on average; means and 95 % intervals "
        f"of {len(accuracy[f'kept {least}'])} seeds.",
    )


def draw(kept, accuracy) -> Figure:
    """Both series."""
    figure = Figure(figsize=(3.6, 2.4), layout="constrained")
    axes = figure.subplots()
    labels = {"width": f"{FIXED} units", "kept": f"{KEPT} units kept"}
    for n, (series, label) in enumerate(labels.items()):
        values = [accuracy[f"{series} {keep}"] for keep in kept]
        curve(axes, [float(keep) for keep in kept], values, n, label=label)
    axes.set(xlabel="probability of keeping, 1 - rate", ylabel="test accuracy, %")
    axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E22",
    question="Does dropout cost accuracy by its noise, or by what is left of a layer?",
    protocol="The MLP at five probabilities of keeping, at a fixed width and at a "
    "fixed keep_prob * width; the epoch best in validation is tested.",
    budget="5 seeds of 20 epochs for each of ten networks.",
    expected="At a fixed width little kept underfits; at a fixed number kept the curve "
    "is flat (Srivastava et al. 2014, figure 9).",
    run=run,
)
