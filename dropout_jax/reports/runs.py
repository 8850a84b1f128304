# SPDX-License-Identifier: Apache-2.0
"""Every run of a study as data: for the page, and as a spreadsheet.

Test results of settings that were not chosen stay in the ledger: shown here, they
would be ranked.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dropout_jax.reports.command import command
from dropout_jax.reports.fields import differing_fields
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.study import Study
from dropout_jax.reports.trial import Trial

SERIES = (
    "validation_accuracy",
    "clean_train_accuracy",
    "validation_loss",
    "clean_train_loss",
)
# Numbers of curves on the page, all runs together: about 2 MB.
_POINTS = 300_000


# Columns of the metrics, with their units; accuracy in percent, as everywhere.
_UNITS = {
    "accuracy": "accuracy_percent",
    "nll": "nll_nats",
    "ece": "ece",
    "brier": "brier",
}


def revealed(selection: Selection) -> set[int]:
    """Identities of the runs whose test results may be shown."""
    return {id(trial) for trial in selection.study.trials}


def page_data(study: Study) -> dict[str, Any]:
    """What the page shows of a single run: its curves, configuration and command.

    Returns:
      "shared": fields that all runs have in common; "environments"; and "runs", each
      with its own fields, the number of its environment, its curves over at most so
      many epochs as keep the page small, and its command line.
    """
    own = differing_fields([trial.config for trial in study.trials])
    shared = {k: v for k, v in study.trials[0].config.items() if k not in own}
    most = max(8, _POINTS // (len(SERIES) * len(study.trials)))
    environments: dict[str, int] = {}
    runs = []
    for trial in study.trials:
        where = json.dumps(_environment(trial), sort_keys=True)
        runs.append(
            {
                "config": {name: trial.config.get(name) for name in own},
                "environment": environments.setdefault(where, len(environments)),
                "curves": _curves(trial, most),
                "command": command(trial),
            }
        )
    return {
        "shared": shared,
        "environments": [json.loads(where) for where in environments],
        "runs": runs,
    }


def _environment(trial: Trial) -> dict[str, str]:
    facts = dict(sorted(trial.versions.items()))
    return facts | {"device": trial.device, "data": trial.data_sha256}


def _curves(trial: Trial, most: int) -> dict[str, list[float | None]]:
    epochs = trial.history.get("epoch", [])
    if not epochs:
        return {}
    kept = np.unique(np.linspace(0, len(epochs) - 1, most).round().astype(int))
    found = {"epoch": [epochs[i] for i in kept]}
    for name in SERIES:
        if name in trial.history:
            values = [trial.history[name][i] for i in kept]
            found[name] = [round(v, 4) if math.isfinite(v) else None for v in values]
    return found


def run_columns(study: Study) -> list[str]:
    """Names of the columns of `run_values`."""
    return [
        "method",
        "seed",
        *study.knobs,
        "status",
        *(f"validation_{name}" for name in _UNITS.values()),
        *(f"test_{name}" for name in _UNITS.values()),
        "least_nll_epoch",
        *(f"least_nll_test_{name}" for name in _UNITS.values()),
        "seconds",
        "device",
        "trial",
    ]


def run_values(study: Study, trial: Trial, shown: bool) -> list[Any]:
    """One run for a spreadsheet, None where there is no value.

    Args:
      study: the study of the run.
      trial: the run.
      shown: whether its test results may be seen.
    """
    test = trial.test if shown else {}
    least = trial.sets.get("least_nll")
    return [
        trial.arm,
        trial.seed,
        *(json.dumps(trial.config[knob]) for knob in study.knobs),
        trial.status,
        *_in_units(trial.validation),
        *_in_units(test),
        least.epoch if least else None,
        *_in_units(least.test if least and shown else {}),
        trial.seconds,
        trial.device,
        trial.id,
    ]


def _in_units(metrics: Mapping[str, float]) -> list[float | None]:
    found: list[float | None] = [metrics.get(metric) for metric in _UNITS]
    if found[0] is not None:
        found[0] = round(100 * found[0], 9)
    return found
