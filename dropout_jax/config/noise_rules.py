# SPDX-License-Identifier: Apache-2.0
"""How the fields of the noise go together with each other and with the model."""

import math

from dropout_jax.config.field import Values, WithoutEffect, increasing, refuse
from dropout_jax.config.noise_fields import (
    ADDING_KINDS,
    FIXED_RATE_KINDS,
    INNER_KINDS,
    MODELS_OF_KIND,
    UNIT_KINDS,
    WEIGHT_KINDS,
)
from dropout_jax.config.schema import BY_PATH


def check_noise(values: Values) -> None:
    """Checks that the noise has a place in the model, and rates that it can have.

    Args:
      values: by dotted path, as `check_fields` returns them.

    Raises:
      UserError: naming the first problem.
    """
    name, kind = values["model.name"], values["noise.kind"]
    needs = {"spatial": "cnn", "tied": "rnn"}.get(values["noise.sharing"], name)
    if name != needs and name in BY_PATH["model.name"].choices:
        refuse(
            values,
            "noise.sharing",
            f"needs config.model.name={needs}, not {name}; element suits every model",
        )
    _check_kind(values)
    _check_schedule(values)
    if kind in FIXED_RATE_KINDS:
        _check_rates(values, noise_sites(values))
    _check_size_of_rates(values)
    if values["noise.hard"] and not values["noise.unbiased"]:
        why = "has no effect with config.noise.hard=true: leave it at true"
        raise WithoutEffect(values, "noise.unbiased", why)
    bound = values["noise.max_alpha"]
    if bound and values["noise.log_alpha_init"] > math.log(bound):
        refuse(
            values,
            "noise.log_alpha_init",
            f"must be at most log(config.noise.max_alpha)={math.log(bound):.4g}",
        )


def _check_kind(values: Values) -> None:
    """The kind of noise has a place in the model."""
    name, kind = values["model.name"], values["noise.kind"]
    if name not in BY_PATH["model.name"].choices:
        return  # what a plugin's model does with it is not known here
    models = MODELS_OF_KIND.get(kind, (name,))
    if name not in models:
        fit = " or ".join(models)
        refuse(values, "noise.kind", f"needs config.model.name={fit}, not {name}")
    if kind in WEIGHT_KINDS and name == "cnn" and values["noise.input_rate"]:
        raise WithoutEffect(
            values,
            "noise.input_rate",
            f"has no effect with config.noise.kind={kind} in a cnn, whose first layer "
            "is a convolution: leave it at 0.0",
        )
    if name == "rnn" and values["noise.sampling"] not in ("auto", "weight"):
        why = "is impossible in the time loop of an rnn: choose auto or weight"
        refuse(values, "noise.sampling", why)
    if kind == "drop_path" and not values["model.residual"]:
        refuse(values, "noise.kind", "needs config.model.residual=true")
    where, tied = values["model.recurrent_noise"], values["noise.sharing"] == "tied"
    if where != "auto" and kind in ("none", *INNER_KINDS, *WEIGHT_KINDS):
        why = f"has no effect with config.noise.kind={kind}: leave it at 'auto'"
        raise WithoutEffect(values, "model.recurrent_noise", why)
    inside = where in ("state", "candidate") or (where == "auto" and tied)
    if inside and kind in ADDING_KINDS:
        refuse(
            values,
            "noise.kind",
            "cannot act inside the recurrence, where noise is a factor: set "
            "config.model.recurrent_noise=none, or choose "
            f"config.noise.kind={' or '.join(UNIT_KINDS)}",
        )


def _check_schedule(values: Values) -> None:
    """The schedule of the rates fits the length of the run."""
    epochs = values["train.epochs"]
    late = values["noise.schedule"] == "late"
    if late and values["noise.schedule_epochs"] >= epochs:
        refuse(
            values,
            "noise.schedule_epochs",
            f"must be below config.train.epochs={epochs}, or no noise is ever on",
        )
    if values["noise.schedule"] != "piecewise":
        return
    ends, factors = values["noise.piecewise_epochs"], values["noise.piecewise_factors"]
    if not increasing(ends, 0, epochs):
        refuse(
            values,
            "noise.piecewise_epochs",
            "with config.noise.schedule=piecewise must be one or more increasing "
            f"epochs before the end ({epochs})",
        )
    if len(factors) != len(ends) + 1:
        refuse(
            values,
            "noise.piecewise_factors",
            f"must be {len(ends) + 1} factors, one more than the "
            f"{len(ends)} of config.noise.piecewise_epochs",
        )


def _check_size_of_rates(values: Values) -> None:
    """Rates are probabilities, but the standard deviations of additive noise."""
    kind = values["noise.kind"]
    if kind == "gaussian_noise":
        return
    local = kind == "dropconnect_dense" and values["noise.sampling"] == "local"
    infinite = kind in ("gaussian_dropout", "lognormal_dropout") or local
    for path in ("noise.input_rate", "noise.rates"):
        rates = values[path] if path == "noise.rates" else (values[path],)
        if any(rate > 1.0 for rate in rates):
            raise BY_PATH[path].error(values[path])
        if infinite and 1.0 in rates:
            refuse(values, path, f"must be below 1: {kind} has infinite noise at 1")


def _check_rates(values: Values, sites: int | None) -> None:
    count = len(values["noise.rates"])
    if sites is None or count == sites or (count == 1 and sites):
        return
    what = {"mlp": "hidden layers", "cnn": "blocks and head layers", "rnn": "layers"}
    if values["noise.kind"] in WEIGHT_KINDS:
        what["cnn"] = "dense layers"
    each = f"{sites} rates, one for each of the {what[values['model.name']]}"
    fix = (
        f"give one rate for all, e.g. (0.5,), or {each}" if sites else "leave it at ()"
    )
    refuse(values, "noise.rates", f"{count} rates for {sites} sites: {fix}")


def noise_sites(values: Values) -> int | None:
    """How many places of the model take noise; None for a plugin's model.

    Args:
      values: by dotted path, as `check_fields` returns them.

    Returns:
      mlp: hidden layers; cnn: blocks and head layers; rnn: recurrent layers. Noise on
      weights acts on dense kernels, of which only the first reads a block.
    """
    widths, blocks = len(values["model.widths"]), len(values["model.channels"])
    if values["noise.kind"] in WEIGHT_KINDS:
        blocks = 1
    sites = {"mlp": widths, "cnn": blocks + widths, "rnn": widths}
    return sites.get(values["model.name"])
