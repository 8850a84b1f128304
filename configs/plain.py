# SPDX-License-Identifier: Apache-2.0
"""The models of configs/ with no regularisation: what studies start from.

python train.py --config=configs/plain.py:cnn --workdir=runs/plain
"""

from pathlib import Path

from ml_collections import ConfigDict

from dropout_jax.config import defaults
from dropout_jax.config.loading import load_config, override


def get_config(model: str = "mlp") -> ConfigDict:
    """Returns the configuration of mlp, cnn or rnn without noise."""
    config = load_config(Path(__file__).parent / f"{model}.py")
    plain = defaults().noise
    fields = {f"noise.{name}": value for name, value in plain.items()}
    return override(config, fields)
