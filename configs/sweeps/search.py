# SPDX-License-Identifier: Apache-2.0
"""Hyperparameters of every method, by an adaptive search: MLP, CNN or RNN.

python -m dropout_jax.sweeps search --config=configs/sweeps/search.py:cnn --study=s/a

The networks and the length of a trial are those of configs/compare.py. Ranges are a
power of ten or so around what worked there; every method has its learning rate
searched too, for noise changes the best one. All arms get the same number of trials.
"""

from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.loading import load_config, load_module
from dropout_jax.sweeps.distributions import choice, log_uniform, uniform

COMPARE = Path(__file__).parents[1] / "compare.py"

LEARNING_RATES = {
    "mlp": log_uniform(3e-4, 1e-2),
    "cnn": log_uniform(3e-4, 1e-2),
    "rnn": log_uniform(1e-3, 2e-2),
}
# Of Bernoulli noise. One entry per site: the head of a cnn bears more than its blocks,
# where what is dropped is filled in by its neighbours.
RATES = {
    "mlp": (uniform(0.0, 0.6), uniform(0.0, 0.6)),
    "cnn": (*[uniform(0.0, 0.4)] * 3, uniform(0.0, 0.7)),
    "rnn": (uniform(0.0, 0.5), uniform(0.0, 0.5)),
}
# Trials of a few epochs: the KL must reach its weight early. Noise is learned for
# units, not for the pixels of a row.
WARMUP = {"mlp": 5.0, "cnn": 2.0, "rnn": 2.0}
LEARNED_INPUT = {"mlp": True, "cnn": False, "rnn": False}


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns what all trials share, a seed that no comparison uses included."""
    config = load_config(f"{COMPARE}:search_{model}")
    with config.unlocked():
        config.seed = load_module(COMPARE).SEARCH_SEED
    return config


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
    methods["dropout"] = {"noise.kind": "dropout", "noise.rates": rates}
    methods["gaussian dropout"] = {
        "noise.kind": "gaussian_dropout",
        "noise.rates": rates,
    }
    methods["variational dropout"] = {"noise.kind": "variational_dropout", **learned}
    methods["logit-normal dropout"] = {"noise.kind": "logit_normal_dropout", **learned}
    methods["concrete dropout"] = {
        "noise.kind": "concrete_dropout",
        **learned,
        "noise.length_scale": log_uniform(1e-3, 1.0),
    }
    if model != "rnn":  # whose weights are read at every step of a sequence
        methods["sparse variational dropout"] = {
            "noise.kind": "variational_conv" if model == "cnn" else "variational_dense",
            **warmup,
            "noise.kl_weight": log_uniform(0.003, 1.0),
            "noise.threshold": 3.0,
        }
    if model == "cnn":
        methods["spatial dropout"] = {
            "noise.kind": "spatial_dropout",
            "noise.rates": rates,
        }
        methods["dropblock"] = {
            "noise.kind": "dropblock",
            "noise.rates": rates,
            "noise.block": choice(2, 3, 5),
        }
    if model == "rnn":
        methods["tied dropout"] = {
            "noise.kind": "dropout",
            "noise.sharing": "tied",
            "noise.rates": rates,
            "model.recurrent_noise": choice("none", "state", "candidate"),
        }
        methods["zoneout"] = {"noise.kind": "zoneout", "noise.rates": rates}
    learning_rate = {"optimizer.learning_rate": LEARNING_RATES[model]}
    return {method: {**learning_rate, **fields} for method, fields in methods.items()}
