# SPDX-License-Identifier: Apache-2.0
"""A made-up study: plausible curves from a formula, and no training at all."""

import json

import numpy as np
import pytest

from dropout_jax.reports import load_study

# Effect on the final test accuracy in points, and how much of the gap noise closes.
EFFECTS = {
    "none": (0.0, 0.0),
    "weight_decay": (0.06, 0.2),
    "dropout": (0.45, 0.7),
    "gaussian_dropout": (0.38, 0.65),
    "variational_dropout": (-0.30, 0.4),
}
EPOCHS = 20


def synthetic_trial(arm, seed, status="done"):
    """One ledger line whose numbers follow from the arm and the seed alone."""
    effect, closing = EFFECTS.get(arm, (0.0, 0.0))
    shared = np.random.default_rng(seed).normal(0, 0.0015)  # what pairing removes
    own = np.random.default_rng([seed, sum(arm.encode())])
    accuracy = 0.9 + effect / 100 + shared + own.normal(0, 0.0008)
    epoch = np.arange(1, EPOCHS + 1)
    rise = 1 - np.exp(-epoch / (3 + 2 * closing))
    validation = 0.78 + (accuracy - 0.78) * rise + own.normal(0, 0.0012, EPOCHS)
    clean = validation + (1 - closing) * 0.06 * (epoch / EPOCHS)
    validation_loss = 0.62 - 0.33 * rise + (1 - closing) * 0.12 * (epoch / EPOCHS) ** 2
    clean_loss = 0.62 - 0.33 * rise - (1 - closing) * 0.15 * (epoch / EPOCHS)
    counts = np.round(10_000 * np.linspace(0.2, 1, 15) ** 6 / 3.2).astype(int)
    counts[:1] = 0  # of ten classes, the largest never has less than a tenth
    confidence = (np.arange(15) + 0.5) / 15
    right = np.clip(confidence - (1 - closing) * 0.12 * confidence, 0, 1)
    test = {
        "accuracy": round(accuracy, 4),
        "nll": 0.29 + (1 - closing) * 0.05 + own.normal(0, 0.003),
        "ece": 0.012 + (1 - closing) * 0.03 + own.normal(0, 0.001),
        "brier": 0.145 + own.normal(0, 0.001),
    }
    result = {
        "status": status,
        "best_epoch": 17,
        "epochs": EPOCHS,
        "test": test,
        "validation": test,
        "parameters": 269_322,
        "images_per_second": 41_000.0,
        "seconds": 900.0 if seed == 3 else 26.0 + seed,  # one was paused
    }
    if status != "done":
        result["test"] = result["validation"] = None
    noise = {"kind": arm, "rates": [0.2, 0.5]} if closing else {"kind": "none"}
    return {
        "trial": f"{arm}-{seed}",
        "study": "synthetic",
        "arm": arm,
        "seed": seed,
        "config": {
            "seed": seed,
            "model": {"name": "mlp", "widths": [256, 256]},
            "noise": noise,
            "optimizer": {"name": "adamw", "learning_rate": 0.001},
        },
        "result": result,
        "history": {
            "epoch": epoch.tolist(),
            "train_loss": (clean_loss + closing * 0.2).tolist(),
            "clean_train_loss": clean_loss.tolist(),
            "clean_train_accuracy": clean.tolist(),
            "validation_loss": validation_loss.tolist(),
            "validation_accuracy": validation.tolist(),
        },
        "reliability": {
            "confidence": confidence.tolist(),
            "accuracy": right.tolist(),
            "count": counts.tolist(),
        },
        "versions": {"jax": "0.10.2", "python": "3.11"},
        "device": "synthetic cpu",
    }


@pytest.fixture(scope="session")
def trial():
    """The maker of single ledger lines: `trial(arm, seed, status="done")`."""
    return synthetic_trial


@pytest.fixture(scope="session")
def ledger(tmp_path_factory):
    """Writes lines to a new ledger file; without any, 5 methods x 5 seeds."""

    def write(lines=None, seeds=5):
        if lines is None:
            lines = [synthetic_trial(a, s) for s in range(seeds) for a in EFFECTS]
        path = tmp_path_factory.mktemp("ledger") / "synthetic.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


@pytest.fixture(scope="session")
def study(ledger):
    """Builds a study from accuracies in percent: `study(none=[90, 91], dropout=...)`.

    The seed of a value is its place; None is a run that diverged, ... one that is not
    in the ledger.
    """

    def build(**accuracies):
        lines = []
        for arm, values in accuracies.items():
            for seed, value in enumerate(values):
                if value is ...:
                    continue
                status = "diverged" if value is None else "done"
                line = synthetic_trial(arm, seed, status)
                if value is not None:
                    line["result"]["test"]["accuracy"] = value / 100
                lines.append(line)
        return load_study(ledger(lines))

    return build
