# SPDX-License-Identifier: Apache-2.0
"""Does a wider network need more dropout? Widths times rates, on an MLP.

python -m dropout_jax.sweeps run --config=configs/sweeps/widths.py --study=studies/a
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.loading import load_config

PLAIN = Path(__file__).parents[1] / "plain.py"
BASELINE = "none, 256 units"
WIDTHS = (64, 256, 1024)
RATES = (0.1, 0.2, 0.35, 0.5)


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns what all trials share: mlp, cnn or rnn without regularisation."""
    return load_config(f"{PLAIN}:{model}")


def sweep(model: str = "mlp") -> Iterator[dict[str, Any]]:
    """Yields each width without noise and at each rate of dropout."""
    del model
    for width in WIDTHS:
        fields = {"model.widths": (width, width)}
        yield {"arm": f"none, {width} units", **fields}
        for rate in RATES:
            noise = {"noise.kind": "dropout", "noise.rates": (rate,)}
            yield {"arm": f"dropout, {width} units", **noise, **fields}
