# SPDX-License-Identifier: Apache-2.0
"""Does dropout help with little data? Eight settings on 5,000 training images.

python experiments/small_data.py --seeds=5 --ledger=results/small_data.jsonl
"""

import sys

import conduct
from absl import flags

from dropout_jax.config.loading import load_module

CONFIG = "configs/small_data.py"
STUDY = load_module(conduct.ROOT / CONFIG)


def define(flag_values: flags.FlagValues) -> None:
    """Defines the flags of this experiment."""
    conduct.define_seeds(flag_values, 3)
    conduct.define_ledger(flag_values)


def run(flag_values: flags.FlagValues) -> None:
    """Runs the arms and reports them."""
    conduct.conduct(
        flag_values,
        "small_data",
        STUDY.sweep(flag_values.seeds),
        title="5,000 training images: MLP 512-512 on Fashion-MNIST",
        baseline=STUDY.BASELINE,
    )


if __name__ == "__main__":
    sys.exit(
        conduct.main(run, __doc__, CONFIG, workdir="runs/small_data", define=define)
    )
