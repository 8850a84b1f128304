# SPDX-License-Identifier: Apache-2.0
"""Damage to a checkpoint is never silent; Orbax alone beside it."""

import functools
import json
import multiprocessing
import os
import random
import shutil
import signal
from concurrent.futures import ProcessPoolExecutor

import orbax.checkpoint as ocp
import pytest

import runs
from dropout_jax import training
from dropout_jax.config import Interrupted, defaults
from dropout_jax.config.loading import override
from dropout_jax.training import checkpoints, loop, packing
from dropout_jax.training.prepare import prepare

FIELDS = {
    "data.name": "synthetic",
    "data.train_size": 96,
    "model.widths": (8,),
    "noise.kind": "dropout",
    "noise.rates": (0.2,),
    "train.epochs": 3,
    "train.batch_size": 32,
    "train.checkpoint_seconds": 0.0,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The checkpoints of an interrupted run, and how to restore them."""

    class Stopping(training.TerminalProgress):
        def advance(self, step, *speed):
            if step > 6:
                os.kill(os.getpid(), signal.SIGINT)

        def note(self, message):
            pass

    config = override(defaults(), FIELDS)
    workdir = tmp_path_factory.mktemp("saved") / "run"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(loop, "CHUNK_SECONDS", 0.0)
        training.run(config, workdir, progress=Stopping())
    return workdir / "checkpoints", shapes()


@functools.cache
def shapes():
    """What a checkpoint of these fields holds."""
    return checkpoints.shapes(prepare(override(defaults(), FIELDS)).abstract, 1)


def steps(directory):
    return sorted(int(p.name) for p in directory.iterdir())


def files(directory):
    return sorted(p for p in directory.rglob("*") if p.is_file())


def flip(path, chance):
    """Turns one bit around; each of the directory is as likely."""
    sizes = [file.stat().st_size for file in files(path)]
    (file,) = chance.choices(files(path), sizes)
    raw = bytearray(file.read_bytes())
    place = chance.randrange(8 * len(raw))
    raw[place // 8] ^= 1 << place % 8
    file.write_bytes(raw)


def cut(path, chance):
    """Shortens one file."""
    (file,) = chance.choices([file for file in files(path) if file.stat().st_size])
    file.write_bytes(file.read_bytes()[: chance.randrange(file.stat().st_size)])


def one_by_one(path):
    """Returns a damage for each file: deleted, emptied."""
    names = [file.relative_to(path) for file in files(path)]
    deleted = [lambda p, _, n=name: (p / n).unlink() for name in names]
    emptied = [
        lambda p, _, n=name: (p / n).write_bytes(b"")
        for name in names
        if (path / name).stat().st_size
    ]
    return deleted + emptied


def outcome(directory, abstract, newest, older):
    """What restoring gives: "older", "newest" (the damage is silent) or an error."""
    notes = []
    tree, _ = checkpoints.restore(directory, abstract, notes.append)
    digest = checkpoints.sha256_of_tree(tree)
    if digest == older and len(notes) == 1 and f"{steps(directory)[-1]}" in notes[0]:
        return "older"
    return "newest" if digest == newest else "silent"


def restored_alone(path):
    """The tree as Orbax restores it, whatever the manifest says."""
    with ocp.StandardCheckpointer() as checkpointer:
        host = json.loads((path / checkpoints.MANIFEST).read_text())["host"]
        vectors = checkpointer.restore(path, packing.empty(shapes()(host)))
    return packing.unpack(vectors, shapes()(host))


def alone(path, newest):
    """What Orbax by itself gives."""
    try:
        tree = restored_alone(path)
    except Exception:  # whatever it raises: it noticed
        return "noticed"
    same = checkpoints.sha256_of_tree(tree) == newest
    return "harmless" if same else "silent"


def test_no_damage_to_the_newest_is_silent(saved, tmp_path, amount, figure):
    source, abstract = saved
    older_step, newest_step = steps(source)
    older, newest = (
        checkpoints.sha256_of_tree(restored_alone(source / str(step)))
        for step in (older_step, newest_step)
    )
    flips, cuts = amount(30, 300), amount(10, 100)
    each = one_by_one(source / str(newest_step))
    damages = [flip] * flips + [cut] * cuts + each
    found, peer = [], []
    # Orbax leaves coroutines behind when it fails, which are complained of whenever
    # they are collected: they shall not outlive a process of its own.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
        for number, damage in enumerate(damages):
            place = tmp_path / "checkpoints"
            shutil.copytree(source, place)
            damage(place / str(newest_step), random.Random(number))
            if number < flips:
                asked = elsewhere.submit(alone, place / str(newest_step), newest)
                peer.append(asked.result(timeout=120))
            found.append(outcome(place, abstract, newest, older))
            shutil.rmtree(place)
    figure(
        4,
        f"the newest checkpoint damaged: {flips} bit flips, {cuts} truncations, each "
        f"of its files deleted and emptied ({len(each)})",
        "0 silent; the previous step used and named",
        f"{len(found) - found.count('older')} silent, {found.count('older')} of "
        f"{len(found)} with the previous step used and named; Orbax by itself restored "
        f"{peer.count('silent')} of the {flips} flips silently wrong",
    )
    assert found == ["older"] * len(found)
    assert peer.count("silent") > flips // 2  # it is damage


def test_with_every_checkpoint_damaged_nothing_is_overwritten(
    saved, tmp_path, environment, amount, figure
):
    source, _ = saved
    count, right = amount(2, 10), 0
    for number in range(count):
        workdir = tmp_path / f"run_{number}"
        shutil.copytree(source.parent, workdir)
        for step in steps(source):
            place = workdir / "checkpoints" / str(step)
            (flip, cut)[number % 2](place, random.Random(f"{number} {step}"))
        before = {p: p.read_bytes() for p in files(workdir)}
        code, out, err = runs.finish(runs.start(workdir, FIELDS, environment))
        told = err.count("\n") == 1 and err.startswith("error: no checkpoint in")
        same = {p: p.read_bytes() for p in files(workdir)} == before
        right += code == 2 and told and same and "Traceback" not in out
    figure(
        5,
        "every checkpoint damaged: one line, exit code 2, nothing overwritten",
        "all",
        f"{right}/{count}",
    )
    assert right == count
