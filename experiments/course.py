# SPDX-License-Identifier: Apache-2.0
"""Does dropout help in the course's own experiment? Ten seeds beside single runs.

python experiments/course.py --seeds=10 --ledger=results/course.jsonl
"""

import sys

import conduct
from absl import flags

from dropout_jax.config.loading import load_module

CONFIG = "configs/course.py"
STUDY = load_module(conduct.ROOT / CONFIG)


def define(flag_values: flags.FlagValues) -> None:
    """Defines the flags of this experiment."""
    conduct.define_seeds(flag_values, 3)
    conduct.define_ledger(flag_values)


def run(flag_values: flags.FlagValues) -> None:
    """Runs the arms and reports them beside the published numbers."""
    published = [f"{arm}: published {text} %." for arm, text in STUDY.PUBLISHED.items()]
    conduct.conduct(
        flag_values,
        "course",
        STUDY.sweep(flag_values.seeds),
        title="The course experiment: MLP 256-256, SGD at learning rate 0.5",
        baseline=STUDY.BASELINE,
        notes=(*STUDY.NOTES, *published),
    )


if __name__ == "__main__":
    sys.exit(conduct.main(run, __doc__, CONFIG, workdir="runs/course", define=define))
