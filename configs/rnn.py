# SPDX-License-Identifier: Apache-2.0
"""GRU that reads an image as 28 rows, with dropout after each of its layers.

python train.py --config=configs/rnn.py --workdir=runs/rnn
"""

from ml_collections import ConfigDict

from dropout_jax.config import defaults


def get_config() -> ConfigDict:
    """Returns the configuration."""
    config = defaults()
    config.model.name = "rnn"
    config.model.cell = "gru"
    config.model.widths = (128, 128)
    config.noise.kind = "dropout"
    config.noise.rates = (0.3,)
    # Recurrent gradients can burst.
    config.optimizer.clip_norm = 1.0
    config.optimizer.learning_rate = 6e-3
    config.train.epochs = 12
    return config
