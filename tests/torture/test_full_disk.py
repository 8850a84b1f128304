# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, for real: a small tmpfs, filled at a random moment."""

import collections
import contextlib
import os
import random
import re
import subprocess
import sys
import threading
import time

import pytest

import runs
import studies
from dropout_jax.sweeps import StudyDirectory

ROOMS = ("checkpoints", "tensorboard", "claims", "failures", "workers", "report")
MEGABYTES = 32  # of which a report takes 8
CONFIG = """
from benchmarks import disturbed
from dropout_jax.config import defaults
from dropout_jax.config.loading import override

def get_config():
    fields = {**disturbed.TINY, "train.epochs": 4, "noise.rates": (0.1,)}
    return override(defaults(), fields)

def sweep():
    yield {"arm": "a", "noise.rates": (0.2,)}
    yield {"arm": "b", "noise.rates": (0.4,)}
"""


@pytest.fixture
def disk(tmp_path):
    """A file system of some megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
    subprocess.run(["mount", *options], check=True, timeout=60)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=60)


@contextlib.contextmanager
def filled(disk, delay, spare):
    """Leaves `spare` bytes of the disk free from some seconds on, until the end."""
    over = threading.Event()

    def fill():
        over.wait(delay)
        with (disk / "filler").open("ab", buffering=0) as file:
            while not over.wait(0.001):
                status = os.statvfs(disk)
                size = status.f_bavail * status.f_frsize - spare
                with contextlib.suppress(OSError):
                    file.write(b"\0" * max(0, size))

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=60)
        (disk / "filler").unlink(missing_ok=True)


# A disk that fills up right after the look at it, again and again.
SAVES = """
import contextlib, shutil, sys, time, types
from pathlib import Path
import jax, jax.numpy as jnp
from dropout_jax.config import UserError
from dropout_jax.training import checkpoints

kinds = (jnp.float32, jnp.int32, jnp.bfloat16, jnp.float16, jnp.uint32)
normals = jax.random.normal(jax.random.key(0), (450_000,))
tree = {f"a{i}": normals.astype(kind) for i, kind in enumerate(kinds)}
room = types.SimpleNamespace(free=2**40)
checkpoints.shutil = types.SimpleNamespace(
    disk_usage=lambda place: room, rmtree=shutil.rmtree)
if sys.argv[2] == "heard":
    checkpoints._unheard_threads = contextlib.nullcontext
checkpoints.quiet()
(place := Path(sys.argv[1])).mkdir()
with (place.parent / "filler").open("wb") as file:
    file.write(bytes(shutil.disk_usage(place).free - 2_000_000))
for step in range(10):
    try:
        checkpoints.save(place, step, tree, {})
        sys.exit("it had room")
    except UserError as error:
        print(error)
    assert not list(place.iterdir())
"""


def leftovers(directory):
    return [p for p in directory.rglob("*") if "tmp" in p.name]


def wrong_with(code, out, err):
    """What is wrong with how a command told that the disk is full."""
    found = [] if code == 2 else [f"exit code {code}"]
    if "Traceback" in out + err or len(err.strip().splitlines()) != 1:
        found.append(f"said {err!r}")
    elif not re.search(r"/\S+ cannot be written .*[\d,]+ bytes", err):
        found.append(f"names no path or bytes: {err!r}")
    return found


def met(err):
    """Which file had no room, by what a command said."""
    path = re.search(r"(/\S+) cannot be written", err)
    parts = path[1].split("/") if path else ["nothing"]
    return next((part for part in parts if part in ROOMS), parts[-1])


def listed(counts):
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def test_a_run_on_a_full_disk(tmp_path, disk, environment, amount, figure):
    fields = {**runs.fields_of("mlp", "dropout"), "train.epochs": 4}
    runs.train(tmp_path / "whole", fields, environment)  # and compiles
    begun = time.monotonic()
    runs.train(tmp_path / "again", fields, environment)
    seconds, same = time.monotonic() - begun, runs.digests(tmp_path / "whole")
    count, full, wrong = amount(4, 20), collections.Counter(), []
    for number in range(count):
        chance, workdir = random.Random(number), disk / f"run_{number}"
        delay = chance.uniform(0.0, seconds)
        spare = chance.choice((0, 2_000, 100_000, 500_000))
        if number % 2:  # one checkpoint, at the end: it is the other files that meet it
            fields, spare = {**fields, "train.checkpoint_seconds": 86400.0}, 0
        else:
            fields = {**fields, "train.checkpoint_seconds": 0.0}
        with filled(disk, delay, spare):
            code, out, err = runs.finish(runs.start(workdir, fields, environment))
        if code:
            wrong += wrong_with(code, out, err)
            wrong += leftovers(workdir)
            full[met(err)] += 1
        kept = runs.kept(workdir)
        out = runs.train(workdir, fields, environment)
        if not runs.goes_on(out, kept):
            wrong.append(f"did not go on from step {kept}: {out}")
        if runs.digests(workdir) != same:
            wrong.append(f"other bits after {err!r}")
        subprocess.run(["rm", "-r", str(workdir)], check=True, timeout=60)
    figure(
        "6a",
        f"a tmpfs of {MEGABYTES} MB filled at a random moment of a run",
        "one line with path and bytes, nothing half-written, the same bits once there "
        "is room",
        f"{full.total()} of {count} runs met the full disk ({listed(full)}); "
        f"{len(wrong)} complaints",
    )
    assert not wrong, "\n".join(map(str, wrong))
    assert full.total() >= count // 3


def test_threads_of_a_failed_save_are_not_heard(disk, environment):
    """Those of TensorStore come back to an event loop that Orbax has closed."""
    for which in ("unheard", "heard"):
        done = subprocess.run(
            [sys.executable, "-c", SAVES, str(disk / which), which],
            cwd=runs.ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=runs.SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("cannot be written (No space left") == 10
        assert ("Event loop is closed" in done.stderr) == (which == "heard")
        assert done.stderr == "" or which == "heard"


def test_a_study_on_a_full_disk(tmp_path, disk, environment, amount, figure):
    config = tmp_path / "tiny.py"
    config.write_text(CONFIG)

    def command(study):
        flags = [f"--config={config}", f"--study={study}", "--workers=1", "--seeds=2"]
        return subprocess.Popen(
            [sys.executable, "-m", "dropout_jax.sweeps", "run", *flags],
            cwd=runs.ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    begun = time.monotonic()
    code, _, err = runs.finish(command(tmp_path / "whole"))
    assert code == 0, err
    seconds, same = (
        time.monotonic() - begun,
        studies.results(StudyDirectory(tmp_path / "whole")),
    )
    count, full, wrong = amount(3, 12), collections.Counter(), []
    for number in range(count):
        chance, place = random.Random(number), disk / f"study_{number}"
        delay = 0.0 if number == 0 else chance.uniform(0.0, seconds)
        with filled(disk, delay, chance.choice((0, 500, 20_000))):
            code, out, err = runs.finish(command(place))
        if code:
            wrong += wrong_with(code, out, err)
            wrong += leftovers(place) if place.exists() else []
            full[met(err)] += 1
        code, out, err = runs.finish(command(place))
        if code or studies.results(StudyDirectory(place)) != same:
            wrong.append(f"other results: {out}{err}")
        subprocess.run(["rm", "-r", str(place)], check=True, timeout=60)
    figure(
        "6b",
        "the same to a study: plan, claims, heartbeats, results, report",
        "as 6a",
        f"{full.total()} of {count} studies met the full disk ({listed(full)}); "
        f"{len(wrong)} complaints",
    )
    assert not wrong, "\n".join(map(str, wrong))
    assert full.total() >= count // 3
