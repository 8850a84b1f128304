# SPDX-License-Identifier: Apache-2.0
"""Data that are not the published ones never train anything."""

import hashlib
import os
import random
import subprocess
import sys

import pytest

import runs
from dropout_jax.config import UserError
from dropout_jax.data.fashion_files import FILES, read_files

PREPARE = """
import sys
from dropout_jax.data import builder, load
prepare = builder.prepare
def counted(*args):
    print("prepared")
    return prepare(*args)
builder.prepare = counted
print(load("fashion_mnist", source_dir=sys.argv[1]).sha256)
"""
NAMES = [file.name for file in FILES]


@pytest.fixture
def damaged(idx_files, tmp_path):
    """Returns a function of {name: content} to a directory with these replaced."""

    def make(number, replaced):
        directory = tmp_path / f"damaged_{number}"
        directory.mkdir()
        for name in NAMES:
            if name in replaced:
                (directory / name).write_bytes(replaced[name])
            else:
                (directory / name).symlink_to(idx_files / name)
        return directory

    return make


def damages(idx_files, count):
    """Returns what is done to the files, by what it is."""
    found = []
    for number in range(count):
        chance = random.Random(number)
        name = chance.choice(NAMES)
        raw = bytearray((idx_files / name).read_bytes())
        place = chance.randrange(8 * len(raw))
        raw[place // 8] ^= 1 << place % 8
        found.append(("flip", {name: bytes(raw)}))
        name = chance.choice(NAMES)
        raw = (idx_files / name).read_bytes()
        found.append(("truncation", {name: raw[: chance.randrange(len(raw))]}))
    images, labels = NAMES[2], NAMES[3]
    first, second = ((idx_files / name).read_bytes() for name in (images, labels))
    found.append(("swap", {images: second, labels: first}))
    found.append(("swap", {images: (idx_files / NAMES[0]).read_bytes()}))
    found.append(("wrong file", {labels: b"a letter to a friend"}))
    found.append(("label out of range", {labels: second[:-1] + b"\x0a"}))
    return found


def test_wrong_data_are_refused(idx_files, damaged, environment, amount, figure):
    cases = damages(idx_files, amount(5, 100))
    right, sums = 0, 0
    for number, (kind, replaced) in enumerate(cases):
        directory = damaged(number, replaced)
        try:
            read_files(directory)
        except UserError as error:
            text = str(error)
            named = any(str(directory / name) in text for name in replaced)
            right += named and "\n" not in text
            sums += any(file.sha256 in text for file in FILES) and any(
                hashlib.sha256(content).hexdigest() in text
                for content in replaced.values()
            )
        if kind == "flip" and number == 0:
            workdir = directory / "run"
            fields = {**runs.SHORT, "data.source_dir": directory}
            code, _, err = runs.finish(runs.start(workdir, fields, environment))
            assert code == 2 and err.count("\n") == 1 and not workdir.exists(), err
    figure(
        8,
        "a data file with a flipped bit, cut, swapped, wrong, or a label out of range",
        "refused before training, the file named, expected and actual checksum where "
        "its form is right",
        f"{right}/{len(cases)} ({sums} by checksum)",
    )
    assert right == len(cases)
    assert sums >= amount(5, 100)  # every flipped bit of an image or a label


def test_four_processes_prepare_once(idx_files, tmp_path, amount, figure):
    rounds, right = amount(1, 5), 0
    for number in range(rounds):
        kept = {"DROPOUT_JAX_CACHE": str(tmp_path / f"cache_{number}")}
        team = [
            subprocess.Popen(
                [sys.executable, "-c", PREPARE, str(idx_files)],
                cwd=runs.ROOT,
                env={**os.environ, **kept},
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        said = [one.communicate(timeout=runs.SECONDS)[0].split() for one in team]
        sums = {words[-1] for words in said}
        right += len(sums) == 1 and sum("prepared" in words for words in said) == 1
    figure(
        "8b",
        "4 processes that prepare the data at once",
        "prepared once, all read the same",
        f"{right}/{rounds} times",
    )
    assert right == rounds
