# SPDX-License-Identifier: Apache-2.0
"""How much noise the runs of a method ended with, site by site.

A method is what it does, not what it is called: learned noise may have gone to nothing,
and then its row tells of training without noise.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dropout_jax.config.noise_fields import FIXED_RATE_KINDS
from dropout_jax.reports.trial import Trial

# An alpha below it is a noise of under 10 % of a unit's value.
SILENT = 0.01
# What a rate is for some kinds; for the others the probability of dropping.
_QUANTITIES = {
    "gaussian_noise": "std",
    "zoneout": "rate of keeping the state",
    "dropconnect_dense": "rate of weights",
    "weight_drop": "rate of weights",
}
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


class Site(NamedTuple):
    """The noise at one place of a network.

    Attributes:
      name: of the site or layer; empty where a value stands for all sites.
      quantity: "alpha" (variance of multiplicative noise of mean 1), "rate"
        (probability of dropping), "std" (of additive noise) or "removed" (share of the
        weights).
      value: of that, mean over the runs.
      learned: whether training set it.
      most: the largest value of a run.
    """

    name: str
    quantity: str
    value: float
    learned: bool
    most: float = math.nan

    @property
    def most_alpha(self) -> float:
        """The largest alpha of a run; NaN for no multiplicative noise of mean 1."""
        if self.quantity == "alpha":
            return self.most
        if self.quantity == "rate" and self.most < 1:
            return self.most / (1 - self.most)
        return math.nan


def trained_noise(trials: Sequence[Trial]) -> tuple[Site, ...]:
    """Returns the noise that the runs of one method ended with.

    Args:
      trials: finished runs of one setting.

    Returns:
      Learned values after the last epoch (of alpha the geometric mean over the units of
      a site, of a rate that at the mean logit), mean over the runs; rates of fixed
      noise as they were set; the shares of weights that noise on weights removes. Empty
      for a method without noise.

    Example:
      >>> config = {"noise.kind": "variational_dropout"}
      >>> noise = {"noise_hidden_0/noise_log_alpha": -3.0}
      >>> found = trained_noise([Trial("v", 0, "done", config, {}, None, noise=noise)])
      >>> noise_text(found)
      'alpha: hidden_0 0.05'
    """
    if not trials:
        return ()
    config = trials[0].config
    kind = config.get("noise.kind", "none")
    if kind in FIXED_RATE_KINDS:
        return _fixed(kind, config, trials[0].sites)
    by_site: dict[tuple[str, str], list[float]] = {}
    for trial in trials:
        for name, quantity, value in _learned(kind, trial):
            by_site.setdefault((name, quantity), []).append(value)
    return tuple(
        Site(name, quantity, float(np.mean(values)), True, max(values))
        for (name, quantity), values in by_site.items()
    )


def silent(sites: Sequence[Site]) -> bool:
    """Whether learned noise is none in effect: alpha below .01, every site and run.

    Example:
      >>> silent([Site("a", "alpha", 1e-4, True, 2e-4)])
      True
    """
    return bool(sites) and all(
        site.learned and site.most_alpha < SILENT for site in sites
    )


def noise_text(sites: Sequence[Site]) -> str:
    """Returns the sites in a line, equal quantities together.

    Example:
      >>> noise_text([Site("a", "alpha", 0.02, True), Site("b", "alpha", 0.5, True)])
      'alpha: a 0.02, b 0.5'
    """
    parts: dict[str, list[str]] = {}
    for site in sites:
        text = f"{site.name} {site.value:.2g}".strip()
        parts.setdefault(site.quantity, []).append(text)
    return "; ".join(f"{name}: {', '.join(of)}" for name, of in parts.items())


def _fixed(
    kind: str, config: Mapping[str, Any], sites: Sequence[str]
) -> tuple[Site, ...]:
    quantity = _QUANTITIES.get(kind, "rate")
    if kind == "drop_path" and len(config.get("noise.rates") or ()) == 1:
        quantity = "rate, rising to"
    schedule = config.get("noise.schedule", "constant")
    if schedule != "constant":
        quantity += f", before its schedule ({schedule})"
    rates = [float(rate) for rate in config.get("noise.rates") or ()]
    names = list(sites[1:]) if len(sites) == len(rates) + 1 else [""] * len(rates)
    found = [Site(n, quantity, r, False) for n, r in zip(names, rates, strict=True)]
    if at_input := config.get("noise.input_rate", 0.0):
        found.insert(0, Site("input", quantity, float(at_input), False))
    return tuple(found)


def _learned(kind: str, trial: Trial) -> list[tuple[str, str, float]]:
    """Site, quantity and value of each learned parameter of one run."""
    values: dict[str, dict[str, float]] = {}
    for path, value in trial.noise.items():
        place, _, name = path.rpartition("/")
        site = place.removeprefix("noise_").replace("/noise_", "/")
        values.setdefault(site, {})[name.removeprefix("noise_")] = value
    found = []
    for site, of in values.items():
        if "log_alpha" in of:
            most = trial.config.get("noise.max_alpha") or math.inf
            found.append((site, "alpha", min(math.exp(of["log_alpha"]), most)))
        elif "logit_rate" in of:
            found.append((site, "rate", 1 / (1 + math.exp(-of["logit_rate"]))))
        elif "mu" in of and "log_sigma" in of:
            found.append((site, "alpha", _logit_normal(of["mu"], of["log_sigma"])))
    if found or not trial.sets:
        return found
    name = "last" if "last" in trial.sets else next(iter(trial.sets))
    quantity = "removed" if name == "last" else "removed at the kept epoch"
    return [(layer, quantity, s) for layer, s in trial.sets[name].sparsity.items()]


def _logit_normal(mu: float, log_sigma: float) -> float:
    """Variance of sigmoid(N(mu, sigma^2)) over its squared mean."""
    factor = 1 / (1 + np.exp(-(mu + math.exp(log_sigma) * _NODES)))
    mean = float(_WEIGHTS @ factor)
    return float(_WEIGHTS @ factor**2) / mean**2 - 1
