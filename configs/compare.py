# SPDX-License-Identifier: Apache-2.0
"""All methods on one network, each at the best setting that a search found.

python -m dropout_jax.sweeps search --config=configs/compare.py:cnn --study=studies/a
python -m dropout_jax.sweeps run --config=configs/compare.py:cnn --study=studies/b

The search gives every method the same number of trials, as long as those of the
comparison, and chooses on validation; its winners, as results/ has them, are what
`sweep` compares over other seeds. Ranges are a power of ten or so around what is
usual; every method has its learning rate searched too, for noise changes the best one.
"""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config import defaults
from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import override
from dropout_jax.sweeps.distributions import choice, log_uniform, uniform

BASELINE = "none"
SEARCH_SEED = 1000  # a seed that no comparison uses
RESULTS = Path(__file__).parents[1] / "results"

BASE: dict[str, dict[str, Any]] = {
    "mlp": {
        "model.name": "mlp",
        "model.widths": (256, 256),
        "train.batch_size": 256,
        "train.epochs": 20,
    },
    "cnn": {
        "model.name": "cnn",
        "model.channels": (16, 32, 64),
        "model.widths": (128,),
        "model.batch_norm": True,
        "train.batch_size": 64,
        "train.epochs": 4,
    },
    "rnn": {
        "model.name": "rnn",
        "model.cell": "gru",
        "model.widths": (64, 64),
        "optimizer.clip_norm": 1.0,
        "train.batch_size": 128,
        "train.epochs": 4,
    },
}
LEARNING_RATES = {
    "mlp": log_uniform(3e-4, 1e-2),
    "cnn": log_uniform(3e-4, 1e-2),
    "rnn": log_uniform(1e-3, 2e-2),
}
# Of Bernoulli and Gaussian noise. One entry per site: the head of a cnn bears more than
# its blocks, where what is dropped is filled in by its neighbours.
RATES: dict[str, dict[str, Any]] = {
    "mlp": {
        "noise.input_rate": uniform(0.0, 0.3),
        "noise.rates": (uniform(0.0, 0.6), uniform(0.0, 0.6)),
    },
    "cnn": {"noise.rates": (*[uniform(0.0, 0.4)] * 3, uniform(0.0, 0.7))},
    "rnn": {"noise.rates": (uniform(0.0, 0.5), uniform(0.0, 0.5))},
}
# The KL must reach its weight well before the end. Noise is learned for units, not for
# the pixels of a row.
WARMUP = {"mlp": 5.0, "cnn": 1.0, "rnn": 1.0}
WITHDRAWN = (
    "variational dropout, logit-normal dropout, concrete dropout: searched when the KL "
    "had one term for each channel or feature, although noise is drawn for every pixel "
    "or step. The settings must be searched anew, and the results are withdrawn."
)
LEARNED_INPUT = {"mlp": True, "cnn": False, "rnn": False}


def title(model: str = "mlp") -> str:
    """Returns the heading of the report."""
    return f"Regularization of an {model.upper()} on Fashion-MNIST"


def notes(model: str = "mlp") -> tuple[str, ...]:
    """Returns how the settings came about."""
    found, epochs = winners(model), BASE[model]["train.epochs"]
    ended = [arm["trials"].get("done", 0) for arm in found["arms"].values()]
    pruned = [arm["trials"].get("pruned", 0) for arm in found["arms"].values()]
    weak = math.prod(_share_below(0.1, d) for d in _flat(RATES[model].values()))
    return (
        f"The settings of each method are the best, by validation, of the "
        f"{found['budget']} that an adaptive search ({found['sampler']}) tried: trials "
        f"of {epochs} epochs with a seed that no run here has, {sum(pruned)} of "
        f"{sum(pruned) + sum(ended)} of them ended half way.",
        f"So the table compares the settings that {found['budget']} trials found, and "
        f"not what the methods can do: {min(ended)} to {max(ended)} trials of a method "
        "ran to their end, one seed each. Methods with rates contain no noise as a "
        "limit, but a random trial had all of its rates below .1 with a probability of "
        f"{weak:.2g}: a loss of theirs is what so many trials found, and is not shown "
        "to be one of the method.",
        *((WITHDRAWN,) if model in ("cnn", "rnn") else ()),
    )


def _flat(entries: Iterable[Any]) -> Iterator[Any]:
    for entry in entries:
        yield from entry if isinstance(entry, tuple) else (entry,)


def _share_below(rate: float, uniformly: Any) -> float:
    """Returns how often a uniform distribution gives less."""
    return (rate - uniformly.low) / (uniformly.high - uniformly.low)


def search_budget(model: str = "mlp") -> dict[str, int]:
    """Returns the number of trials that were spent on each method's settings."""
    found = winners(model)
    return {method: found["budget"] for method in space(model)}


def _checked(model: str) -> str:
    if model not in BASE:
        raise UserError(f"model {model!r} is not compared; known: {', '.join(BASE)}")
    return model


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns what all trials share; its seed is that of the search."""
    fields = {"seed": SEARCH_SEED, "optimizer.learning_rate": 2e-3}
    return override(defaults(), {**fields, **BASE[_checked(model)]})


def space(model: str = "mlp") -> dict[str, dict[str, Any]]:
    """Returns for each method its fields and where they are looked for."""
    rates, warmup = RATES[model], {"noise.kl_warmup_epochs": WARMUP[model]}
    learned = {
        **warmup,
        "noise.learned_input": LEARNED_INPUT[model],
        "noise.kl_weight": log_uniform(0.03, 3.0),
    }
    methods: dict[str, dict[str, Any]] = {}
    methods["none"] = {}
    methods["weight decay"] = {"regularizer.weight_decay": log_uniform(0.01, 2.0)}
    methods["l2"] = {"regularizer.l2": log_uniform(1e-6, 1e-3)}
    methods["dropout"] = {"noise.kind": "dropout", **rates}
    methods["gaussian dropout"] = {"noise.kind": "gaussian_dropout", **rates}
    methods["variational dropout"] = {"noise.kind": "variational_dropout", **learned}
    methods["sparse variational dropout"] = {
        "noise.kind": "variational_conv" if model == "cnn" else "variational_dense",
        **warmup,
        "noise.kl_weight": log_uniform(0.003, 1.0),
        "noise.threshold": 3.0,
    }
    methods["logit-normal dropout"] = {"noise.kind": "logit_normal_dropout", **learned}
    methods["concrete dropout"] = {
        "noise.kind": "concrete_dropout",
        **learned,
        "noise.length_scale": log_uniform(1e-3, 1.0),
    }
    if model == "cnn":
        methods["spatial dropout"] = {"noise.kind": "spatial_dropout", **rates}
        methods["dropblock"] = {
            "noise.kind": "dropblock",
            **rates,
            "noise.block": choice(2, 3, 5),
        }
    if model == "rnn":
        methods["tied dropout"] = {
            "noise.kind": "dropout",
            "noise.sharing": "tied",
            **rates,
            "model.recurrent_noise": choice("none", "state", "candidate"),
        }
        methods["zoneout"] = {"noise.kind": "zoneout", **rates}
    learning_rate = {"optimizer.learning_rate": LEARNING_RATES[model]}
    return {method: {**learning_rate, **fields} for method, fields in methods.items()}


def winners(model: str) -> dict[str, Any]:
    """Returns what the search has found, as it wrote it."""
    path = RESULTS / f"compare_{_checked(model)}_winners.json"
    search = f"make search-{model}, again until it has ended"
    if not path.exists():
        raise UserError(f"model {model!r} has no winners of a search yet: run {search}")
    found = json.loads(path.read_text(encoding="utf-8"))
    lost = [arm for arm, winner in found["arms"].items() if "fields" not in winner]
    if lost or not found["done"]:
        why = f"{lost[0]!r} has no winner" if lost else "the search has not ended"
        raise UserError(f"{path}: {why}; run {search}")
    return found


def sweep(model: str = "mlp") -> Iterator[dict[str, Any]]:
    """Yields each method with the setting that won."""
    found = winners(model)["arms"]
    for method in space(model):
        yield {"arm": method, **found[method]["fields"]}
