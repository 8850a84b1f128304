# SPDX-License-Identifier: Apache-2.0
"""E23: the masks themselves, beside what the texts say of them."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from dropout_jax.evaluation.statistics import Interval, mean_interval
from dropout_jax.reports.numbers import bracketed, plain
from dropout_jax.reports.palette import COLOURS
from dropout_jax.transforms import (
    dropout,
    gaussian_dropout,
    logit_normal_dropout,
    lognormal_dropout,
    spatial_dropout,
    variational_dropout,
)
from experiments.checks import Identity, Measurement
from experiments.experiment import Experiment, Findings
from experiments.intervals import bars, sigmas

RATE, SIGMA = 0.5, 1.0
ALPHA = RATE / (1.0 - RATE)  # at which N(1, alpha) has the variance of dropout
SIZE, ROUNDS = 1 << 20, 30  # of the timing: floats, and times that each is called
TIMED = (gaussian_dropout, dropout)
MAPS, SIDE = 6, 8
ERRORS = 5.0  # bound in standard errors
# Who showed that noise is a penalty on the weights, by year; the text names another.
PENALTY = (
    (1995, "Bishop: noise on inputs", True),
    (2013, "Baldi, Sadowski: dropout", True),
    (2013, "Wager, Wang, Liang: dropout", True),
    (2013, "Wan et al.: DropConnect, no penalty", False),
    (2014, "Srivastava et al., section 9.1", True),
)


def factors(draws: int) -> dict[str, np.ndarray]:
    """What single units are multiplied by."""
    one, keys = jnp.ones(draws), jax.random.split(jax.random.key(23), 3)
    found = {
        "eq. 9.4.14": logit_normal_dropout(
            keys[0], one, 0.0, jnp.log(SIGMA), rescale=False
        ),
        "log-normal": lognormal_dropout(keys[1], one, RATE),
        "variational": variational_dropout(keys[2], one, jnp.log(ALPHA)),
    }
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


def drawn_anew() -> float:
    """The share of units whose Gaussian factor another key changes."""
    first, second = (
        gaussian_dropout(jax.random.key(n), jnp.ones(SIZE), RATE) for n in (1, 2)
    )
    return float(jnp.mean(first != second))


def times_slower() -> Interval:
    """Time of Gaussian dropout over that of dropout: the geometric mean of calls."""
    x, key = jnp.ones(SIZE), jax.random.key(3)
    seconds = np.empty((ROUNDS + 1, 2))
    for n in range(ROUNDS + 1):
        # Either is first in turn.
        for k in (n % 2, 1 - n % 2):
            begun = time.perf_counter()
            TIMED[k](jax.random.fold_in(key, n), x, RATE).block_until_ready()
            seconds[n, k] = time.perf_counter() - begun
    # The first calls compile.
    return Interval(*np.exp(mean_interval(np.log(seconds[1:, 0] / seconds[1:, 1]))))


def dropped_whole(examples: int) -> float:
    """How far the share of dropped maps is off the rate; infinite for one in parts."""
    x = jnp.ones((examples, SIDE, SIDE, MAPS))
    y = np.asarray(spatial_dropout(jax.random.key(10), x, RATE))
    if (y.min((1, 2)) != y.max((1, 2))).any():
        return np.inf
    count = examples * MAPS
    error = np.sqrt(RATE * (1.0 - RATE) / count)
    return float(abs(np.mean(y[:, 0, 0] == 0.0) - RATE) / error)


def maps() -> dict[str, np.ndarray]:
    """Feature maps of ones, [maps, side, side], in two forms of dropout."""
    x, key = jnp.ones((1, SIDE, SIDE, MAPS)), jax.random.key(9)
    found = {
        "of units": dropout(key, x, RATE),
        "spatial": spatial_dropout(key, x, RATE),
    }
    return {name: np.moveaxis(np.asarray(y)[0], -1, 0) for name, y in found.items()}


def passes(draws: int) -> tuple[np.ndarray, float]:
    """Outputs of a layer whose weights nobody updates: under masks, and without."""
    x_key, w_key, key = jax.random.split(jax.random.key(5), 3)
    x, w = jax.random.normal(x_key, (64,)), jax.random.normal(w_key, (64, 1))
    under = dropout(key, jnp.broadcast_to(x, (draws, 64)), RATE) @ w
    calm = dropout(None, x, RATE, deterministic=True) @ w
    return np.asarray(under, np.float64)[:, 0], float(calm[0])


def share_error(share: float, draws: int) -> float:
    """Returns the standard error of a share of independent draws."""
    return float(np.sqrt(share * (1.0 - share) / draws))


def run(quick: bool) -> Findings:
    """Draws masks; nothing is trained."""
    draws = 20_000 if quick else 1_000_000
    found, shown = factors(draws), maps()
    under, calm = passes(draws)
    slower = times_slower()
    textbook, normal = found["eq. 9.4.14"], found["variational"]
    outside = float(np.mean((normal < 0.0) | (normal > 1.0)))
    above = float(np.mean(found["log-normal"] > 1.0))
    # Of the log-normal law that has the same first two moments.
    spread = np.log1p(textbook.var() / textbook.mean() ** 2)
    law = stats.lognorm(spread**0.5, scale=textbook.mean() * np.exp(-spread / 2.0))
    checks = {
        "the variational factor leaves [0, 1]": Measurement(
            "share of the draws of N(1, alpha), alpha = 1, outside",
            outside,
            low=0.4,
            error=share_error(outside, draws),
        ),
        "the textbook's mask is not log-normal": Measurement(
            "distance of its distribution function from that of the log-normal of "
            "equal mean and variance (Kolmogorov's): by draws it is at least so much, "
            "with 95 % confidence",
            float(stats.kstest(textbook, law.cdf).statistic)
            - np.sqrt(np.log(2.0 / 0.05) / 2.0 / draws),
            low=0.03,
        ),
        "a log-normal factor leaves [0, 1] too": Measurement(
            "share of the log-normal factors above 1",
            above,
            low=0.1,
            error=share_error(above, draws),
        ),
        "Gaussian dropout draws a mask": Identity(
            "share of the units whose factor another key changes",
            drawn_anew(),
            low=0.99,
        ),
        "Gaussian dropout is not faster": Measurement(
            "its time over that of dropout on the machine that ran this, calls on a "
            "million floats in turn: lower end of the 95 % interval of the geometric "
            "mean",
            slower.low,
            low=1.0,
            full=True,
        ),
        "spatial dropout drops whole maps": Measurement(
            "share of the maps that are dropped as a whole, in standard errors from "
            "the rate; the others are kept as a whole",
            dropped_whole(draws // 100),
            high=ERRORS,
        ),
        "inference returns the input as the mean of the noise": Measurement(
            "mean output under masks, weights unchanged, off that of inference, in "
            "standard errors",
            float(abs(sigmas(under, calm))),
            high=ERRORS,
        ),
        "unchanged weights do not still the noise": Measurement(
            "standard deviation of one unit's output under masks over the size of its "
            "mean, for one layer",
            float(under.std() / abs(calm)),
            low=0.1,
            error=float(under.std() / abs(calm) / np.sqrt(2.0 * draws)),
        ),
    }
    rows = [
        [name, values.mean(), values.std(), values.min(), values.max()]
        for name, values in found.items()
    ]
    times = bracketed(slower, plain)
    rows.append(["Gaussian dropout's time / dropout's", times, "", "", ""])
    return Findings(
        checks,
        ["factor, or ratio", "mean", "deviation", "least", "most"],
        rows,
        draw(found, shown, under, calm, slower),
        f"{draws:,} draws each. (a) What the textbook's variational mask multiplies a "
        "unit by, the log-normal factor it is said to be, and the factor N(1, alpha) "
        "of variational dropout. (b) Six feature maps under dropout of units and under "
        "spatial dropout; black is dropped. (c) Time of Gaussian dropout over "
        f"that of dropout, geometric mean of {ROUNDS} calls in turn with its 95 % "
        "interval. (d) A layer whose weights nobody updates: outputs under masks, and "
        "at inference. (e) Who showed that noise is a penalty on the weights, by year; "
        "hollow: whom the text names first (from the literature, nothing measured).",
    )


def draw(found, shown, under, calm, slower) -> Figure:
    """Five panels."""
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    panels = figure.subplot_mosaic("aabbcc;ddeeee")
    edges = np.linspace(-2.0, 4.0, 121)
    for n, (name, values) in enumerate(found.items()):
        share, _ = np.histogram(values, edges)
        heights = share / len(values) / np.diff(edges)
        line = ("-", "--", ":")[n]
        panels["a"].stairs(heights, edges, label=name, color=COLOURS[n], linestyle=line)
    panels["a"].set(xlabel="factor", ylabel="density", ylim=(0.0, None))
    panels["a"].legend(frameon=False)
    picture = np.concatenate(
        [np.concatenate([framed(one) for one in y], 1) for y in shown.values()]
    )
    panels["b"].imshow(picture, cmap="Greys_r", vmin=0.0)
    size = SIDE + 2
    panels["b"].set_yticks([size / 2 - 0.5, 1.5 * size - 0.5], [*shown])
    panels["b"].set(xticks=[], xlabel="maps")
    columns = panels["c"].bar([0, 1], [1.0, slower.mean], width=0.6, color=COLOURS[1])
    columns[1].set_color(COLOURS[0])
    bars(panels["c"], [1], [slower], 0, color="black", fmt="none")
    panels["c"].set_xticks([0, 1], ["dropout", "Gaussian"])
    panels["c"].set_ylabel("time over dropout's")
    panels["d"].hist(under, 80, density=True, color="0.75")
    panels["d"].axvline(under.mean(), color="black", label="their mean")
    look = {"color": "white", "linestyle": (0, (3, 3)), "label": "inference"}
    panels["d"].axvline(calm, **look)
    panels["d"].set(xlabel="output", ylabel="density")
    panels["d"].legend(facecolor="0.75", edgecolor="none", handlelength=1.2)
    panels["d"].set_ylim(0.0, 1.6 * panels["d"].get_ylim()[1])  # room for it
    for n, (year, name, did) in enumerate(PENALTY):
        filling = "black" if did else "white"
        panels["e"].plot(year, n, marker="o", color="black", markerfacecolor=filling)
        side = "right" if n else "left"  # into the picture
        panels["e"].annotate(f"   {name}   ", (year, n), ha=side, va="center")
    panels["e"].set(xlabel="year", yticks=[], xlim=(1994, 2015), ylim=(5, -1))
    panels["e"].set_xticks(range(1995, 2016, 5))
    for name, axes in panels.items():
        axes.set_title(f"({name})", loc="left")
    return figure


def framed(one):
    """A map with a grey line around it."""
    return np.pad(one, 1, constant_values=1.0)


EXPERIMENT = Experiment(
    id="E23",
    question="Are the masks of the methods what the texts say they are?",
    protocol="Draws of the textbook's eq. 9.4.14, of the log-normal factor and of "
    "N(1, alpha); maps under spatial dropout; times of two transforms; a layer of "
    "fixed weights with and without noise.",
    budget="Seconds; nothing is trained.",
    expected="No: variational dropout multiplies by N(1, alpha) (Kingma, Salimans, "
    "Welling 2015), the logit-normal mask is no log-normal one, Gaussian noise is "
    "drawn too and costs more, spatial dropout drops whole maps (Tompson et al. 2015).",
    run=run,
)
