# SPDX-License-Identifier: Apache-2.0
"""Rate curves: the common methods that have a rate, at .1 to .8.

python -m dropout_jax.sweeps run --config=configs/sweeps/rates.py:rnn --study=studies/a

Each method's rate is chosen on validation; the report shows the whole curves.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.loading import load_config

PLAIN = Path(__file__).parents[1] / "plain.py"
BASELINE = "none"
METHODS = {
    "dropout": {"noise.kind": "dropout"},
    "gaussian dropout": {"noise.kind": "gaussian_dropout"},
}
MORE = {
    "mlp": {"dropconnect": {"noise.kind": "dropconnect_dense"}},
    "cnn": {
        "spatial dropout": {"noise.kind": "spatial_dropout"},
        "dropblock": {"noise.kind": "dropblock"},
    },
    "rnn": {
        "tied dropout": {"noise.kind": "dropout", "noise.sharing": "tied"},
        "zoneout": {"noise.kind": "zoneout"},
        "weight drop": {"noise.kind": "weight_drop"},
    },
}
RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns what all trials share: mlp, cnn or rnn without regularisation."""
    return load_config(f"{PLAIN}:{model}")


def sweep(model: str = "mlp") -> Iterator[dict[str, Any]]:
    """Yields each method at each rate, the same at all its places."""
    yield {"arm": "none"}
    for arm, fields in {**METHODS, **MORE[model]}.items():
        for rate in RATES:
            yield {"arm": arm, **fields, "noise.rates": (rate,)}
