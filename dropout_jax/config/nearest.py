# SPDX-License-Identifier: Apache-2.0
"""What the user probably meant by a field that does not exist."""

import difflib

from dropout_jax.config.schema import BY_PATH


def nearest(path: str) -> str:
    """The existing field whose name is most like `path`.

    Example:
      >>> nearest("noise.rate"), nearest("optimizer.lr"), nearest("epochs")
      ('noise.rates', 'optimizer.learning_rate', 'train.epochs')
    """
    leaf = path.rpartition(".")[2].lower()

    def likeness(candidate: str) -> tuple[float, float]:
        name = candidate.rpartition(".")[2]
        initials = "".join(word[0] for word in name.split("_"))
        # lr, bs, wd: everybody's abbreviations are the initials.
        by_name = difflib.SequenceMatcher(None, leaf, name).ratio()
        by_path = difflib.SequenceMatcher(None, path.lower(), candidate).ratio()
        return max(by_name, by_path, float(leaf == initials)), by_path

    return max(BY_PATH, key=likeness)
