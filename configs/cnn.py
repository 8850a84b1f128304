# SPDX-License-Identifier: Apache-2.0
"""CNN with dropout after each pooling and in the dense head.

python train.py --config=configs/cnn.py --workdir=runs/cnn
"""

from ml_collections import ConfigDict

from dropout_jax.config import defaults


def get_config() -> ConfigDict:
    """Returns the configuration."""
    config = defaults()
    config.model.name = "cnn"
    config.model.channels = (32, 64, 128)
    config.model.widths = (256,)
    config.model.batch_norm = True
    config.noise.kind = "dropout"
    config.noise.rates = (0.1, 0.2, 0.2, 0.5)  # Three blocks, then the head.
    config.optimizer.learning_rate = 1.5e-3
    config.train.batch_size = 64
    config.train.epochs = 20
    return config
