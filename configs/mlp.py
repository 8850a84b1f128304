# SPDX-License-Identifier: Apache-2.0
"""MLP with dropout on the input and both hidden layers.

python train.py --config=configs/mlp.py --workdir=runs/mlp
"""

from ml_collections import ConfigDict

from dropout_jax.config import defaults


def get_config() -> ConfigDict:
    """Returns the configuration."""
    config = defaults()
    config.model.widths = (512, 512)
    config.noise.kind = "dropout"
    config.noise.input_rate = 0.1
    config.noise.rates = (0.3,)
    config.train.epochs = 40
    return config
