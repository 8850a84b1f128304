# SPDX-License-Identifier: Apache-2.0
"""E03: dropout, weight decay and max-norm together, and how much each matters."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.evaluation.sensitivity import sensitivity
from dropout_jax.reports.numbers import bracketed
from dropout_jax.sweeps import across_seeds
from experiments.checks import Check, Estimate
from experiments.comparisons import Difference, judged, over
from experiments.experiment import Experiment, Findings
from experiments.intervals import shown
from experiments.over_seeds import HIGHER, LOWER, OverSeeds
from experiments.trained import Trained, by_arm, mlp, train

RATES = (0.0, 0.2, 0.5)
DECAYS = (0.0, 0.1, 0.5)
MAX_NORMS = (0.0, 2.0)  # 0: none
MANY, FEW = 55_000, 5_000  # training images
EPOCHS = {MANY: 20, FEW: 100}
# Srivastava et al. 2014, table 9, from the worst to the best, and the cells that are
# most like them in a network that is a fourth as wide.
PUBLISHED = {
    "L2": (0.0, 0.1, 0.0),
    "max-norm": (0.0, 0.0, 2.0),
    "dropout, L2": (0.2, 0.1, 0.0),
    "dropout, max-norm": (0.2, 0.0, 2.0),
}
FIRST, *_, LAST = PUBLISHED


def name_of(rate: float, decay: float, max_norm: float, size: int = MANY) -> str:
    """The arm of a cell of the grid."""
    cell = f"rate {rate}, decay {decay}, max-norm {max_norm}"
    return cell if size == MANY else f"{cell}, {size:,} images"


def study(quick: bool) -> list[Trained]:
    """Trains the MLP in every cell of the grid, on many images and on few."""
    sweep = []
    for size, epochs in EPOCHS.items():
        for rate, decay, max_norm in itertools.product(RATES, DECAYS, MAX_NORMS):
            cell: dict[str, Any] = {"arm": name_of(rate, decay, max_norm, size)}
            if size != MANY:
                cell |= {"data.train_size": 500 if quick else size}
                cell |= {"train.epochs": 2 if quick else epochs}
            if rate:
                cell |= {"noise.kind": "dropout", "noise.rates": (rate,)}
            if decay:
                cell["regularizer.weight_decay"] = decay
            if max_norm:
                cell["regularizer.max_norm"] = max_norm
            sweep.append(cell)
    trials = across_seeds(sweep, 2 if quick else 5)
    base = override(defaults(), mlp(EPOCHS[MANY], quick=quick))
    return train("E03", base, trials, quick=quick)


def differences(
    accuracy: Mapping[str, list[float]], chosen: str, size: int
) -> dict[tuple[str, ...], Difference]:
    """Returns the comparisons of a number of images, by what they ask.

    Args:
      accuracy: on the test set, by cell.
      chosen: the cell that validation chooses.
      size: the number of images.
    """

    def cell(rate, decay, max_norm=0.0):
        return np.asarray(accuracy[name_of(rate, decay, max_norm, size)])

    alone = {rate: cell(rate, 0.0) - cell(0.0, 0.0) for rate in RATES[1:]}
    decayed = {decay: cell(0.0, decay) - cell(0.0, 0.0) for decay in DECAYS[1:]}
    beyond = {
        ("beyond", f"rate {rate} and decay {decay}", f"{size:,}"): Difference(
            cell(rate, decay) - cell(0.0, 0.0) - alone[rate] - decayed[decay]
        )
        for rate in RATES[1:]
        for decay in DECAYS[1:]
    }
    ends = [name_of(*PUBLISHED[name], size) for name in (LAST, FIRST)]
    found = {
        ("chosen", f"{size:,}"): over(accuracy, chosen, name_of(0.0, 0.0, 0.0, size)),
        ("ends", f"{size:,}"): over(accuracy, ends[0], ends[1]),
    }
    return beyond | found


def chosen_of(validation: Mapping[str, list[float]], size: int) -> str:
    """Returns the cell of the highest mean validation accuracy, none left out."""
    cells = [
        name_of(*where, size) for where in itertools.product(RATES, DECAYS, MAX_NORMS)
    ]
    return max(cells, key=lambda arm: float(np.mean(validation[arm])))


def told(accuracy, chosen: str, found, size: int):
    """Returns the checks of a number of images, and the rows that they rest on."""

    def cell(rate, decay):
        return accuracy[name_of(rate, decay, 0.0, size)]

    images = f"{size:,}"
    by_rate = sensitivity([cell(rate, 0.0) for rate in RATES])
    by_decay = sensitivity([cell(0.0, decay) for decay in DECAYS])
    strongest = f"rate {RATES[-1]} and decay {DECAYS[-1]}"
    beyond = {label[1]: one for label, one in found.items() if label[0] == "beyond"}
    checks: dict[str, Check] = {
        "the chosen cell is more accurate than none": OverSeeds(
            f"{chosen}, which has the highest validation accuracy of all cells, over "
            "no regularization (0 where none itself is chosen)",
            (found["chosen", images],),
            HIGHER,
        ),
        "strong dropout and strong decay do not add up": OverSeeds(
            f"at {strongest} both together gain less than the sum of both alone",
            (found["beyond", strongest, images],),
            LOWER,
        ),
        "the published order, its ends": OverSeeds(
            f"{LAST} over {FIRST}",
            (found["ends", images],),
            HIGHER,
        ),
        "what the rate changes": Estimate(
            "range of the mean accuracy over the rates without decay (Tukey's "
            "interval, of all pairs of rates at once)",
            by_rate,
            "points",
        ),
        "what the decay changes": Estimate(
            "the same over the decays without dropout",
            by_decay,
            "points",
        ),
    }
    grid = [*itertools.product(RATES, DECAYS, MAX_NORMS)]
    order = {name: name_of(*where, size) for name, where in PUBLISHED.items()}
    rows = [
        [name_of(*where), images, shown(accuracy[name_of(*where, size)])]
        for where in grid
    ]
    rows += [
        [f"published order: {name}", images, shown(accuracy[arm])]
        for name, arm in order.items()
    ]
    rows += [
        [f"{where}: beyond the sum", images, bracketed(one.interval)]
        for where, one in beyond.items()
    ]
    rows += [["range over the rates", images, bracketed(by_rate)]]
    rows += [["range over the decays", images, bracketed(by_decay)]]
    return checks, rows


def run(quick: bool) -> Findings:
    """What both together gain, against the sum of what each gains alone."""
    trained = study(quick)
    accuracy = by_arm(trained, lambda one: 100.0 * one.test["accuracy"])
    validation = by_arm(trained, validation_of)
    chosen = {size: chosen_of(validation, size) for size in EPOCHS}
    found = judged(
        {
            label: one
            for size in EPOCHS
            for label, one in differences(accuracy, chosen[size], size).items()
        }
    )
    many, rows = told(accuracy, chosen[MANY], found, MANY)
    few, more = told(accuracy, chosen[FEW], found, FEW)
    checks = many | {f"{name}, on {FEW:,} images": one for name, one in few.items()}
    seeds = len(accuracy[name_of(0.0, 0.0, 0.0)])
    return Findings(
        checks,
        ["setting", "images", "test accuracy, %, or points"],
        rows + more,
        draw(accuracy),
        "Mean test accuracy, in %, of the MLP by rate and weight decay, without and "
        f"with max-norm {MAX_NORMS[1]:g}, {EPOCHS[MANY]} epochs on {MANY:,} images and "
        f"{EPOCHS[FEW]} on {FEW:,}, over {seeds} seeds; a row of maps has grays of "
        "its own, and the table the intervals.",
    )


def validation_of(one: Trained) -> float:
    """Returns the validation accuracy of the epoch that is kept, in %."""
    return 100.0 * one.line["result"]["validation"]["accuracy"]


def draw(accuracy) -> Figure:
    """A map of the grid for each number of images and each max-norm."""
    figure = Figure(figsize=(6.5, 4.6), layout="constrained")
    panels = figure.subplots(len(EPOCHS), len(MAX_NORMS))
    for row, size in zip(panels, EPOCHS, strict=True):
        grids = [
            [
                [np.mean(accuracy[name_of(rate, d, norm, size)]) for d in DECAYS]
                for rate in RATES
            ]
            for norm in MAX_NORMS
        ]
        low, high = np.min(grids), np.max(grids)
        for axes, norm, grid in zip(row, MAX_NORMS, grids, strict=True):
            axes.imshow(grid, cmap="Greys", vmin=low - (high - low), vmax=high)
            for (i, j), value in np.ndenumerate(grid):
                colour = "white" if value > low + 0.25 * (high - low) else "black"
                look = {"ha": "center", "va": "center", "color": colour}
                axes.text(j, i, f"{value:.2f}", **look)
            axes.set_xticks(range(len(DECAYS)), list(map(str, DECAYS)))
            axes.set_yticks(range(len(RATES)), list(map(str, RATES)))
            bound = f"max-norm {norm:g}" if norm else "no max-norm"
            axes.set(xlabel="weight decay", ylabel="rate (of dropping)")
            axes.set_title(f"{size:,} images, {bound}")
    return figure


EXPERIMENT = Experiment(
    id="E03",
    question="Do dropout, weight decay and max-norm add up, and what is each worth?",
    protocol="The MLP at three rates, three decays (decoupled) and two bounds of the "
    "norm of the weights into a unit, the same seeds in every cell; the epoch best in "
    "validation is tested.",
    budget="5 seeds in each of 18 cells: 20 epochs on 55,000 images, 100 on 5,000.",
    expected="Each helps a little; together less than the sum. On MNIST Srivastava et "
    "al. 2014 (table 9) rank L2, max-norm, dropout with L2, dropout with max-norm. On "
    "all images, which were run first, nothing helped: the 5,000 were added to see "
    "whether that is for want of overfitting.",
    run=run,
)
