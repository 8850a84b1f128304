# SPDX-License-Identifier: Apache-2.0
"""Runs all benchmarks in order, each in a process of its own.

python -m benchmarks
python -m benchmarks --only=step_cost,memory
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time

from benchmarks.processes import ROOT
from dropout_jax.config.alike import hint
from dropout_jax.config.arguments import Parser
from dropout_jax.config.errors import UserError
from dropout_jax.config.guard import guarded
from dropout_jax.config.missing import missing

ORDER = (
    "transforms_alone",
    "step_cost",
    "optimisations",
    "training_speed",
    "trial_cost",
    "memory",
    "scaling",
    "startup",
    "study",
    "study_machinery",
)
PEERS = ("torch", "keras")


def main() -> int:
    """Returns 1 if a benchmark failed."""
    parser = Parser("python -m benchmarks", "Runs all benchmarks in order.")
    parser.add_argument(
        "--only", default=",".join(ORDER), help="comma-separated (%(default)s)"
    )
    names, failed = parser.parse_args().only.split(","), False
    for name in names:
        if name not in ORDER:
            raise UserError(
                f"--only: {name!r} is none of {', '.join(ORDER)}{hint(name, ORDER)}"
            )
    for peer in PEERS if len(names) == len(ORDER) else ():
        if importlib.util.find_spec(peer) is None:
            raise missing(peer, "a comparison with peers")
    for name in names:
        print(f"== {name}", flush=True)
        started = time.monotonic()
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        failed |= code != 0
        minutes = (time.monotonic() - started) / 60
        state = "done" if code == 0 else f"FAILED with exit code {code}"
        print(f"== {name}: {state}, {minutes:.1f} min", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(guarded(main))
