# SPDX-License-Identifier: Apache-2.0
"""From how few training images on does dropout pay? Sizes times rates.

python -m dropout_jax.sweeps run --config=configs/sweeps/sizes.py:mlp --study=studies/a

All sizes train for as many epochs: small ones take fewer steps.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.loading import load_config

PLAIN = Path(__file__).parents[1] / "plain.py"
BASELINE = "none, 55000 images"
SIZES = (500, 1000, 3000, 10_000, 30_000, 55_000)
RATES = (0.2, 0.5)


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns what all trials share: mlp, cnn or rnn without regularisation."""
    return load_config(f"{PLAIN}:{model}")


def sweep(model: str = "mlp") -> Iterator[dict[str, Any]]:
    """Yields each size without noise and at each rate of dropout."""
    del model
    for size in SIZES:
        fields = {"data.train_size": size}
        yield {"arm": f"none, {size} images", **fields}
        for rate in RATES:
            noise = {"noise.kind": "dropout", "noise.rates": (rate,)}
            yield {"arm": f"dropout, {size} images", **noise, **fields}
