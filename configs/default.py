# SPDX-License-Identifier: Apache-2.0
"""The defaults: an MLP without noise. docs/config.md explains every field.

python train.py --workdir=runs/default
"""

from ml_collections import ConfigDict

from dropout_jax.config import defaults


def get_config() -> ConfigDict:
    """Returns the configuration."""
    return defaults()
