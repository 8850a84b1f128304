# SPDX-License-Identifier: Apache-2.0
"""How far do these networks go with dropout? The ready configs, the MLP a wide one.

python -m dropout_jax.sweeps run --config=configs/sweeps/far.py --study=studies/far
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config import defaults
from dropout_jax.config.flat import flat
from dropout_jax.config.loading import load_config

CONFIGS = Path(__file__).parents[1]
TITLE = "How far networks go with dropout on Fashion-MNIST"
BASELINE = "MLP"
WIDE = {"model.widths": (1024, 1024), "train.batch_size": 256, "train.epochs": 80}
SEEDS = {"MLP": 10, "CNN": 5, "GRU": 5}
NOTES = (
    "No network here was trained without dropout: the table says how far these three "
    "go, and nothing of what dropout adds.",
    "Methods here are networks: an MLP of 1024-1024 units trained for 80 epochs, with "
    "dropout at its input too; configs/cnn.py, 20 epochs; configs/rnn.py, 12 epochs.",
)


def get_config() -> ConfigDict:
    """Returns the defaults: the networks have little in common."""
    return defaults()


def sweep() -> Iterator[dict[str, Any]]:
    """Yields each network with its seeds; a CNN takes longer than an MLP."""
    arms = {
        "MLP": {**_fields("mlp.py"), **WIDE},
        "CNN": _fields("cnn.py"),
        "GRU": _fields("rnn.py"),
    }
    for arm, fields in arms.items():
        for seed in range(SEEDS[arm]):
            yield {"arm": arm, **fields, "seed": seed}


def _fields(name: str) -> dict[str, Any]:
    """What a ready config sets; the rest is for flags."""
    usual = flat(defaults().to_dict())
    fields = flat(load_config(CONFIGS / name).to_dict())
    return {path: value for path, value in fields.items() if value != usual[path]}
