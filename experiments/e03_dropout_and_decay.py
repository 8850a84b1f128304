# SPDX-License-Identifier: Apache-2.0
"""E03: dropout, weight decay and max-norm together, and how much each knob matters."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.evaluation.sensitivity import sensitivity
from dropout_jax.evaluation.statistics import mean_interval
from dropout_jax.reports.numbers import bracketed
from dropout_jax.sweeps import across_seeds
from experiments.experiment import Check, Experiment, Findings
from experiments.intervals import shown
from experiments.trained import Trained, by_arm, mlp, over, train

RATES = (0.0, 0.2, 0.5)
DECAYS = (0.0, 0.1, 0.5)
MAX_NORMS = (0.0, 2.0)  # 0: none
# Srivastava et al. 2014, table 9, from the worst to the best, and the cells that are
# most like them in a network that is a fourth as wide.
PUBLISHED = {
    "L2": (0.0, 0.1, 0.0),
    "max-norm": (0.0, 0.0, 2.0),
    "dropout, L2": (0.2, 0.1, 0.0),
    "dropout, max-norm": (0.2, 0.0, 2.0),
}


def name_of(rate: float, decay: float, max_norm: float) -> str:
    """The arm of a cell of the grid."""
    return f"rate {rate}, decay {decay}, max-norm {max_norm}"


def study(quick: bool) -> list[Trained]:
    """Trains the MLP in every cell of the grid."""
    sweep = []
    for rate in RATES:
        for decay in DECAYS:
            for max_norm in MAX_NORMS:
                cell: dict[str, Any] = {"arm": name_of(rate, decay, max_norm)}
                if rate:
                    cell |= {"noise.kind": "dropout", "noise.rates": (rate,)}
                if decay:
                    cell["regularizer.weight_decay"] = decay
                if max_norm:
                    cell["regularizer.max_norm"] = max_norm
                sweep.append(cell)
    trials = across_seeds(sweep, 2 if quick else 5)
    return train("E03", override(defaults(), mlp(20, quick=quick)), trials, quick=quick)


def run(quick: bool) -> Findings:
    """What both together gain, against the sum of what each gains alone."""
    accuracy = by_arm(study(quick), lambda one: 100.0 * one.test["accuracy"])

    def cell(rate, decay, max_norm=0.0):
        return np.asarray(accuracy[name_of(rate, decay, max_norm)])

    alone = {rate: cell(rate, 0.0) - cell(0.0, 0.0) for rate in RATES[1:]}
    decayed = {decay: cell(0.0, decay) - cell(0.0, 0.0) for decay in DECAYS[1:]}
    beyond = {
        (rate, decay): mean_interval(
            list(cell(rate, decay) - cell(0.0, 0.0) - alone[rate] - decayed[decay])
        )
        for rate in RATES[1:]
        for decay in DECAYS[1:]
    }
    by_rate = sensitivity([cell(rate, 0.0) for rate in RATES])
    by_decay = sensitivity([cell(0.0, decay) for decay in DECAYS])
    strongest = beyond[RATES[-1], DECAYS[-1]]
    best = max(accuracy, key=lambda arm: np.mean(accuracy[arm]))
    first = name_of(0.0, 0.0, 0.0)
    gain = over(accuracy, best, first)
    order = [name_of(*where) for where in PUBLISHED.values()]
    ends = over(accuracy, order[-1], order[0])
    checks = {
        "the best cell beats none": Check(
            f"{best}: gain over no regularisation, lower end of the interval (the best "
            "of the cells, so that its interval flatters it)",
            gain.low,
            low=0.01,
            full=True,
        ),
        "strong dropout and strong decay do not add up": Check(
            f"at rate {RATES[-1]} and decay {DECAYS[-1]} both together gain less than "
            "the sum of both alone: upper end of the interval, points",
            strongest.high,
            high=0.0,
            full=True,
        ),
        "the published order, its ends": Check(
            f"{order[-1]} over {order[0]}: lower end of the interval, points",
            ends.low,
            low=0.0,
            full=True,
        ),
        "neither knob is without effect": Check(
            "range of the mean accuracy over the settings of either knob alone, the "
            "smaller lower end of both intervals, points",
            min(by_rate.low, by_decay.low),
            low=0.01,
            full=True,
        ),
    }
    rows = [[arm, shown(values)] for arm, values in accuracy.items()]
    rows += [
        [f"published order: {name}", shown(accuracy[name_of(*where)])]
        for name, where in PUBLISHED.items()
    ]
    rows += [
        [f"rate {rate} and decay {decay}: beyond the sum", bracketed(one)]
        for (rate, decay), one in beyond.items()
    ]
    rows += [["range over the rates", bracketed(by_rate)]]
    rows += [["range over the decays", bracketed(by_decay)]]
    return Findings(
        checks,
        ["setting", "test accuracy, %, or points"],
        rows,
        draw(accuracy),
        "Mean test accuracy of the MLP by rate and weight decay, without and with "
        f"max-norm {MAX_NORMS[1]:g}, over {len(accuracy[best])} seeds; the table has "
        "the intervals.",
    )


def draw(accuracy) -> Figure:
    """A map of the grid for each max-norm."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    panels = figure.subplots(1, len(MAX_NORMS))
    means = {arm: np.mean(values) for arm, values in accuracy.items()}
    low, high = min(means.values()), max(means.values())
    for axes, max_norm in zip(panels, MAX_NORMS, strict=True):
        grid = np.array(
            [[means[name_of(rate, d, max_norm)] for d in DECAYS] for rate in RATES]
        )
        axes.imshow(grid, cmap="Greys", vmin=low - (high - low), vmax=high)
        for (i, j), value in np.ndenumerate(grid):
            dark = value > low + 0.5 * (high - low)
            axes.text(
                *(j, i, f"{value:.2f}"),
                ha="center",
                va="center",
                color="white" if dark else "black",
            )
        axes.set_xticks(range(len(DECAYS)), list(map(str, DECAYS)))
        axes.set_yticks(range(len(RATES)), list(map(str, RATES)))
        title = f"max-norm {max_norm:g}" if max_norm else "no max-norm"
        axes.set(xlabel="weight decay", ylabel="rate (of dropping)", title=title)
    return figure


EXPERIMENT = Experiment(
    id="E03",
    question="Do dropout, weight decay and max-norm add up, and which knob matters?",
    protocol="The MLP at three rates, three decays (decoupled) and two bounds of the "
    "norm of the weights into a unit, the same seeds in every cell; the epoch best in "
    "validation is tested.",
    budget="5 seeds of 20 epochs in each of 18 cells.",
    expected="Each helps a little; together less than the sum. On MNIST Srivastava et "
    "al. 2014 (table 9) rank L2, max-norm, dropout with L2, dropout with max-norm.",
    run=run,
)
