# SPDX-License-Identifier: Apache-2.0
"""Our side of the study: plans trials, runs them, prints their test accuracies.

python -m benchmarks.ours_study --trials=16 --epochs=10 --workdir=/tmp/study
"""

from __future__ import annotations

import argparse
import json
import sys

from dropout_jax.config.guard import guarded

TRIAL_RATES = (0.1, 0.2, 0.35, 0.5)


def trials_of(count: int) -> list[tuple[float, int]]:
    """Returns (rate, seed) of each trial: all rates for a seed, then the next seed."""
    return [(TRIAL_RATES[i % 4], i // 4) for i in range(count)]


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Returns the flags that both sides of the study have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=16, help="(%(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="(%(default)s)")
    return parser


def main() -> None:
    """Runs the study in `--workdir`, start-up and compilation included."""
    parser = arguments(__doc__)
    parser.add_argument("--workdir", required=True)
    flags = parser.parse_args()

    from dropout_jax import sweeps
    from dropout_jax.config import defaults
    from dropout_jax.config.loading import override
    from dropout_jax.sweeps.local import default_workers

    base = override(
        defaults(),
        {
            "model.widths": (256, 256),
            "noise.kind": "dropout",
            "optimizer.schedule": "constant",
            "train.batch_size": 256,
            "train.epochs": flags.epochs,
        },
    )
    sweep = [
        {"arm": f"rate {rate}", "noise.rates": (rate,), "seed": seed}
        for rate, seed in trials_of(flags.trials)
    ]
    trials = sweeps.plan("study", base, sweep)
    study = sweeps.StudyDirectory(flags.workdir)
    study.extend(trials)
    if not sweeps.run_local(study, trials, workers=default_workers()):
        raise SystemExit("not all trials came to their end")
    lines = study.ledger.by_trial()
    print(json.dumps([lines[t.id]["result"]["test"]["accuracy"] for t in trials]))


if __name__ == "__main__":
    sys.exit(guarded(main))
