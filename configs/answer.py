# SPDX-License-Identifier: Apache-2.0
"""The comparison of this project: five methods, three networks, three training sizes.

python -m dropout_jax.sweeps protocol --config=configs/answer.py --study=a
python -m dropout_jax.sweeps protocol --config=configs/answer.py:pilot --study=b

docs/protocol.md says why it is as it is. A replicate draws its training and validation
images from its seed. The strengths reach from negligible to too strong and are the same
in all cells, but for those of `EXTENDED`.
"""

import dataclasses
from typing import Any

from ml_collections import ConfigDict

from dropout_jax.config import defaults
from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import override
from dropout_jax.sweeps.protocol import Cell, Extension, Gate, Method, Protocol

EVERY: dict[str, Any] = {
    "data.split": "drawn",
    "data.validation_size": 5_000,
    "train.validations": 20,
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
# By network and number of training images: batch and epochs, for 3,000 updates or more.
LENGTHS: dict[tuple[str, int], tuple[int, int]] = {
    ("mlp", 1_000): (32, 200),
    ("mlp", 5_000): (50, 60),
    ("mlp", 55_000): (250, 25),
    ("cnn", 1_000): (32, 200),
    ("cnn", 5_000): (64, 50),
    ("cnn", 55_000): (256, 20),
    ("rnn", 1_000): (32, 200),
    ("rnn", 5_000): (64, 50),
    ("rnn", 55_000): (256, 20),
}
LEARNING_RATES = {
    "mlp": (3e-5, 1e-4, 3e-4, 1e-3, 3e-3),
    "cnn": (3e-4, 1e-3, 3e-3, 1e-2),
    "rnn": (1e-3, 3e-3, 1e-2, 3e-2),
}
# It has no strength beside it: four to a decade.
_MANTISSAS = (1.0, 1.7, 3.0, 5.5)
_RATES = [float(f"{m}e{e}") for e in range(-5, 1) for m in _MANTISSAS]
BASELINE_LEARNING_RATES = {
    "mlp": tuple(rate for rate in _RATES if 1e-5 <= rate <= 1e-2),
    "cnn": tuple(rate for rate in _RATES if 3e-5 <= rate <= 3e-2),
    "rnn": tuple(rate for rate in _RATES if 1e-4 <= rate <= 1e-1),
}
ALPHAS = (0.02, 0.05, 0.125, 0.3, 0.8, 2.0, 5.0)  # variance of the noise
DECAYS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
KL_WEIGHTS = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0)
KL_WARMUP_SHARE = 0.1  # of the epochs

# No two stages share a seed. With 1,000 images the training sets of seeds 0 to 59 are
# disjoint, with 5,000 those of 0 to 11.
FINALS = (tuple(range(10)), tuple(range(10, 20)))
SEARCHES = ((1000,), (2000,))
MORE_SEARCHES = {("mlp", 1_000): ((1000, 1001), (2000, 2001))}
CURVES = (3000,)  # the seeds of the searches are shown beside it
GATE = (4000, 4001, 4002, 4003, 4004)
PILOT_SEARCHES = ((9000,),)
PILOT_FINALS = (tuple(range(9100, 9110)),)
PILOT_GATE = (9200, 9201, 9202, 9203, 9204)
PILOT_CURVES = (9300, 9301, 9302)

# What a cell's grid has beside the values above, because a choice lay at an end of it.
# Each end is extended by at most two steps, before the first final run of the cell; a
# choice that still lies at an end is then accepted (--accept_ends) and reported so.
EXTENDED: dict[tuple[str, int], dict[str, Extension]] = {}


def get_config(which: str = "answer") -> ConfigDict:
    """Returns what all cells share."""
    del which
    return override(defaults(), EVERY)


def _noise(kind: str) -> Method:
    """Multiplicative noise of variance alpha at all hidden sites."""
    return Method(
        {"noise.kind": kind},
        ALPHAS,
        lambda alpha: {"noise.rates": (alpha / (1 + alpha),)},
        label="alpha (variance of the noise)",
        negligible=True,
    )


METHODS = {
    "none": Method(),
    "weight decay": Method(
        {},
        DECAYS,
        lambda decay: {"regularizer.weight_decay": decay},
        label="weight decay",
        negligible=True,
    ),
    "dropout": _noise("dropout"),
    "gaussian dropout": _noise("gaussian_dropout"),
    "variational dropout": Method(
        {"noise.kind": "variational_dropout", "noise.learned_input": False},
        KL_WEIGHTS,
        lambda weight: {"noise.kl_weight": weight},
        {f"log alpha {a:g}": {"noise.log_alpha_init": a} for a in (-5.0, -1.0)},
        label="weight of the KL",
        negligible=True,
    ),
}


def _cell(network: str, size: int) -> Cell:
    batch, epochs = LENGTHS[network, size]
    descriptive = size == 55_000 and network != "mlp"
    finals = tuple(seeds[:5] for seeds in FINALS) if descriptive else FINALS
    return Cell(
        {
            **NETWORKS[network],
            "data.train_size": size,
            "train.batch_size": batch,
            "train.epochs": epochs,
        },
        LEARNING_RATES[network],
        BASELINE_LEARNING_RATES[network],
        MORE_SEARCHES.get((network, size), SEARCHES),
        finals,
        CURVES,
        {"variational dropout": {"noise.kl_warmup_epochs": KL_WARMUP_SHARE * epochs}},
        EXTENDED.get((network, size), {}),
        margin=0.3 if size == 55_000 else 0.5,
        descriptive=descriptive,
    )


def protocol(which: str = "answer") -> Protocol:
    """Returns the comparison, or its pilot: a coarse grid on seeds of its own.

    Args:
      which: "answer" or "pilot".
    """
    cells = {f"{network}_{size}": _cell(network, size) for network, size in LENGTHS}
    if which == "answer":
        return Protocol(cells, METHODS, "none", Gate(GATE))
    if which != "pilot":
        raise UserError(f"protocol {which!r} does not exist: give answer or pilot")
    methods = {
        name: dataclasses.replace(method, strengths=method.strengths[::2])
        for name, method in METHODS.items()
    }
    coarse = {
        name: dataclasses.replace(
            cell,
            learning_rates=cell.learning_rates[1:4:2],
            searches=PILOT_SEARCHES,
            finals=PILOT_FINALS,
            curves=PILOT_CURVES,
            extended={},
        )
        for name, cell in cells.items()
    }
    return Protocol(coarse, methods, "none", Gate(PILOT_GATE))
