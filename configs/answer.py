# SPDX-License-Identifier: Apache-2.0
"""The comparison of this project: five methods, three networks, three training sizes.

python -m dropout_jax.sweeps protocol --config=configs/answer.py --study=studies/answer

A replicate draws its training and validation images from its seed. Strengths reach from
negligible to too strong, and are the same in all cells.
"""

from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps.protocol import Cell, Gate, Method, Protocol

EVERY: dict[str, Any] = {
    "data.split": "drawn",
    "data.validation_size": 5_000,
    # "train.validations": 20, once the field is there
}
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"model.name": "mlp", "model.widths": (512, 512)},
    "cnn": {
        "model.name": "cnn",
        "model.channels": (16, 32, 64),
        "model.widths": (128,),
        "model.batch_norm": True,
    },
    "rnn": {
        "model.name": "rnn",
        "model.cell": "gru",
        "model.widths": (64, 64),
        "optimizer.clip_norm": 1.0,
    },
}
# By number of training images: batch and epochs, so that a run has 3,000 updates.
LENGTHS: dict[int, dict[str, Any]] = {
    1_000: {"train.batch_size": 50, "train.epochs": 150},
    5_000: {"train.batch_size": 100, "train.epochs": 60},
    55_000: {"train.batch_size": 250, "train.epochs": 20},
}
LEARNING_RATES = (3e-4, 1e-3, 3e-3)
BASELINE_LEARNING_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
ALPHAS = (0.02, 0.05, 0.125, 0.3, 0.8, 2.0)  # variance of the noise
DECAYS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
KL_WEIGHTS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
KL_WARMUP_SHARE = 0.1  # of the epochs

# No two stages share a seed. The final ones come first: with 1,000 images seeds 0 to 59
# have disjoint training sets.
FINALS = (tuple(range(10)), tuple(range(10, 20)))
CURVES = (20, 21, 22)
GATE = (30, 31, 32, 33, 34)
SEARCHES = ((40,), (50,))


def get_config() -> ConfigDict:
    """Returns what all cells share."""
    return override(defaults(), EVERY)


def _noise(kind: str) -> Method:
    """Multiplicative noise of variance alpha at all hidden sites."""
    return Method(
        {"noise.kind": kind},
        ALPHAS,
        lambda alpha: {"noise.rates": (alpha / (1 + alpha),)},
        label="alpha (variance of the noise)",
    )


METHODS = {
    "none": Method(),
    "weight decay": Method(
        {},
        DECAYS,
        lambda decay: {"regularizer.weight_decay": decay},
        label="weight decay",
    ),
    "dropout": _noise("dropout"),
    "gaussian dropout": _noise("gaussian_dropout"),
    "variational dropout": Method(
        {"noise.kind": "variational_dropout", "noise.learned_input": False},
        KL_WEIGHTS,
        lambda weight: {"noise.kl_weight": weight},
        {f"log alpha {a:g}": {"noise.log_alpha_init": a} for a in (-5.0, -1.0)},
        label="weight of the KL",
    ),
}


def _cell(network: str, size: int) -> Cell:
    length = LENGTHS[size]
    warmup = KL_WARMUP_SHARE * length["train.epochs"]
    return Cell(
        {**NETWORKS[network], "data.train_size": size, **length},
        LEARNING_RATES,
        BASELINE_LEARNING_RATES,
        FINALS,
        CURVES,
        {"variational dropout": {"noise.kl_warmup_epochs": warmup}},
        margin=0.3 if size == 55_000 else 0.5,
        descriptive=size == 55_000 and network != "mlp",
    )


def protocol() -> Protocol:
    """Returns the comparison."""
    cells = {
        f"{network}_{size}": _cell(network, size)
        for size in LENGTHS
        for network in NETWORKS
    }
    return Protocol(cells, METHODS, "none", SEARCHES, Gate(GATE))
