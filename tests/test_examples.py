# SPDX-License-Identifier: Apache-2.0
"""The programs under examples/ run as a reader would run them, and say something."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAYS = {
    "plain_jax.py": "rate 0.8: norm of the weights",
    "own_model.py": "logits (4, 10)",
    "own_transform.py": "expected 2.000",
}


def test_all_examples_are_here():
    assert {p.name for p in (ROOT / "examples").glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_example(name):
    done = subprocess.run(
        [sys.executable, "-W", "error", f"examples/{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        },
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[name] in done.stdout
