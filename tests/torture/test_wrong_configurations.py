# SPDX-License-Identifier: Apache-2.0
"""Every field, wrong in every way: one line, exit code 2, nothing made, at once."""

import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import runs
from dropout_jax.config.schema import FIELDS

# What no field of a kind may be; text as it is typed.
NO_NUMBER = ("abc", "nan", "inf", "-inf", "None", "True", "1e999", "", "(1,)")
WRONG = {
    float: NO_NUMBER,
    int: (*NO_NUMBER, "1.5", "9" * 400),
    bool: ("2", "nan", "None", "maybe", ""),
}
WRONG_ENTRIES = ("abc", "nan", "(1,", "None", "True", "((0.1,),)", "{}")
# The answers of `train.py` as a whole, besides the fields.
OTHERS = [
    ["--config=no/such/file.py"],
    ["--config=README.md"],
    ["--config={broken}"],
    ["--config={raises}"],
    ["--config={empty}"],
    ["--config={list}"],
    ["--config.noise=3"],
    ["--config.nose.kind=dropout"],
    ["--config.noise.rate=0.5"],
    ["--config.noise.kind.deep=1"],
    ["--config.optimizer.learningrate=0.1"],
    ["--confg.seed=1"],
    ["--workdir"],
    ["--workdir=train.py"],
    ["--workdir=/proc/none"],
    ["--config.noise.kind=dropout"],
    ["--config.noise.rates=0.5"],
    ["--config.noise.kind=dropout", "--config.noise.rates=(.1,.2,.3,.4,.5)"],
    ["--config.noise.kind=gaussian_dropout", "--config.noise.rates=1"],
    ["--config.model.batch_norm=true"],
    ["--config.model.cell=gru"],
    ["--config.noise.kl_weight=0.5"],
    ["--config.noise.block=5"],
    ["--config.data.train_size=10", "--config.train.batch_size=20"],
    ["seed=3"],
    ["--config.plugin=no_such_module"],
]
FILES = {
    "broken": "def get_config(:\n",
    "raises": "raise RuntimeError('no')\n",
    "empty": "",
    "list": "def get_config(): return [1]\n",
}


def rows(tmp_path):
    """Returns the wrong command lines."""
    found = []
    for field in FIELDS:
        wrong = WRONG_ENTRIES if field.is_tuple else WRONG.get(field.of, ())
        if field.choices:
            wrong = ("no_such_name", f"{field.choices[-1]}x", "3")
        found += [[f"--config.{field.path}={value}"] for value in wrong]
    places = {}
    for name, content in FILES.items():
        places[name] = tmp_path / f"{name}.py"
        places[name].write_text(content)
    for row in OTHERS:
        for name, place in places.items():
            row = [arg.replace(f"{{{name}}}", str(place)) for arg in row]
        found.append(row)
    return found


def test_wrong_command_lines(tmp_path, amount, figure):
    table = rows(tmp_path)
    table = table[:: amount(8, 1)]

    def answer(numbered):
        number, row = numbered
        workdir = tmp_path / f"run_{number}"
        flags = (
            row
            if any("--workdir" in arg for arg in row)
            else [*row, f"--workdir={workdir}"]
        )
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "train.py", *flags],
            cwd=runs.ROOT,
            capture_output=True,
            text=True,
            timeout=runs.SECONDS,
            check=False,
        )
        seconds = time.perf_counter() - begun
        good = (
            done.returncode == 2
            and done.stderr.count("\n") == 1
            and done.stderr.startswith("error: ")
            and "Traceback" not in done.stdout
            and not workdir.exists()
        )
        return row, good, seconds, done.stderr

    with ThreadPoolExecutor(runs.AT_ONCE) as pool:
        found = list(pool.map(answer, enumerate(table)))
    bad = [(row, said) for row, good, _, said in found if not good]
    slowest = max(seconds for _, _, seconds, _ in found)
    figure(
        9,
        f"wrong command lines: every field in up to {max(map(len, WRONG.values()))} "
        "ways, and what else may be wrong",
        "at least 80: one line, exit code 2, no traceback, nothing made, under 1 s",
        f"{len(found) - len(bad)}/{len(found)}; the slowest of 2 at once took "
        f"{slowest:.1f} s",
    )
    assert not bad
    assert len(table) >= amount(1, 80) and math.isfinite(slowest)
