# SPDX-License-Identifier: Apache-2.0
"""The comparisons: one model, its methods, several seeds.

python experiments/compare.py --model=mlp --workdir=runs/compare

Every method trains the same network from the same initial weights on the same
batches; for the wide MLP alone the width, too, is chosen for each method. METHODS
holds the fields in which a method differs, with the values that experiments/search.py
chose on validation among CANDIDATES (as many for each method); the outcome of that
search is committed as results/search_*.jsonl.
"""

from collections.abc import Collection, Iterator
from itertools import product
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config import defaults
from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import override

Fields = dict[str, Any]

BASELINE = "none"
SEARCH_SEED = 1000  # a seed that no comparison uses
SEARCH_EPOCHS = {"mlp": 30, "wide_mlp": 40, "cnn": 8, "rnn": 4}

BASE: dict[str, Fields] = {
    "mlp": {
        "model.name": "mlp",
        "model.widths": (256, 256),
        "train.batch_size": 256,
        "train.epochs": 30,
    },
    # How far a plain network goes: wide, trained long, with noise at the input too.
    "wide_mlp": {
        "model.name": "mlp",
        "model.widths": (1024, 1024),
        "train.batch_size": 256,
        "train.epochs": 80,
    },
    "cnn": {
        "model.name": "cnn",
        "model.channels": (32, 64, 128),
        "model.widths": (256,),
        "model.batch_norm": True,
        "optimizer.learning_rate": 1.5e-3,
        "train.batch_size": 64,
        "train.epochs": 20,
    },
    "rnn": {
        "model.name": "rnn",
        "model.cell": "gru",
        "model.widths": (128, 128),
        "optimizer.clip_norm": 1.0,
        "train.batch_size": 128,
        "train.epochs": 12,
    },
}

_NOISE: dict[str, Fields] = {
    "dropout": {"noise.kind": "dropout"},
    "gaussian dropout": {"noise.kind": "gaussian_dropout"},
    "variational dropout": {"noise.kind": "variational_dropout"},
}

# Runs of a few epochs: the KL must reach its weight early. Noise is learned for units,
# not for the pixels of a row.
_SHORT: Fields = {"noise.learned_input": False, "noise.kl_warmup_epochs": 2.0}


def _grid(fixed: Fields, **axes: tuple[str, tuple[Any, ...]]) -> list[Fields]:
    """Returns `fixed` with every combination of the axes, each (field, values)."""
    names = [name for name, _ in axes.values()]
    return [
        {**fixed, **dict(zip(names, values, strict=True))}
        for values in product(*(values for _, values in axes.values()))
    ]


def _candidates(
    learning_rates: tuple[float, ...],
    alone: tuple[float, ...],
    *,
    decays: tuple[float, ...],
    rates: tuple[tuple[float, ...], ...],
    kl_weights: tuple[float, ...],
    variational: Fields | None = None,
) -> dict[str, list[Fields]]:
    """Returns equally many candidates per method: learning rates times strengths.

    Args:
      learning_rates: for the methods that have a strength.
      alone: for "none", which has no strength to choose.
      decays: weight decays.
      rates: rates of Bernoulli and of Gaussian dropout.
      kl_weights: factors of the KL of variational dropout.
      variational: further fields of variational dropout.
    """
    kinds = {method: dict(noise) for method, noise in _NOISE.items()}
    kinds["variational dropout"] |= variational or {}
    learning_rate = ("optimizer.learning_rate", learning_rates)
    strengths = {
        "dropout": ("noise.rates", rates),
        "gaussian dropout": ("noise.rates", rates),
        "variational dropout": ("noise.kl_weight", kl_weights),
    }
    return {
        "none": _grid({}, a=("optimizer.learning_rate", alone)),
        "weight decay": _grid(
            {}, a=learning_rate, b=("regularizer.weight_decay", decays)
        ),
        **{
            method: _grid(kinds[method], a=learning_rate, b=strength)
            for method, strength in strengths.items()
        },
    }


# Width and strength together: the wider the network, the more noise it bears.
_WIDE = {
    "none": [
        {"model.widths": (512, 512)},
        {"model.widths": (1024, 1024)},
        {"model.widths": (1024, 1024), "optimizer.learning_rate": 3e-4},
    ],
    **{
        method: [
            {
                **_NOISE[method],
                "model.widths": widths,
                "noise.input_rate": 0.1,
                "noise.rates": (rate,),
            }
            for widths, rate in (
                ((512, 512), 0.2),
                ((1024, 1024), 0.3),
                ((1024, 1024), 0.5),
            )
        ]
        for method in ("dropout", "gaussian dropout")
    },
}

CANDIDATES: dict[str, dict[str, list[Fields]]] = {
    "mlp": _candidates(
        (1e-3, 3e-3),
        (1e-3 / 3, 1e-3 / 2, 1e-3, 2e-3, 3e-3, 6e-3),
        decays=(0.01, 0.1, 0.5),
        rates=((0.1,), (0.2,), (0.4,)),
        kl_weights=(0.1, 0.3, 1.0),
    ),
    "wide_mlp": _WIDE,
    "cnn": _candidates(
        (1.5e-3,),
        (1e-3, 1.5e-3),
        decays=(0.05, 0.3),
        rates=((0.1, 0.2, 0.2, 0.5), (0.2, 0.3, 0.3, 0.5)),
        kl_weights=(0.1, 1.0),
        variational=_SHORT,
    ),
    "rnn": _candidates(
        (1.5e-3, 3e-3, 6e-3),
        (1e-3, 1.5e-3, 3e-3, 6e-3, 9e-3, 12e-3),
        decays=(0.05, 0.5),
        rates=((0.1,), (0.3,)),
        kl_weights=(0.1, 1.0),
        variational=_SHORT,
    ),
}

METHODS: dict[str, dict[str, Fields]] = {
    "mlp": {
        "none": {"optimizer.learning_rate": 2e-3},
        "weight decay": {
            "optimizer.learning_rate": 3e-3,
            "regularizer.weight_decay": 0.5,
        },
        "dropout": {
            **_NOISE["dropout"],
            "optimizer.learning_rate": 3e-3,
            "noise.rates": (0.1,),
        },
        "gaussian dropout": {
            **_NOISE["gaussian dropout"],
            "optimizer.learning_rate": 1e-3,
            "noise.rates": (0.2,),
        },
        "variational dropout": {
            **_NOISE["variational dropout"],
            "optimizer.learning_rate": 3e-3,
            "noise.kl_weight": 0.3,
        },
    },
    "wide_mlp": {
        "none": _WIDE["none"][1],
        "dropout": _WIDE["dropout"][1],
        "gaussian dropout": _WIDE["gaussian dropout"][0],
    },
    "cnn": {
        "none": {"optimizer.learning_rate": 1.5e-3},
        "weight decay": {
            "optimizer.learning_rate": 1.5e-3,
            "regularizer.weight_decay": 0.3,
        },
        "dropout": {
            **_NOISE["dropout"],
            "optimizer.learning_rate": 1.5e-3,
            "noise.rates": (0.1, 0.2, 0.2, 0.5),
        },
        "gaussian dropout": {
            **_NOISE["gaussian dropout"],
            "optimizer.learning_rate": 1.5e-3,
            "noise.rates": (0.1, 0.2, 0.2, 0.5),
        },
        "variational dropout": {
            **_NOISE["variational dropout"],
            **_SHORT,
            "optimizer.learning_rate": 1.5e-3,
            "noise.kl_weight": 1.0,
        },
    },
    "rnn": {
        "none": {"optimizer.learning_rate": 9e-3},
        "weight decay": {
            "optimizer.learning_rate": 6e-3,
            "regularizer.weight_decay": 0.05,
        },
        "dropout": {
            **_NOISE["dropout"],
            "optimizer.learning_rate": 6e-3,
            "noise.rates": (0.3,),
        },
        "gaussian dropout": {
            **_NOISE["gaussian dropout"],
            "optimizer.learning_rate": 6e-3,
            "noise.rates": (0.3,),
        },
        "variational dropout": {
            **_NOISE["variational dropout"],
            **_SHORT,
            "optimizer.learning_rate": 6e-3,
            "noise.kl_weight": 1.0,
        },
    },
}


def get_config(name: str = "mlp") -> ConfigDict:
    """Returns the configuration that all methods of a model share.

    Args:
      name: the model, or search_<model> for the shorter runs of the search.
    """
    model = name.removeprefix("search_")
    if model not in BASE:
        raise UserError(f"model {model!r} is not compared; known: {', '.join(BASE)}")
    config = override(defaults(), BASE[model])
    if model != name:
        if model not in SEARCH_EPOCHS:
            known = ", ".join(SEARCH_EPOCHS)
            raise UserError(f"model {model!r} has no search; those that have: {known}")
        config.train.epochs = SEARCH_EPOCHS[model]
    return config


def sweep(model: str, seeds: int, methods: Collection[str] = ()) -> list[Fields]:
    """Returns one trial per seed and method; a study cut short has every method.

    Args:
      model: the model.
      seeds: their number, from 0.
      methods: only these; all when empty.

    Raises:
      UserError: a method that is not compared.
    """
    known = METHODS[model]
    for method in methods:
        if method not in known:
            raise UserError(
                f"--methods: {method!r} is not compared for model {model!r}; those "
                f"that are: {', '.join(known)}"
            )
    return [
        {"arm": arm, "seed": seed, **fields}
        for seed in range(seeds)
        for arm, fields in known.items()
        if not methods or arm in methods
    ]


def budget(model: str) -> dict[str, int]:
    """Returns how many candidates each method was given in the search, if any."""
    return {arm: len(tried) for arm, tried in CANDIDATES.get(model, {}).items()}


def title(model: str) -> str:
    """Returns the name of a model as a page shows it."""
    return model.replace("_", " ").upper()


def notes(model: str) -> tuple[str, ...]:
    """Returns how the settings of the methods came about, for the report."""
    if model not in CANDIDATES:
        return ("No search was run for this model: the settings are guesses.",)
    count = max(budget(model).values())
    chosen = (
        f"Settings of each method chosen on validation among {count} candidates, one "
        f"seed each, trained for {SEARCH_EPOCHS[model]} epochs."
    )
    widths = [fields.get("model.widths", ()) for fields in METHODS[model].values()]
    if len(set(widths)) == 1:
        return (chosen,)
    found = ", ".join(
        f"'{method}' {'-'.join(map(str, width))}"
        for method, width in zip(METHODS[model], widths, strict=True)
    )
    return (
        chosen,
        f"The width was chosen as well: {found}. Methods of different widths share "
        "batches, not initial weights.",
    )


def search(model: str) -> Iterator[Fields]:
    """Yields one trial per candidate; its arm names the method and what it tries."""
    for method, candidates in CANDIDATES[model].items():
        for number, fields in enumerate(candidates):
            yield {"arm": f"{method} #{number}", "seed": SEARCH_SEED, **fields}
