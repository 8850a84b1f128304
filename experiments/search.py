# SPDX-License-Identifier: Apache-2.0
"""Chooses each method's hyperparameters on validation, from equally many candidates.

python experiments/search.py --model=mlp --ledger=results/search_mlp.jsonl

The candidates stand in configs/compare.py; the winners are entered there by hand,
and a test holds the two together. The test set is not looked at.
"""

import sys
from collections.abc import Mapping
from typing import Any

import conduct
from absl import flags
from rich.console import Console
from rich.table import Table

from dropout_jax.config.loading import load_module

CONFIG = "configs/compare.py"
METHODS = load_module(conduct.ROOT / CONFIG)


def define(flag_values: flags.FlagValues) -> None:
    """Defines the flags of this experiment."""
    conduct.define_model(flag_values, METHODS.CANDIDATES)
    conduct.define_ledger(flag_values)


def run(flag_values: flags.FlagValues) -> None:
    """Runs the candidates and prints them, the best of each method marked."""
    from dropout_jax import sweeps

    model = flag_values.model
    trials = sweeps.plan(f"search_{model}", flag_values.config, METHODS.search(model))
    study = sweeps.StudyDirectory(flag_values.workdir, flag_values.ledger)
    study.extend(trials, test=False)
    sweeps.work(study, trials, minutes=flag_values.minutes)
    known = study.ledger.by_trial()
    accuracy = {
        trial.arm: _validation(known[trial.id]["result"])
        for trial in trials
        if trial.id in known
    }
    _show(accuracy, METHODS.CANDIDATES[model])


def _validation(result: Mapping[str, Any]) -> float:
    return result.get("validation", {}).get("accuracy", float("-inf"))


def _show(accuracy: Mapping[str, float], candidates: Mapping[str, Any]) -> None:
    table = Table("method", "candidate", "validation accuracy", "")
    for method, tried in candidates.items():
        names = [f"{method} #{number}" for number in range(len(tried))]
        best = max(names, key=lambda name: accuracy.get(name, float("-inf")))
        for name, fields in zip(names, tried, strict=True):
            if name in accuracy:
                settings = ", ".join(
                    f"{field.rpartition('.')[2]}={value}"
                    for field, value in fields.items()
                    if field != "noise.kind"
                )
                mark = "chosen" if name == best else ""
                table.add_row(method, settings, f"{100 * accuracy[name]:.2f} %", mark)
    Console().print(table)


if __name__ == "__main__":
    config = conduct.config_of_model(CONFIG, METHODS.CANDIDATES, "search_")
    sys.exit(conduct.main(run, __doc__, config, workdir="runs/search", define=define))
