# SPDX-License-Identifier: Apache-2.0
"""Short runs have the bits that they have on every other x86-64 processor.

Each machine on which this passes is one more witness. To write the digests anew, after
a change that is meant to change numbers: AMOUNT=golden python -m pytest tests/bits -k
golden
"""

import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from digests import CASES

GOLDEN = Path(__file__).with_name("golden.json")
SCRIPT = Path(__file__).with_name("digests.py")
QUICK = ("mlp-dropout-momentum", "cnn-gaussian-adamw", "gru-variational-momentum")
PROCESSORS = ("Haswell", "EPYC")  # of Intel and of AMD, with other caches
# The emulation knows AVX2 and no AVX-512. Of the CNN it cannot be had: under it XLA's
# compiler ends with a segmentation fault, on both processors.
CASES_TO_EMULATE = (
    "mlp-dropout-momentum",
    "gru-variational-momentum",
    "lstm-none-nesterov",
)
EMULATED = [(case, p) for case in CASES_TO_EMULATE for p in PROCESSORS]
TODAY = datetime.date.today().toordinal() % len(EMULATED)
VERSIONS = {
    n: importlib.metadata.version(n) for n in ("jax", "jaxlib", "flax", "optax")
}


def digests(cases, *, emulator=(), timeout=600):
    """Returns the digests of cases, computed by a process of its own."""
    done = subprocess.run(
        [*emulator, sys.executable, str(SCRIPT), *cases],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def expected(cases):
    """Returns the golden digests; of other versions what this machine computes."""
    golden = json.loads(GOLDEN.read_text())
    if golden["versions"] != VERSIONS:
        return digests(cases)
    return {case: golden["digests"][case] for case in cases}


def test_golden_digests():
    if os.environ.get("AMOUNT") == "golden":
        found = {"versions": VERSIONS, "digests": digests(CASES, timeout=3600)}
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert digests(QUICK) == expected(QUICK)


@pytest.mark.long
def test_golden_digests_of_all_cases():
    assert digests(CASES, timeout=3600) == expected(CASES)


@pytest.mark.emulated
@pytest.mark.parametrize(
    "case, processor",
    EMULATED if os.environ.get("AMOUNT") != "quick" else EMULATED[TODAY : TODAY + 1],
)
def test_on_another_processor(case, processor):
    emulator = ("qemu-x86_64", "-cpu", processor)
    found = digests([case], emulator=emulator, timeout=3600)
    assert found == expected([case])
