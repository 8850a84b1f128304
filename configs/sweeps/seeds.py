# SPDX-License-Identifier: Apache-2.0
"""How far does a number move with the seed? The configs of the methods, many seeds.

python -m dropout_jax.sweeps run --config=configs/sweeps/seeds.py --study=a --seeds=20
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.loading import load_config

PLAIN = Path(__file__).parents[1] / "plain.py"
BASELINE = "none"


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns what all trials share: mlp, cnn or rnn without regularisation."""
    return load_config(f"{PLAIN}:{model}")


def sweep(model: str = "mlp") -> Iterator[dict[str, Any]]:
    """Yields the plain model, and with dropout of .2."""
    del model
    yield {"arm": "none"}
    yield {"arm": "dropout", "noise.kind": "dropout", "noise.rates": (0.2,)}
