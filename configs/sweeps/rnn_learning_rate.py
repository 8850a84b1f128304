# SPDX-License-Identifier: Apache-2.0
"""How much a learning rate is worth to the unregularized GRU of configs/compare.py.

python -m dropout_jax.sweeps run --config=configs/sweeps/rnn_learning_rate.py --study=a

.00575 is what the search of configs/compare.py:rnn chose for `none`, of three trials
that it did not end half way. .0108 was picked by an audit when the test results were
known, from the range above .00726 in which `none` had no finished trial and in which
the methods above it there have theirs. So this is no comparison of methods, and no
search either: it shows how large a difference the choice of a learning rate makes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config.loading import load_config

COMPARE = Path(__file__).parents[1] / "compare.py"
TITLE = "GRU 64-64 without regularization at two learning rates"
BASELINE = "none, learning rate .00575"
NOTES = (
    "The second learning rate was picked when the results of the comparison were "
    "known, and on seeds 0 to 4: the p-values are post hoc, and seeds 5 to 9 alone are "
    "fresh.",
)


def get_config() -> ConfigDict:
    """Returns what all trials of the comparison share."""
    return load_config(f"{COMPARE}:rnn")


def sweep() -> Iterator[dict[str, Any]]:
    """Yields `none` at the learning rate of the search, and at a larger one."""
    for rate in (0.00575, 0.0108):
        text = f"{rate:g}".removeprefix("0")
        yield {"arm": f"none, learning rate {text}", "optimizer.learning_rate": rate}
