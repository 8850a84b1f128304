# SPDX-License-Identifier: Apache-2.0
"""Every field, wrong in every way: one line, exit code 2, nothing made, at once."""

import os
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
    ["--config.model.widths=(" + "8," * 1000 + ")"],
    ["--config={pipe}"],
    ["--workdir={run}"],
    ["--workdir={run}", "--config.noise.rates=(.3,.3)"],
    ["--workdir={strangers}"],
    ["--workdir={linked}"],
]
# The same of what JAX has to be imported for, which alone takes longer.
LATER = [
    ["--config.data.name={pipe}"],
    ["--config.data.name={empty}"],
    ["--config.data.source_dir={strangers}"],
    ["--config.data.name=synthetic", "--config.train.batch_size=1000"],
    ["--config.plugin=os.path.no_such_module"],
    ["--config.plugin={raises}"],
]
FILES = {
    "broken": "def get_config(:\n",
    "raises": "raise RuntimeError('no')\n",
    "empty": "",
    "list": "def get_config(): return [1]\n",
}


def everything(place):
    """What is there, and beside train.py."""
    return {*place.rglob("*"), *runs.ROOT.glob("[!.]*")}


def places(tmp_path):
    """Makes what the command lines name, and returns where it is."""
    found = {}
    for name, content in FILES.items():
        found[name] = tmp_path / f"{name}.py"
        found[name].write_text(content)
    found["pipe"] = tmp_path / "pipe.npz"
    os.mkfifo(found["pipe"])
    for name in ("run", "strangers", "linked"):
        found[name] = tmp_path / name
        found[name].mkdir()
    # An old run of another seed, which had fewer fields.
    (found["run"] / "config.json").write_text('{"seed": 5}')
    (found["strangers"] / "thesis.tex").write_text("years of work")
    (found["linked"] / "config.json").symlink_to(found["run"] / "config.json")
    return found


def rows(tmp_path):
    """Returns the wrong command lines, and those that are answered later."""
    found = []
    for field in FIELDS:
        wrong = WRONG_ENTRIES if field.is_tuple else WRONG.get(field.of, ())
        if field.choices:
            wrong = ("no_such_name", f"{field.choices[-1]}x", "3")
        found += [[f"--config.{field.path}={value}"] for value in wrong]
    there = places(tmp_path)

    def filled(row):
        for name, place in there.items():
            row = [arg.replace(f"{{{name}}}", str(place)) for arg in row]
        return row

    return [*found, *map(filled, OTHERS)], list(map(filled, LATER))


def test_wrong_command_lines(tmp_path, amount, figure):
    table, later = rows(tmp_path)
    table, later = table[:: amount(8, 1)], later[:: amount(4, 1)]

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

    before = everything(tmp_path)
    with ThreadPoolExecutor(runs.AT_ONCE) as pool:
        found = list(pool.map(answer, enumerate([*table, *later])))
    bad = [(row, said) for row, good, _, said in found if not good]
    slowest, slowest_later = (
        max(seconds for _, _, seconds, _ in some)
        for some in (found[: len(table)], found[len(table) :])
    )
    figure(
        9,
        f"wrong command lines: every field in up to {max(map(len, WRONG.values()))} "
        "ways, and what else may be wrong",
        "at least 80: one line, exit code 2, no traceback, nothing made, under 1 s",
        f"{len(found) - len(bad)}/{len(found)}; 2 at once, the slowest took "
        f"{slowest:.1f} s; of {len(later)} that only the data, a plugin or the device "
        f"can refuse, once JAX is imported, {slowest_later:.1f} s",
    )
    assert not bad and everything(tmp_path) == before
    assert len(table) >= amount(1, 80)
    assert slowest < amount(10.0, 1.0)  # CI's machine may be busy
