# SPDX-License-Identifier: Apache-2.0
"""What gives the same bits and what does not: as docs/reproducibility.md has it.

On a GPU, `pytest -m torture -s` of this file asks that page's table for GPUs; it needs
XLA_PYTHON_CLIENT_PREALLOCATE=false, for several processes share the GPU.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np

import runs

PAGE = runs.ROOT / "docs" / "reproducibility.md"
MATRIX = Path(__file__).with_name("matrix.py")
NETWORKS = ("mlp", "cnn", "rnn")
ALL = list(range(1, 21))
DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
# By what is changed: how it is run, environment, command before it. Everything is
# compared with the first.
WAYS = {
    "reference": ({}, {}, []),
    "a new process, another hash seed": ({}, {"PYTHONHASHSEED": "17"}, []),
    "chunks of 20 steps": ({"chunks": [20]}, {}, []),
    "chunks of 7 steps": ({"chunks": [7, 14, 20]}, {}, []),
    "stopped and resumed at step 9": ({"resume": 9}, {}, []),
    "one thread for two": ({}, {}, ["taskset", "--cpu-list", "0"]),
    "4 trials taking turns": ({"lanes": 4, "turns": True}, {}, []),
    "2 trials together (vmap)": ({"lanes": 2}, {}, []),
    "4 trials together (vmap)": ({"lanes": 4}, {}, []),
    "4 devices, one of them used": ({}, DEVICES, []),
    "a batch spread over 4 devices": ({"devices": 4}, DEVICES, []),
}
# What is about cores and host devices, and says nothing of a GPU.
ON_CPU = jax.default_backend() == "cpu"
HOST = (
    "one thread for two",
    "4 devices, one of them used",
    "a batch spread over 4 devices",
)
# XLA's products on a GPU round their factors to the ten bits of TF32.
RTOL = 1e-5 if ON_CPU else 1e-2
OTHER_SEED = "another seed"
_ROW = re.compile(r"^\| (.+?) \| (\S.*?) \| (\S.*?) \| (\S.*?) \|$", re.MULTILINE)


def promised():
    """The table of the page: by way, a cell per network."""
    name = "matrix" if ON_CPU else "matrix of a GPU"
    section = PAGE.read_text().partition(f"<!-- {name} -->")[2]
    section = section.partition(f"<!-- /{name} -->")[0]
    rows = {row[0]: row[1:] for row in _ROW.findall(section)}
    return {
        way: dict(zip(NETWORKS, rows[way], strict=True)) for way in WAYS if way in rows
    }


def measure(network, way, environment):
    fields, changed, before = {**WAYS, OTHER_SEED: ({"seed": 8}, {}, [])}[way]
    # Ways of one program share it; a new process compiles it once more.
    cached = "false" if "new process" in way else "true"
    environment = {**environment, "JAX_ENABLE_COMPILATION_CACHE": cached, **changed}
    done = subprocess.run(
        [
            *before,
            sys.executable,
            str(MATRIX),
            json.dumps({"network": network, **fields}),
        ],
        cwd=runs.ROOT,
        env={**environment, "PYTHONPATH": str(runs.ROOT)},
        capture_output=True,
        text=True,
        timeout=runs.SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def compared(found, reference):
    if found["sha256"] == reference["sha256"]:
        return "equal"
    pair = [np.asarray(x["parameters"]) for x in (found, reference)]
    return f"to {np.abs(pair[0] - pair[1]).max():.0e}"


def test_what_is_equal_stays_equal(environment, figure):
    ways = [way for way in WAYS if ON_CPU or way not in HOST]
    cells = [(network, way) for way in ways for network in NETWORKS]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        measured = pool.map(lambda cell: measure(*cell, environment), cells)
        found = dict(zip(cells, measured, strict=True))
    table = {
        way: {n: compared(found[n, way], found[n, "reference"]) for n in NETWORKS}
        for way in ways
        if way != "reference"
    }
    lines = [f"| {way} | {' | '.join(row.values())} |" for way, row in table.items()]
    print("\n" + "\n".join(lines))
    wanted = promised()
    assert wanted.keys() == table.keys()
    lost = [
        (way, network, table[way][network])
        for way, row in wanted.items()
        for network, cell in row.items()
        if cell == "equal" and table[way][network] != "equal"
    ]
    equal = sum(cell == "equal" for row in table.values() for cell in row.values())
    figure(
        11,
        f"determinism: {len(table)} ways to run 20 steps, 3 networks",
        "equal wherever docs/reproducibility.md says so",
        f"{equal} of {3 * len(table)} cells equal, {len(lost)} lost",
    )
    assert not lost
    # Whatever differs does so by rounding.
    for network, way in cells:
        np.testing.assert_allclose(
            found[network, way]["losses"][-1],
            found[network, "reference"]["losses"][-1],
            rtol=RTOL,
        )
    # It is a matrix that can tell: another seed is another number.
    for network in NETWORKS:
        other = measure(network, OTHER_SEED, environment)
        assert compared(other, found[network, "reference"]) != "equal"
