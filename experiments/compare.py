# SPDX-License-Identifier: Apache-2.0
"""Which method wins? The methods of configs/compare.py, one model, several seeds.

python experiments/compare.py --model=mlp --seeds=3 --config.train.epochs=10
python experiments/compare.py --model=cnn --methods=none,dropout
"""

import sys

import conduct
from absl import flags

from dropout_jax.config.loading import load_module

CONFIG = "configs/compare.py"
METHODS = load_module(conduct.ROOT / CONFIG)


def define(flag_values: flags.FlagValues) -> None:
    """Defines the flags of this experiment."""
    conduct.define_model(flag_values, METHODS.BASE)
    conduct.define_seeds(flag_values, 3)
    flags.DEFINE_list(
        "methods",
        [],
        "Only these, e.g. none,dropout; when left out, all.",
        flag_values=flag_values,
    )
    conduct.define_ledger(flag_values)


def run(flag_values: flags.FlagValues) -> None:
    """Compares the methods."""
    model, config = flag_values.model, flag_values.config
    notes = [*METHODS.notes(model)]
    if config != METHODS.get_config(model):
        notes.append(
            "This comparison changes what the methods share, for which their settings "
            f"were chosen, and ran {config.train.epochs} epochs."
        )
    conduct.conduct(
        flag_values,
        f"compare_{model}",
        METHODS.sweep(model, flag_values.seeds, flag_values.methods),
        title=f"Which regularisation wins? {METHODS.title(model)} on Fashion-MNIST",
        baseline=METHODS.BASELINE,
        notes=notes,
        search_budget=METHODS.budget(model),
    )


if __name__ == "__main__":
    config = conduct.config_of_model(CONFIG, METHODS.BASE)
    sys.exit(conduct.main(run, __doc__, config, workdir="runs/compare", define=define))
