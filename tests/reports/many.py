# SPDX-License-Identifier: Apache-2.0
"""A made-up ledger of 1,000 trials: a real line with other seeds, rates and decays.

python tests/reports/many.py many.jsonl
"""

import copy
import json
import sys
from pathlib import Path

import numpy as np

from dropout_jax.config import config_id, defaults
from dropout_jax.config.flat import flat
from dropout_jax.config.loading import override

LEDGER = Path(__file__).parents[2] / "results" / "small_data.jsonl"
KNOBS = ("noise.rates", "regularizer.weight_decay")
RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
DECAYS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
# How much the best setting gains, in points, and at which rate.
ARMS = {"dropout": (0.8, 0.2), "gaussian dropout": (0.6, 0.4)}
BEST_DECAY = 0.1
# The methods' names in the ledger.
REAL = {arm: f"{arm} .2" for arm in ARMS}


def many():
    """Yields 1,000 lines: none, and two methods over 7 rates, 7 decays, 10 seeds."""
    with LEDGER.open() as file:
        real = {line["arm"]: line for line in map(json.loads, file)}
    for seed in range(20):
        yield _line(real, "none", seed, {}, 0.0)
    for arm, (gain, best) in ARMS.items():
        for rate in RATES:
            for decay in DECAYS:
                distance = 8 * (rate - best) ** 2 + 2 * (decay - BEST_DECAY) ** 2
                fields = {"noise.rates": (rate,), "regularizer.weight_decay": decay}
                for seed in range(10):
                    yield _line(real, arm, seed, fields, gain - distance)


def _line(real, arm, seed, fields, gain):
    line = copy.deepcopy(real[REAL.get(arm, arm)])
    config = override(defaults(), flat(line["config"]) | fields | {"seed": seed})
    shared = np.random.default_rng(seed).normal(0, 0.15)
    own = np.random.default_rng([seed, int(config_id(config)[:8], 16)])
    line |= {"study": "many", "arm": arm, "seed": seed, "trial": config_id(config)}
    for path, value in (fields | {"seed": seed}).items():
        *groups, last = path.split(".")
        place = line["config"]
        for group in groups:
            place = place[group]
        place[last] = list(value) if isinstance(value, tuple) else value
    for part in ("test", "validation"):
        points = gain + shared + own.normal(0, 0.12)
        line["result"][part]["accuracy"] = round(0.9 + points / 100, 4)
    for name, values in line["history"].items():
        if name != "epoch":
            noise = own.normal(0, 0.002, len(values))
            line["history"][name] = [
                round(v + n, 5) for v, n in zip(values, noise, strict=True)
            ]
    line["result"]["seconds"] = round(40 + 25 * (gain + 3) + own.normal(0, 2), 3)
    return line


def write(path):
    """Writes the ledger."""
    path.write_text("".join(json.dumps(line) + "\n" for line in many()))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
