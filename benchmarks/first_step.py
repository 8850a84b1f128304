# SPDX-License-Identifier: Apache-2.0
"""Runs `train.py` and prints, last, the seconds until its first training step was done.

python -m benchmarks.first_step STARTED --config=configs/mlp.py --workdir=runs/a

STARTED is `time.monotonic()`, which processes share, when this one was asked for.
"""

from __future__ import annotations

import runpy
import sys
import time

from benchmarks.processes import ROOT


def main() -> None:
    """Trains, and takes the time when progress is shown for the first time."""
    started, sys.argv = float(sys.argv[1]), ["train.py", *sys.argv[2:]]
    # What train.py imports anyway, a moment earlier.
    from dropout_jax.training import progress

    found: list[float] = []
    show = progress.TerminalProgress.advance

    def advance(*arguments) -> None:
        found.append(time.monotonic() - started)
        show(*arguments)

    progress.TerminalProgress.advance = advance
    try:
        runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    print(found[0])


if __name__ == "__main__":
    main()
