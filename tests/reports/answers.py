# SPDX-License-Identifier: Apache-2.0
"""Made-up cells of a protocol, with effects that are known."""

import numpy as np

from dropout_jax.reports.answer.cell import Cell, Choice, Final, Tried
from dropout_jax.reports.trial import TestedSet, Trial

METHODS = ("none", "weight decay", "dropout", "gaussian dropout")
KINDS = {"dropout": "dropout", "gaussian dropout": "gaussian_dropout"}
GRID = (0.02, 0.05, 0.125, 0.3, 0.8, 2.0)
RATES = (0.0005, 0.001, 0.002, 0.004)
BASE = {"accuracy": 88.0, "nll": 0.35}


def run(method, seed, accuracy, nll, *, status="done", tested=True, seconds=60.0):
    """A run whose last accuracy (percent) and least NLL are given."""
    if status != "done":
        return Trial(method, seed, status, {}, {}, seconds)
    found = {"accuracy": accuracy / 100, "nll": nll + 0.2}
    least = {"accuracy": accuracy / 100 - 0.01, "nll": nll}
    sets = {
        "last": TestedSet(60, found, found if tested else {}),
        "least_nll": TestedSet(20, least, least if tested else {}),
    }
    kind = KINDS.get(method, "none")
    config = {"noise.kind": kind, "noise.rates": [0.3, 0.3]} if method in KINDS else {}
    return Trial(
        method,
        seed,
        "done",
        config,
        found if tested else {},
        seconds,
        sets=sets,
        sites=("input", "hidden_0", "hidden_1"),
        test_count=10_000 if tested else None,
    )


def replicate(seed, spread):
    """What all methods of a replicate share, in points."""
    return float(np.random.default_rng(seed).normal(0, spread))


def own(method, search, seed, spread):
    key = [seed, search, sum(method.encode())]
    return float(np.random.default_rng(key).normal(0, spread))


def made(
    name="mlp_1000",
    effects=None,
    *,
    replicates=10,
    train_size=1000,
    change=lambda final: final,
    searched=True,
    spread=0.1,
    **options,
):
    """A whole cell.

    Args:
      name: of the cell.
      effects: by (method, measure) or (method, measure, search), in the unit of the
        measure; 0 by default.
      replicates: for each search.
      train_size: of the cell.
      change: of each final run.
      searched: whether it has searches and curves.
      spread: of one run around its replicate, points.
      options: other fields of `Cell`.
    """
    effects = effects or {}

    def effect(method, measure, search):
        general = effects.get((method, measure), 0.0)
        return effects.get((method, measure, search), general)

    def final(method, search, measure, index):
        seed = 1000 * search + index
        noise = replicate(seed, 0.8) + own(method, search, seed, spread)
        accuracy = BASE["accuracy"] + effect(method, "accuracy", search) + noise
        nll = BASE["nll"] + effect(method, "nll", search) - 0.02 * noise
        seconds = 60.0 + 6.0 * (method in KINDS)
        return Final(
            method,
            search,
            measure,
            seed,
            run(method, seed, round(accuracy, 2), nll, seconds=seconds),
        )

    finals = [
        final(method, search, measure, index)
        for method in METHODS
        for search in (1, 2)
        for measure in ("accuracy", "nll")
        for index in range(replicates)
    ]
    best = {1: 0.3, 2: 0.125}

    def choice(method, search):
        strength = None if method == "none" else best[search]
        return Choice(strength, 0.002, {"optimizer.learning_rate": 0.002})

    curve = [
        Tried(method, 0, strength, 0.002, 50 + index, _searched(method, 0, strength, i))
        for method in METHODS
        for strength in ((None,) if method == "none" else GRID)
        for i, index in enumerate(range(3))
    ]
    tried = [
        Tried(
            method,
            search,
            strength,
            rate,
            search,
            _searched(method, search, strength, place),
        )
        for search in (1, 2)
        for method in METHODS
        for strength in ((None,) if method == "none" else GRID)
        for place, rate in enumerate(RATES)
    ]
    return Cell(
        **{
            "name": name,
            "train_size": train_size,
            "margin": 0.3 if train_size >= 55_000 else 0.5,
            "methods": METHODS,
            "searches": (1, 2),
            "replicates": replicates,
            "strengths": {"dropout": "alpha", "weight decay": "weight decay"},
            "choices": {
                (method, search, measure): choice(method, search)
                for method in METHODS
                for search in (1, 2)
                for measure in ("accuracy", "nll")
            },
            "finals": tuple(map(change, finals)),
            "tried": tuple(tried) if searched else (),
            "curve": dict.fromkeys(("accuracy", "nll"), tuple(curve))
            if searched
            else {},
            **options,
        }
    )


def _searched(method, search, strength, place):
    key = [search, sum(method.encode()), place, int(1000 * (strength or 0))]
    noise = float(np.random.default_rng(key).normal(0, 0.3))
    bump = 0.0 if strength is None else 1.2 - abs(np.log10(strength / 0.3))
    accuracy = 86.0 + bump + noise - 0.4 * abs(place - 2)
    return run(method, search, accuracy, 0.4 - 0.02 * bump - 0.01 * noise, tested=False)
