# SPDX-License-Identifier: Apache-2.0
"""From the start of `python train.py` to its first step: a first time, and again.

python -m benchmarks.startup --models=mlp,cnn --rounds=3

The second start finds what the first one compiled in the cache.
"""

from __future__ import annotations

import functools
import importlib
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import measure, processes
from dropout_jax.config.guard import guarded

NAME = "startup"
CONFIGS = ("mlp", "cnn", "rnn")
# What a cached load reads, and what it would read without that.
STORES = ("builder", "arrays")


def start(config: str, cache: Path) -> float:
    """Returns the seconds from the start of a run to the end of its first step.

    Args:
      config: name of the file in configs/.
      cache: of the compiler.
    """
    # A single batch: progress is shown for the first time after one step.
    size = importlib.import_module(f"configs.{config}").get_config().train.batch_size
    with tempfile.TemporaryDirectory() as directory:
        arguments = [
            *("-m", "benchmarks.first_step", str(time.monotonic())),
            f"--config=configs/{config}.py",
            "--config.train.epochs=1",
            f"--config.data.train_size={size}",
            f"--workdir={directory}/run",
        ]
        return float(processes.run(arguments, cache=cache)[1])


def sides_of(config: str, directory: str) -> dict[str, measure.Side]:
    """Returns a first start and a second one; each round has a new cache.

    Args:
      config: name of the file in configs/.
      directory: where the caches are.
    """
    caches: list[Path] = []

    def first() -> float:
        caches.append(Path(tempfile.mkdtemp(dir=directory)))
        return start(config, caches[-1])

    def second() -> float:
        return start(config, caches[-1])

    return {"first": first, "second": second}


def load(store: str) -> float:
    """Returns the seconds of a process that reads the prepared data, and no more.

    Args:
      store: the module of `dropout_jax.data` that reads it.
    """
    code = (
        f"from dropout_jax.data import cache, {store}\n"
        f"{store}.read(cache.directory() / {processes.DATA!r})"
    )
    return processes.run(["-c", code])[0]


def main() -> None:
    """Measures all configs and writes the table."""
    option = measure.names(CONFIGS)
    flags = measure.arguments(__doc__, 5, [("--models", option)])
    costs: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        sides = {"import": lambda: processes.run(["-c", "import jax"])[0]}
        sides |= {store: functools.partial(load, store) for store in STORES}
        costs |= measure.alternate(sides, flags.rounds, label="import and data:")
        for config in flags.models:
            sides = sides_of(config, directory)
            found = measure.alternate(sides, flags.rounds, warmup=0, label=config)
            costs |= {f"{config} {name}": seconds for name, seconds in found.items()}
    titles = {"import": '`python -c "import jax"`'}
    titles["builder"] = "the data, read from the records of TFDS"
    titles["arrays"] = "the data, read from the plain arrays, as a run does"
    for config in flags.models:
        command = f"`train.py --config=configs/{config}.py`"
        titles[f"{config} first"] = f"{command}, empty cache"
        titles[f"{config} second"] = f"{command}, again"
    rows = [
        [
            title,
            measure.seconds(costs[name]),
            str(measure.ratio(costs[name], costs["import"])),
        ]
        for name, title in titles.items()
    ]
    measure.write(
        NAME,
        "Start-up",
        measure.command(NAME),
        f"Seconds from the start of the process, median of {flags.rounds} rounds with "
        "its range: until the end for import and data, until the end of the first "
        "training step for a run.",
        ["command", "seconds (range)", "times the import (range)"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
