# SPDX-License-Identifier: Apache-2.0
"""Rate curves: Bernoulli and Gaussian dropout at rates from .1 to .8, MLP, CNN or RNN.

python -m dropout_jax.sweeps run --config=configs/sweeps/rates.py:rnn --study=studies/a

Each method's rate is chosen on validation; the report shows the whole curves.
"""

from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config import defaults
from dropout_jax.config.loading import override

BASELINE = "none"
KINDS = {"dropout": "dropout", "gaussian dropout": "gaussian_dropout"}
RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
MODELS: dict[str, dict[str, Any]] = {
    "mlp": {"train.batch_size": 256, "train.epochs": 30},
    "cnn": {"model.name": "cnn", "train.batch_size": 128, "train.epochs": 8},
    "rnn": {"model.name": "rnn", "train.batch_size": 128, "train.epochs": 10},
}


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns what all trials share."""
    return override(defaults(), MODELS[model])


def sweep(model: str = "mlp") -> Iterator[dict[str, Any]]:
    """Yields every method at every rate; the model is the same for all."""
    del model
    yield {"arm": "none"}
    for arm, kind in KINDS.items():
        for rate in RATES:
            yield {"arm": arm, "noise.kind": kind, "noise.rates": (rate,)}
