# SPDX-License-Identifier: Apache-2.0
"""Runs all benchmarks in order, each in a process of its own.

python -m benchmarks
python -m benchmarks --only=step_cost,memory
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.processes import ROOT

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


def main() -> int:
    """Returns the number of benchmarks that failed."""
    parser = argparse.ArgumentParser(description="Runs all benchmarks in order.")
    parser.add_argument(
        "--only", default=",".join(ORDER), help="comma-separated (%(default)s)"
    )
    failed = 0
    for name in parser.parse_args().only.split(","):
        print(f"== {name}", flush=True)
        started = time.monotonic()
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        failed += code != 0
        minutes = (time.monotonic() - started) / 60
        state = "done" if code == 0 else f"FAILED with exit code {code}"
        print(f"== {name}: {state}, {minutes:.1f} min", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
