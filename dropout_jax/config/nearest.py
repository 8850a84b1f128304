# SPDX-License-Identifier: Apache-2.0
"""What the user probably meant by a field that does not exist."""

import difflib

from dropout_jax.config.alike import likeness
from dropout_jax.config.schema import BY_PATH


def nearest(path: str) -> str:
    """The existing field whose name is most like `path`.

    Example:
      >>> nearest("noise.rate"), nearest("optimizer.lr"), nearest("epochs")
      ('noise.rates', 'optimizer.learning_rate', 'train.epochs')
    """
    leaf = path.rpartition(".")[2]

    def alike(candidate: str) -> tuple[float, float]:
        by_name = likeness(leaf, candidate.rpartition(".")[2])
        by_path = difflib.SequenceMatcher(None, path.lower(), candidate).ratio()
        return max(by_name, by_path), by_path

    return max(BY_PATH, key=alike)
