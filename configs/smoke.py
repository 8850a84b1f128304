# SPDX-License-Identifier: Apache-2.0
"""Seconds on random images: does the machinery run? Its accuracy means nothing.

python train.py --config=configs/smoke.py --workdir=runs/smoke
"""

from ml_collections import ConfigDict

from dropout_jax.config import defaults


def get_config() -> ConfigDict:
    """Returns the configuration."""
    config = defaults()
    config.data.name = "synthetic"
    config.data.train_size = 512
    config.model.widths = (32,)
    config.noise.kind = "dropout"
    config.noise.rates = (0.2,)
    config.train.epochs = 2
    config.train.batch_size = 64
    return config
