# SPDX-License-Identifier: Apache-2.0
"""E07: what is left of the expectation after several layers."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from dropout_jax.reports.palette import COLOURS, MARKS
from dropout_jax.theory.propagation import multilayer
from dropout_jax.transforms import dropout
from experiments.checks import Measurement
from experiments.experiment import Experiment, Findings

RATE, OUTPUTS = 0.5, 10
DEPTHS = (1, 2, 3, 4, 5, 6)  # hidden layers
WIDTHS = (20, 200)
ACTIVATIONS = {"linear": lambda x: x, "ReLU": jax.nn.relu, "tanh": jnp.tanh}
NETWORKS = (7, 107, 207)  # their keys
SIGMAS = 5.5  # 10 outputs, 36 linear networks, two means: a false alarm in 4e4


def network(width, seed):
    """An input of unit normal entries, kernels of He's variance, without bias.

    As many hidden layers as the deepest needs: a shallower one leaves the rest out.
    """
    x, hidden, last = jax.random.split(jax.random.key(seed), 3)
    scale = jnp.sqrt(2.0 / width)
    return (
        jax.random.normal(x, (width,)),
        scale * jax.random.normal(hidden, (max(DEPTHS), width, width)),
        scale * jax.random.normal(last, (width, OUTPUTS)),
    )


def forward(x, hidden, last, depth, activate, key):
    """Outputs of one draw, masks in front of every kernel: without rescaling, with it.

    One scan over the layers, those behind `depth` passed by, so that the draw of a
    mask is compiled once for all depths.
    """
    first, final = jax.random.split(key)

    def masked(pair, key):
        mask = dropout(key, jnp.ones_like(x), RATE, scaling="test")
        return pair[0] * mask, pair[1] * mask / (1.0 - RATE)

    def layer(pair, inputs):
        number, kernel, key = inputs
        found = [activate(v @ kernel) for v in masked(pair, key)]
        there = number < depth
        return tuple(
            jnp.where(there, *both) for both in zip(found, pair, strict=True)
        ), None

    layers = jnp.arange(len(hidden)), hidden, jax.random.split(first, len(hidden))
    pair, _ = jax.lax.scan(layer, (x, x), layers)
    return tuple(v @ last for v in masked(pair, final))


@functools.partial(jax.jit, static_argnames=("width", "name", "samples"))
def measured(depth, width, name, samples, seed):
    """Clean output, and means over masks without and with rescaling, with errors."""
    x, hidden, last = network(width, seed)
    activate = ACTIVATIONS[name]
    keys = jax.random.split(jax.random.key(depth), samples)
    found = jax.lax.map(
        lambda key: forward(x, hidden, last, depth, activate, key),
        keys,
        batch_size=500,
    )
    means = [(v.mean(0), v.std(0, ddof=1) / jnp.sqrt(samples)) for v in found]
    clean = x
    for number, kernel in enumerate(hidden):
        clean = jnp.where(number < depth, activate(clean @ kernel), clean)
    return clean @ last, *means


@functools.partial(jax.jit, static_argnames=("depth", "width"))
def by_fast_dropout(depth, width, seed):
    """Mean output of the ReLU network with rescaling, without samples."""
    x, hidden, last = network(width, seed)
    kernels = [*hidden[:depth], last]
    layers = [(kernel, jnp.zeros(kernel.shape[1])) for kernel in kernels]
    return multilayer(x, layers, [RATE] * len(layers)).mean


def norm(x):
    """Root mean square."""
    return float(jnp.sqrt(jnp.mean(jnp.square(x))))


def run(quick: bool) -> Findings:
    """Means over masks against the product rule, the clean network, fast dropout."""
    samples = 2_000 if quick else 20_000
    depths = DEPTHS[::2] if quick else DEPTHS
    rows, linear, nonlinear, unlike_clean, shares, gains = [], [], [], [], {}, []
    for name in ACTIVATIONS:
        for width in WIDTHS:
            for depth in depths:
                of_networks = []
                for seed in NETWORKS:
                    clean, (mean, error), (scaled, scaled_error) = measured(
                        depth, width, name, samples, seed
                    )
                    product = (1.0 - RATE) ** (depth + 1) * clean
                    share = norm(mean) / norm(product)
                    off = norm(scaled - clean) / norm(clean)
                    errors = (
                        float(jnp.max(jnp.abs(mean - product) / error)),
                        float(jnp.max(jnp.abs(scaled - clean) / scaled_error)),
                    )
                    closer = math.nan
                    if name == "ReLU":
                        fast = by_fast_dropout(depth, width, seed)
                        closer = norm(fast - scaled) / norm(clean)
                    of_networks.append([share, off, *errors, closer])
                found = np.array(of_networks)  # [networks, 5]
                shares[name, width, depth] = found[:, 0]
                if name == "linear":
                    linear.append(found[:, 2:4].max())
                elif depth == max(depths):
                    nonlinear.append(found[:, 2].min())
                    unlike_clean.append(found[:, 3].min())
                if name == "ReLU" and width == max(WIDTHS) and depth > 1:
                    gains.append((found[:, 1] / found[:, 4]).min())
                means: list[float | str] = [*map(float, found.mean(0))]
                if name != "ReLU":
                    means[-1] = ""
                rows.append([name, width, depth, *means])
    deepest = [shares["ReLU", width, max(depths)].min() for width in WIDTHS]
    networks = f"in each of {len(NETWORKS)} networks of each width"
    checks = {
        "exact where it is linear": Measurement(
            "in linear networks of every depth the mean over masks is the product rule "
            "(unscaled) and the clean output (scaled): the largest distance in "
            "standard errors",
            float(max(linear)),
            high=SIGMAS,
        ),
        "fails where it is not": Measurement(
            f"behind {max(depths)} hidden layers of ReLU or tanh, {networks}, the mean "
            "of some output is off the product rule: the smallest distance in standard "
            "errors",
            float(min(nonlinear)),
            low=SIGMAS,
            full=True,
        ),
        "signals outlive the rule behind ReLU": Measurement(
            f"behind {max(depths)} hidden layers of ReLU, {networks}, the mean output "
            "is more than 1.2 times what the product rule says: the least ratio",
            float(min(deepest)),
            low=1.2,
        ),
        "weight scaling is an approximation": Measurement(
            f"scaled, behind {max(depths)} hidden layers of ReLU or tanh, {networks}, "
            "the mean of some output is off the clean one: the smallest distance in "
            "standard errors",
            float(min(unlike_clean)),
            low=SIGMAS,
            full=True,
        ),
        "fast dropout is closer": Measurement(
            "carrying mean and variance gives a mean output closer to that over masks "
            f"than the clean output is, at width {max(WIDTHS)} and every depth above "
            "1, in each network: by the least factor (what the draws err adds to both "
            "distances, and lowers it)",
            float(min(gains)),
            low=1.0,
        ),
    }
    return Findings(
        checks,
        [
            "activation",
            "width",
            "hidden layers",
            "unscaled: mean / product rule",
            "scaled: |mean - clean| / |clean|",
            "unscaled: distance in standard errors",
            "scaled: distance in standard errors",
            "scaled: |mean - fast dropout| / |clean|",
        ],
        rows,
        draw(shares, depths),
        f"Size of the mean output over {samples:,} masks without rescaling, over that "
        f"of the product rule, (1 - rate) per layer (rate {RATE}, He's kernels without "
        f"bias, means of {len(NETWORKS)} networks for each width, of one input each, "
        "10 outputs). At 1 the rule holds.",
    )


def draw(shares, depths) -> Figure:
    """The share that the product rule explains, by depth."""
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    panels = figure.subplots(1, len(WIDTHS), sharey=True)
    for axes, width in zip(panels, WIDTHS, strict=True):
        axes.axhline(1.0, color="0.5", linewidth=0.6)
        for n, name in enumerate(ACTIVATIONS):
            look = {"color": COLOURS[n], "marker": MARKS[n][0], "markersize": 3.5}
            values = [shares[name, width, depth].mean() for depth in depths]
            axes.plot(depths, values, label=name, **look)
        axes.set(xlabel="hidden layers", yscale="log", title=f"{width} units a layer")
    panels[0].set_ylabel("mean output / product rule")
    panels[0].legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    id="E07",
    question="Does the expectation pass through depth as the product of what is kept?",
    protocol="Monte Carlo over masks in random networks of 1 to 6 hidden layers, with "
    "and without rescaling, against the product rule, the clean network and fast "
    "dropout.",
    budget="No training; most of it is compilation.",
    expected="Exactly in linear networks; with ReLU or tanh the mean output is larger "
    "than the rule says, and weight scaling an approximation ("
    "Wang, Manning 2013).",
    run=run,
)
