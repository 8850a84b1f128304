# SPDX-License-Identifier: Apache-2.0
"""One study of `trial_cost`: plans trials of a cell and runs them in one worker.

python -m benchmarks.trial_cost_study --model=mlp --size=1000 --workdir=/tmp/s
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.trial_cost import CLOCKS, MODELS, SIZES, Cell
from dropout_jax import sweeps
from dropout_jax.config.guard import guarded

RATES = (0.1, 0.2, 0.35, 0.5)


def main() -> None:
    """Runs the study in `--workdir`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--size", type=int, choices=SIZES, required=True)
    parser.add_argument("--trials", type=int, default=40, help="(%(default)s)")
    parser.add_argument("--epochs", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--workdir", required=True)
    flags = parser.parse_args()
    base = Cell(flags.model, flags.size, flags.epochs, CLOCKS["wall"]).config()
    sweep = [
        {"arm": f"rate {rate}", "noise.rates": (rate,), "seed": number // len(RATES)}
        for number, rate in zip(range(flags.trials), RATES * flags.trials, strict=False)
    ]
    trials = sweeps.plan("trial_cost", base, sweep)
    study = sweeps.StudyDirectory(flags.workdir)
    study.extend(trials)
    if not sweeps.run_local(study, trials, workers=1):
        raise SystemExit("not all trials came to their end")


if __name__ == "__main__":
    sys.exit(guarded(main))
