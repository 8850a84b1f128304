# SPDX-License-Identifier: Apache-2.0
"""5,000 training images, trained long: strengths of each method at one learning rate.

python -m dropout_jax.sweeps run --config=configs/sweeps/small_data.py --study=a

Nothing is chosen here: each strength of a method is an arm of its own, and the learning
rate is that of the defaults for all of them.
"""

from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config import defaults
from dropout_jax.config.loading import override

TITLE = "5,000 training images: MLP 512-512 on Fashion-MNIST"
BASELINE = "none"
NOTES = (
    "All methods have the learning rate of the defaults, tuned for none of them. At "
    "other learning rates the differences may be others, in sign too.",
    "One training set of 5,000 images and one split: the intervals cover first weights "
    "and order of the batches.",
)

ARMS: dict[str, dict[str, Any]] = {
    "none": {},
    "weight decay 0.1": {"regularizer.weight_decay": 0.1},
    "weight decay 1": {"regularizer.weight_decay": 1.0},
    "dropout .2": {"noise.kind": "dropout", "noise.rates": (0.2,)},
    "dropout .5": {"noise.kind": "dropout", "noise.rates": (0.5,)},
    "gaussian dropout .2": {"noise.kind": "gaussian_dropout", "noise.rates": (0.2,)},
    "gaussian dropout .5": {"noise.kind": "gaussian_dropout", "noise.rates": (0.5,)},
    "variational dropout": {"noise.kind": "variational_dropout"},
}


def get_config() -> ConfigDict:
    """Returns the configuration that all arms share."""
    return override(
        defaults(),
        {
            "model.widths": (512, 512),
            "data.train_size": 5000,
            "train.batch_size": 128,
            "train.epochs": 100,
        },
    )


def sweep() -> Iterator[dict[str, Any]]:
    """Yields the arms."""
    for arm, fields in ARMS.items():
        yield {"arm": arm, **fields}
