# SPDX-License-Identifier: Apache-2.0
"""Draws every transform: what one draw does to a batch of ones, and to one number.

python experiments/draw_transforms.py

Writes docs/transforms/<name>.png. On the left what becomes of ones (rows: two images;
columns: three channels); on the right the law of one output at x = 1, with the mean and
standard deviation of the analytic moments. Beside these schedules.png, the rate of
every schedule over the steps, and recurrent.png, the masks of a recurrent layer.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from dropout_jax import transforms
from dropout_jax.config.guard import guarded
from dropout_jax.reports.figures import style
from dropout_jax.reports.palette import BASELINE_COLOUR, COLOURS, MARKS
from dropout_jax.slow import told_if_slow
from dropout_jax.transforms import schedules

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "transforms"
DRAWS = 20_000
SIDE, CHANNELS = 12, 3
# One telling setting for each transform of the registry.
SETTINGS: dict[str, dict[str, Any]] = {
    "dropblock": {"rate": 0.3, "block_size": 4},
    "drop_path": {"rate": 0.5},
    "dropout": {"rate": 0.3},
    "weight_drop": {"rate": 0.3},
    "spatial_dropout": {"rate": 0.4},
    "lognormal_dropout": {"rate": 0.3},
    "gaussian_dropout": {"rate": 0.3},
    "gaussian_noise": {"std": 0.5},
    "alpha_dropout": {"rate": 0.3},
    "variational_dropout": {"log_alpha": -1.0},
    "logit_normal_dropout": {"mu": 1.0, "log_sigma": 0.0},
    "concrete_dropout": {"logit_rate": -1.0, "temperature": 2 / 3},
    "zoneout": {"rate": 0.3},
    "dropconnect_dense": {"rate": 0.3},
    "variational_dense": {"log_sigma2": -2.0},
    "variational_conv": {"log_sigma2": -4.0},
}
# Further forms of one transform: picture -> (transform, options beside its setting).
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "alpha_dropout_feature_wise": ("alpha_dropout", {"shared_axes": (1, 2)}),
    "concrete_dropout_spatial": ("concrete_dropout", {"shared_axes": (1, 2)}),
}
STEPS = 1000
SCHEDULES = {
    "constant(.25)": schedules.constant(0.25),
    "linear(0, .5, 1000)": schedules.linear(0.0, 0.5, STEPS),
    "early(.5, 400)": schedules.early(0.5, 400),
    "late(.4, 600)": schedules.late(0.4, 600),
    "curriculum(.5, .01)": schedules.curriculum(0.5, 10 / STEPS),
    "annealed(.5, .01)": schedules.annealed(0.5, 10 / STEPS),
    "piecewise((.1, .3, .15), (300, 700))": schedules.piecewise(
        (0.1, 0.3, 0.15), (300, 700)
    ),
}
UNITS, TIMES = 16, 28


def setting(picture: str) -> tuple[str, dict[str, Any]]:
    """Returns what a picture is of: the transform's name and its parameters."""
    name, options = FORMS.get(picture, (picture, {}))
    return name, SETTINGS[name] | options


def arguments(name: str, given: dict[str, Any], x: jax.Array) -> dict[str, Any]:
    """Returns the parameters with the arrays that the transform needs for `x`."""
    inputs = x.shape[-1]
    if name == "zoneout":
        return given | {"previous": jnp.zeros_like(x)}
    if name in ("dropconnect_dense", "variational_dense"):
        return given | {"kernel": jnp.full((inputs, inputs), 1 / inputs)}
    if name == "variational_conv":
        return given | {"kernel": jnp.full((3, 3, inputs, inputs), 1 / (9 * inputs))}
    return given


def maps(picture: str) -> np.ndarray:
    """Returns the transform of ones, [image, height, width, channel]."""
    name, given = setting(picture)
    ones = jnp.ones((2, SIDE, SIDE, CHANNELS))
    given = arguments(name, given, ones)
    return np.asarray(transforms.get(name).apply(jax.random.key(4), ones, **given))


def law(picture: str) -> tuple[np.ndarray, float, float]:
    """Returns draws of one output, with its analytic mean and standard deviation."""
    name, given = setting(picture)
    entry, x = transforms.get(name), jnp.ones((1, 4, 4, CHANNELS))
    given = arguments(name, given, x)
    keys = jax.random.split(jax.random.key(0), DRAWS)
    draws = jax.vmap(lambda key: entry.apply(key, x, **given)[0, 1, 1, 0])(keys)
    moments = entry.moments(x, **given)
    index = (0, 1, 1, 0)
    return np.asarray(draws), float(moments.mean[index]), float(moments.variance[index])


def draw(picture: str) -> Figure:
    """Returns the picture of one transform, or of one of its forms."""
    pattern, (draws, mean, variance) = maps(picture), law(picture)
    figure = Figure(figsize=(6.6, 2.2), layout="constrained")
    halves = figure.subfigures(1, 2, width_ratios=(3, 2), squeeze=False)
    left, right = halves[0]
    span = max(np.abs(pattern - 1).max(), 1e-3)
    for (image, channel), axes in np.ndenumerate(left.subplots(2, CHANNELS)):
        axes.imshow(
            pattern[image, :, :, channel], cmap="PuOr", vmin=1 - span, vmax=1 + span
        )
        axes.set_xticks([])
        axes.set_yticks([])
        if image == 0:
            axes.set_title(f"channel {channel}")
        if channel == 0:
            axes.set_ylabel(f"image {image}")
    axes = right.subplots()
    axes.hist(draws, bins=60, density=True, color=BASELINE_COLOUR)
    axes.axvline(mean, color=COLOURS[0], linewidth=1.2)
    std = variance**0.5
    axes.axvspan(mean - std, mean + std, color=COLOURS[0], alpha=0.15, linewidth=0)
    axes.set_yticks([])
    axes.set_xlabel(f"y at x = 1: mean {mean:.3g}, standard deviation {std:.3g}")
    name, given = setting(picture)
    values = (
        f"{k} = {v if isinstance(v, tuple) else f'{v:.3g}'}" for k, v in given.items()
    )
    figure.suptitle(", ".join((name, *values)), fontsize=8)
    return figure


def draw_schedules() -> Figure:
    """Returns the picture of all schedules: rate over step."""
    figure = Figure(figsize=(6.6, 2.6), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(STEPS + 1)
    for number, (name, schedule) in enumerate(SCHEDULES.items()):
        colour = COLOURS[number - 1] if number else BASELINE_COLOUR
        # Marks at places of their own, so that lines tell apart where they meet.
        places = (40 + 20 * number, 160)
        axes.plot(
            steps,
            np.asarray(schedule(steps)),
            color=colour,
            linewidth=1.2,
            marker=MARKS[number][0],
            markevery=places,
            markersize=4,
            label=name,
        )
    axes.set_xlabel("step")
    axes.set_ylabel("rate")
    axes.set_ylim(-0.02, 0.54)
    figure.legend(loc="outside right center", fontsize=7, frameon=False)
    return figure


def recurrent_masks(rate: float) -> dict[str, np.ndarray]:
    """Returns what noise does to the units of one sequence, [units, time] each."""
    key, ones = jax.random.key(4), jnp.ones((UNITS, TIMES))
    # 1 where the new value is taken.
    renewed = transforms.zoneout(key, ones, rate, previous=jnp.zeros_like(ones))

    def step(since: jax.Array, new: jax.Array) -> tuple[jax.Array, jax.Array]:
        since = jnp.where(new > 0, 0.0, since + 1.0)
        return since, since

    _, age = jax.lax.scan(step, jnp.zeros(UNITS), renewed.T)
    masks = {
        "per step: factor m / k": transforms.dropout(key, ones, rate),
        "tied: factor m / k": transforms.dropout(key, ones, rate, shared_axes=(1,)),
        "zoneout: share that is new": renewed,
        "zoneout: age of the value, steps": age.T,
    }
    return {name: np.asarray(mask) for name, mask in masks.items()}


def draw_recurrent(rate: float = 0.3) -> Figure:
    """Returns the picture of the noise of a recurrent layer, units by time."""
    figure = Figure(figsize=(6.6, 3.6), layout="constrained")
    masks = recurrent_masks(rate)
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, (name, mask) in zip(grid.ravel(), masks.items(), strict=True):
        if "age" in name:
            shown = axes.imshow(mask, cmap="Purples", vmin=0)
        else:  # 1 is white: what the unit would be without noise
            shown = axes.imshow(mask, cmap="PuOr", vmin=0, vmax=2)
        figure.colorbar(shown, ax=axes, shrink=0.8)
        axes.set_title(name)
        axes.set_yticks([])
    for axes in grid[:, 0]:
        axes.set_ylabel("unit")
    for axes in grid[1]:
        axes.set_xlabel("time step")
    figure.suptitle(f"one sequence, rate = {rate}", fontsize=8)
    return figure


def main() -> int:
    """Draws all transforms of the package; returns the exit code."""
    matplotlib.use("agg")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with style(), told_if_slow(print, "drawing"):
        figures = {name: draw(name) for name in (*transforms.names(), *FORMS)}
        figures |= {"schedules": draw_schedules(), "recurrent": draw_recurrent()}
        for name, figure in figures.items():
            figure.savefig(
                PICTURES / f"{name}.png", dpi=110, metadata={"Software": None}
            )
    print(f"{len(figures)} pictures in {PICTURES}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
