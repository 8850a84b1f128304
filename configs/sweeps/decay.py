# SPDX-License-Identifier: Apache-2.0
"""Do noise and weight decay add up? Methods times decays.

python -m dropout_jax.sweeps run --config=configs/sweeps/decay.py:mlp --study=studies/a

Both strengths of a method are chosen on validation; the report shows them as a map.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.loading import load_config

PLAIN = Path(__file__).parents[1] / "plain.py"
BASELINE = "none"
KINDS = {"dropout": "dropout", "gaussian dropout": "gaussian_dropout"}
RATES = (0.1, 0.2, 0.35, 0.5)
DECAYS = (0.0, 0.03, 0.1, 0.3, 1.0)


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns what all trials share: mlp, cnn or rnn without regularisation."""
    return load_config(f"{PLAIN}:{model}")


def sweep(model: str = "mlp") -> Iterator[dict[str, Any]]:
    """Yields each method at each rate and decay."""
    del model
    yield {"arm": "none"}
    for decay in DECAYS[1:]:
        yield {"arm": "weight decay", "regularizer.weight_decay": decay}
    for arm, kind in KINDS.items():
        for rate in RATES:
            for decay in DECAYS:
                yield {
                    "arm": arm,
                    "noise.kind": kind,
                    "noise.rates": (rate,),
                    "regularizer.weight_decay": decay,
                }
